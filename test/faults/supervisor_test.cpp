// Shows that under `pointsman up` what is killed comes back, and that nobody whom no fault touched notices, not even
// when the supervisor itself stands still or is killed.

#include <signal.h>

#include "test/faults/ground.hpp"

using namespace pointsman;
using namespace pointsman::faults;
using namespace std::chrono_literals;

namespace {

struct Household {
  Ground ground{{.supervised = {"w1", "w2", "w3"}}};

  Household() {
    ground.start_watch();
    ground.start_client("c1", {"threads=6", "calls=1"});
    ground.start_client("holder", {"threads=2", "hold=1", "pause_ms=20"});
    REQUIRE(ground.granted("c1", 20));
  }
};

}  // namespace

TEST_CASE("workers and a broker that are killed come back by their supervisor and no request is lost") {
  Household household;
  Ground& ground = household.ground;
  for (int round = 0; round < 2; ++round) {
    for (const char* process : {"w1", "broker", "w2"}) {
      ground.kill_supervised(process);
      REQUIRE(ground.granted("c1", 20));
    }
  }
  REQUIRE(ground.all_registered());
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.broken == 0);
}

TEST_CASE("a supervisor that stands still for two terms harms nobody and does its duty afterwards") {
  Household household;
  Ground& ground = household.ground;
  const pid_t worker = ground.pid_of("w1");
  REQUIRE(worker > 0);
  ground.stop("supervisor");
  last(ground.lease());
  ground.kill_supervised("w1", worker);
  last(ground.lease());
  REQUIRE(ground.granted("c1", 20));
  ground.go_on("supervisor");
  REQUIRE(ground.all_registered());
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.broken == 0);
}

TEST_CASE("a supervisor that is killed leaves no process behind and the next one serves again") {
  Household household;
  Ground& ground = household.ground;
  ground.process("supervisor").signal(SIGKILL);
  ground.pen().write("killed", "of=supervisor,broker,w1,w2,w3");
  REQUIRE(ground.process("supervisor").wait(10s));
  // Nothing of it holds the broker's listeners, or the next one could not start.
  ground.start_supervisor();
  REQUIRE(ground.granted("c1", 20));
  CHECK(ground.prove().lost == 0);
}
