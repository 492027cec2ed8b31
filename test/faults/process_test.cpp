// Shows that parties may be killed and stopped under load, and that everything promised still holds.

#include <random>

#include "test/faults/ground.hpp"

using namespace pointsman;
using namespace pointsman::faults;
using namespace std::chrono_literals;

namespace {

// Four workers with two slots each, two clients that ask for more than that, and one that holds its sessions.
void crowd(Ground& ground) {
  ground.start_watch();
  for (int i = 1; i <= 4; ++i) ground.start_worker("w" + std::to_string(i), {"slots=2", "work_ms=10"});
  ground.start_client("c1", {"threads=6", "calls=2"});
  ground.start_client("c2", {"threads=6", "calls=1"});
  ground.start_client("holder", {"threads=2", "hold=1", "pause_ms=20"});
  REQUIRE(ground.granted("c1", 20));
}

}  // namespace

TEST_CASE("workers that are killed under load lose no request and are granted nothing") {
  Ground ground;
  crowd(ground);
  for (int round = 0; round < 4; ++round) {
    const std::string name = "w" + std::to_string(round % 4 + 1);
    ground.kill(name);
    REQUIRE(ground.granted("c2", 20));
    ground.start_worker(name, {"slots=2", "work_ms=10"});
    REQUIRE(ground.granted("c1", 20));
  }
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.opened_twice == 0);
  CHECK(tally.compared > 0);
}

TEST_CASE("workers that stand still for half a term two and five terms come back without harm") {
  Ground ground;
  crowd(ground);
  for (const auto terms : {0.5, 2.0, 5.0}) {
    CAPTURE(terms);
    ground.stop("w1");
    if (terms == 2.0) ground.stop("w2");
    last(std::chrono::duration_cast<std::chrono::milliseconds>(ground.lease() * terms));
    if (terms == 2.0) ground.go_on("w2");
    ground.go_on("w1");
    REQUIRE(ground.granted("c1", 30));
  }
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.leases_ended > 0);
}

TEST_CASE("a broker that is killed twenty times under load breaks no session and loses no request") {
  bool keys = false;
  SUBCASE("in the open") {}
  SUBCASE("with keys") { keys = true; }
  Ground ground({.keys = keys});
  crowd(ground);
  for (int round = 0; round < 20; ++round) {
    ground.kill("broker");
    ground.start_broker();
    REQUIRE(ground.granted("c1", 5));
  }
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.broken == 0);
  CHECK(tally.faults == 20);
}

TEST_CASE("a request that waits when its broker is killed is granted by the next one") {
  Ground ground;
  ground.start_watch();
  ground.start_worker("w1", {"slots=1", "work_ms=5"});
  ground.start_client("holder", {"threads=1", "hold=1", "pause_ms=20"});
  REQUIRE(eventually([&] { return ground.list().find("used=1") != std::string::npos; }));
  ground.start_client("c1", {"threads=1", "calls=1", "wait_ms=3500"});
  REQUIRE(eventually([&] { return ground.list().find("waiting=1") != std::string::npos; }));
  ground.kill("broker");
  ground.start_broker();
  REQUIRE(ground.end("holder") == 0);
  CHECK(ground.granted("c1", 1, 5s));
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.refused == 0);
}

TEST_CASE("a broker that stands still for half a term two and five terms accuses nobody") {
  Ground ground;
  crowd(ground);
  for (const auto terms : {0.5, 2.0, 5.0}) {
    CAPTURE(terms);
    ground.stop("broker");
    last(std::chrono::duration_cast<std::chrono::milliseconds>(ground.lease() * terms));
    ground.go_on("broker");
    REQUIRE(ground.granted("c1", 20));
  }
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.broken == 0);
  CHECK(tally.leases_ended == 0);
}

TEST_CASE("clients that are killed and stopped leave their slots to others") {
  Ground ground({.broker = {"--session-term", "2s"}});
  crowd(ground);
  for (int round = 0; round < 3; ++round) {
    ground.kill("c2");
    ground.kill("holder");
    REQUIRE(ground.granted("c1", 20));
    ground.start_client("c2", {"threads=6", "calls=1"});
    ground.start_client("holder", {"threads=2", "hold=1", "pause_ms=20"});
    ground.stop("c1");
    last(ground.lease() / 2 * (1 + 3 * round));
    ground.go_on("c1");
    REQUIRE(ground.granted("c2", 20));
  }
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.excused > 0);
}

TEST_CASE("everybody is killed and stopped at random") {
  Ground ground({.broker = {"--session-term", "2s"}});  // so long a dead client keeps its slot
  crowd(ground);
  std::mt19937 random(20261);
  for (int round = 0; round < 12; ++round) {
    const std::string worker = "w" + std::to_string(1 + random() % 4);
    const std::string client = "c" + std::to_string(1 + random() % 2);
    switch (random() % 5) {
      case 0:
        ground.kill(worker);
        ground.start_worker(worker, {"slots=2", "work_ms=10"});
        break;
      case 1:
        ground.kill("broker");
        ground.start_broker();
        break;
      case 2:
        ground.kill(client);
        ground.start_client(client, {"threads=6", "calls=1"});
        break;
      case 3:
        ground.stop(worker);
        last(std::chrono::milliseconds(100 + random() % 1900));
        ground.go_on(worker);
        break;
      default:
        ground.stop("broker");
        last(std::chrono::milliseconds(100 + random() % 900));
        ground.go_on("broker");
        break;
    }
  }
  REQUIRE(ground.granted("c1", 20));
  CHECK(ground.prove().lost == 0);
}
