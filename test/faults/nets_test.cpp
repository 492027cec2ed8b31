// Shows what cuts between the parties do, each party in a network of its own: a direct session outlives the loss of the
// broker, and whatever is cut, everything promised still holds.

#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdio>
#include <cstring>

#include "test/faults/ground.hpp"
#include "test/faults/nets.hpp"

using namespace pointsman;
using namespace pointsman::faults;
using namespace std::chrono_literals;

// Where there can be no networks every test here is skipped: ctest takes this code for that.
int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  bool lists = false;
  for (int i = 1; i < argc; ++i) lists = lists || std::strstr(argv[i], "list") != nullptr;
  if (!lists) {
    const std::string why = Nets::why_not();
    if (!why.empty()) {
      std::printf("skipped: %s\n", why.c_str());
      return 77;
    }
  }
  return context.run();
}

namespace {

// Two workers with four slots each, a client that asks all the time, and one that holds a session at each worker.
struct Town {
  Nets nets{{"broker", "w1", "w2", "c1", "holder"}};
  Ground ground;

  explicit Town(bool keys = false)
      : ground({.broker = keys ? std::vector<std::string>{} : std::vector<std::string>{"--insecure"},
                .clients = "tcp://" + nets.address("broker") + ":5570",
                .workers = "tcp://" + nets.address("broker") + ":5571",
                .nets = with_watch(),
                .keys = keys}) {
    ground.start_watch();
    for (const std::string name : {"w1", "w2"}) start_worker(name);
    ground.start_client("holder", {"threads=2", "hold=1", "pause_ms=20", "limit_ms=3000"});
    ground.start_client("c1", {"threads=4", "calls=1", "pause_ms=10", "limit_ms=3000"});
    REQUIRE(ground.granted("c1", 20));
  }

  std::map<std::string, std::string> with_watch() const {
    auto all = nets.holders();
    all["watch"] = all.at("broker");
    return all;
  }
  void start_worker(const std::string& name) {
    ground.start_worker(name, {"slots=4", "work_ms=10", "bind=tcp://" + nets.address(name) + ":6000"});
  }
  // Cuts, waits, heals; what is cut is written down as faults to links.
  void cut(const std::string& one, const std::string& other, std::chrono::milliseconds time) {
    ground.fault(one + "-" + other, "cut");
    nets.cut(one, other);
    last(time);
    nets.heal(one);
    ground.healed(one + "-" + other);
  }
  void mute(const std::string& from, const std::string& to, std::chrono::milliseconds time) {
    ground.fault(from + "-" + to, "mute");
    nets.mute(from, to);
    last(time);
    nets.heal(from);
    ground.healed(from + "-" + to);
  }
  // How many answers the holder has had.
  std::size_t held_answers() {
    std::size_t count = 0;
    for (const Entry& entry : read_histories(ground.folder())) count += entry.who == "holder" && entry.what == "answered";
    return count;
  }
};

}  // namespace

TEST_CASE("a direct session outlives the loss of the broker by its worker") {
  Town town;
  const auto before = town.held_answers();
  town.cut("w1", "broker", 4 * town.ground.lease());
  CHECK(town.held_answers() > before + 50);
  REQUIRE(town.ground.granted("c1", 20));
  const Tally tally = town.ground.prove();
  CHECK(tally.broken == 0);
  CHECK(tally.failed == 0);
  CHECK(tally.leases_ended > 0);
}

TEST_CASE("a direct session outlives the loss of the broker by its client") {
  Town town;
  const auto before = town.held_answers();
  town.ground.fault("c1-broker", "cut");
  town.nets.cut("c1", "broker");
  town.cut("holder", "broker", 3 * town.ground.lease());
  town.nets.heal("c1");
  town.ground.healed("c1-broker");
  CHECK(town.held_answers() > before + 50);
  REQUIRE(town.ground.granted("c1", 20));
  const Tally tally = town.ground.prove();
  CHECK(tally.broken == 0);
  CHECK(tally.failed == 0);
  CHECK(tally.leases_ended == 0);
}

TEST_CASE("a client that cannot reach a worker gets another and the worker stays in standing") {
  Town town;
  town.cut("c1", "w1", 5s);
  REQUIRE(town.ground.granted("c1", 20));
  const Tally tally = town.ground.prove();
  CHECK(tally.broken == 0);
  CHECK(tally.leases_ended == 0);
  CHECK(tally.failed > 0);
}

TEST_CASE("a broker that is cut off from all breaks no session and is found again") {
  bool keys = false;
  SUBCASE("in the open") {}
  SUBCASE("with keys") { keys = true; }
  Town town(keys);
  const auto before = town.held_answers();
  for (const std::string party : {"w1", "w2", "c1", "holder"}) town.nets.cut("broker", party);
  town.ground.fault("broker", "cut");
  last(3 * town.ground.lease());
  CHECK(town.held_answers() > before + 50);
  town.nets.heal("broker");
  town.ground.healed("broker");
  REQUIRE(town.ground.granted("c1", 20));
  const Tally tally = town.ground.prove();
  CHECK(tally.broken == 0);
  CHECK(tally.failed == 0);
}

TEST_CASE("what is lost one way only does no harm either") {
  Town town;
  town.mute("w1", "broker", 2 * town.ground.lease());
  town.mute("broker", "w1", 2 * town.ground.lease());
  town.mute("broker", "c1", town.ground.lease());
  REQUIRE(town.ground.granted("c1", 20));
  const Tally tally = town.ground.prove();
  CHECK(tally.broken == 0);
}

TEST_CASE("a way that comes and goes once a second does no harm") {
  Town town;
  for (int i = 0; i < 8; ++i) {
    town.cut("w1", "broker", 500ms);
    last(500ms);
  }
  REQUIRE(town.ground.granted("c1", 20));
  const Tally tally = town.ground.prove();
  CHECK(tally.broken == 0);
}
