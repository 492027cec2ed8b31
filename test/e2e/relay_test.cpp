// Shows a relay as users have it: workers behind it serve, and outlive it and their broker.

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/stranger.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

using Arguments = std::vector<std::string>;

// A broker, a relay and workers of this test alone.
class Site {
 public:
  Site() {
    start_broker();
    start_relay();
  }

  void start_broker() {
    broker = std::make_unique<Process>(Arguments{pointsman_program(), "broker", "--clients", clients, "--workers", workers});
    REQUIRE_MESSAGE(broker->wait_for_line("ready clients=", 20s), broker->err());
  }
  void start_relay() {
    relay = std::make_unique<Process>(Arguments{pointsman_program(), "relay", "--listen", behind, "--broker", workers});
    REQUIRE_MESSAGE(relay->wait_for_line("ready workers=", 20s), relay->err());
  }
  // A worker that answers with its name, ready.
  void worker(const std::string& name) {
    Process& started = fleet.emplace_back(Arguments{pointsman_program(), "worker", "--broker", behind, "--name", name,
                                                    "--service", "who", "--lease", "1s", "--", "sh", "-c",
                                                    "cat >/dev/null; printf " + name});
    REQUIRE_MESSAGE(started.wait_for_line("ready worker=", 20s), started.err());
  }

  Result pointsman(Arguments words) const {
    words.insert(words.begin(), pointsman_program());
    words.insert(words.end(), {"--broker", clients});
    return run(words);
  }
  // Whether the broker hands out this worker.
  bool serves(const std::string& name) const {
    return pointsman({"ls", "workers"}).out.find(name + " ") != std::string::npos &&
           pointsman({"call", "who", "x", "--wait", "2s"}).code == 0;
  }

  TemporaryFolder folder;
  const std::string clients = "ipc://" + folder.path() + "/clients";
  const std::string workers = "ipc://" + folder.path() + "/workers";
  const std::string behind = "ipc://" + folder.path() + "/behind";
  std::unique_ptr<Process> broker;
  std::unique_ptr<Process> relay;
  std::list<Process> fleet;
};

}  // namespace

TEST_CASE("e2e relay: workers behind it are handed out like others, each for itself") {
  Site site;
  for (const std::string name : {"w1", "w2", "w3"}) site.worker(name);
  const Result called = site.pointsman({"call", "who", "-n", "6", "--fresh", "--separate", "x"});
  CHECK_MESSAGE(called.code == 0, called.err);
  for (const std::string name : {"w1", "w2", "w3"}) CHECK(called.out.find(name) != std::string::npos);
  // One that is stopped leaves, the others stay.
  site.fleet.front().signal(SIGTERM);
  CHECK(site.fleet.front().wait(20s) == 0);
  CHECK(eventually([&] { return site.pointsman({"ls", "workers"}).out.find("w1 ") == std::string::npos; }));
  CHECK(site.serves("w2"));
  site.relay->signal(SIGTERM);
  CHECK(site.relay->wait(20s) == 0);
}

TEST_CASE("e2e relay: workers come back by themselves when it, or their broker, was killed") {
  Site site;
  site.worker("w1");
  site.relay.reset();
  site.start_relay();
  CHECK(eventually([&] { return site.serves("w1"); }));
  site.broker.reset();
  site.start_broker();
  CHECK(eventually([&] { return site.serves("w1"); }));
}

TEST_CASE("e2e relay: peers of every kind get their answers as they asked") {
  Site site;
  Stranger stranger(site.behind);
  const auto ask = [&](const std::vector<std::string>& question) {
    stranger.send(question);
    return stranger.receive();
  };
  const std::string hello = R"({"op":"hello"})";
  for (const std::vector<std::string>& question : {Arguments{hello}, Arguments{"", hello}, Arguments{"far", "", hello}}) {
    const auto answer = ask(question);
    REQUIRE(answer.size() == question.size());
    CHECK(std::equal(question.begin(), question.end() - 1, answer.begin()));
    CHECK(answer.back().find("\"welcome\"") != std::string::npos);
  }
  const auto garbage = ask({"{nonsense"});
  REQUIRE(garbage.size() == 1);
  CHECK(garbage.back().find("bad-message") != std::string::npos);
  const auto large = ask({std::string(250, 'x'), "", hello});
  REQUIRE(large.size() == 3);
  CHECK(large.back().find("limit-reached") != std::string::npos);
}

TEST_CASE("e2e relay: what cannot be is said, with what to do") {
  const auto wrong = [](Arguments words, int code, const std::string& part) {
    words.insert(words.begin(), {pointsman_program(), "relay"});
    const Result result = run(words);
    CHECK(result.code == code);
    CHECK_MESSAGE(result.err.find(part) != std::string::npos, result.err);
  };
  TemporaryFolder folder;
  const std::string here = "ipc://" + folder.path() + "/here";
  wrong({}, 2, "--listen");
  wrong({"--listen", here, "--broker", "tcp://127.0.0.1:1,tcp://127.0.0.1:2"}, 2, "one broker");
  wrong({"--listen", here, "--broker", "dns:localhost"}, 2, "one broker");
  wrong({"--listen", here, "--broker", here}, 2, "the same");
  wrong({"--listen", "tcp://0.0.0.0:5599", "--broker", "tcp://127.0.0.1:1"}, 2, "one machine");
  wrong({"--listen", here, "--broker", "ipc://" + folder.path() + "/nobody", "--timeout", "300ms"}, 3, "start the broker");
}
