// Shows that a thousand workers find a broker again that was killed, and that nobody's session notices.

#include "test/faults/ground.hpp"

using namespace pointsman;
using namespace pointsman::faults;
using namespace std::chrono_literals;

TEST_CASE("a thousand workers register anew with a broker that was killed and no session breaks") {
  Ground ground({.lease = 3s});
  ground.start_watch();
  for (int i = 1; i <= 4; ++i) {
    ground.start_worker("f" + std::to_string(i), {"slots=2", "work_ms=10", "count=250"});
  }
  ground.start_client("c1", {"threads=4", "calls=1", "wait_ms=10000"});
  ground.start_client("holder", {"threads=4", "hold=1", "pause_ms=20"});
  REQUIRE(ground.granted("c1", 20));
  for (int round = 0; round < 2; ++round) {
    ground.kill("broker");
    ground.start_broker();
    const auto start = clock_us();
    std::string listed;
    const bool all_there = eventually(60s, [&] { return (listed = ground.list()).starts_with("workers=1000 "); });
    CAPTURE(listed);
    for (const char* name : {"f1", "f2", "f3", "f4"}) {
      if (!all_there) MESSAGE(name << " " << ground.process(name).wait(0ms).value_or(-1) << ": " << ground.process(name).err());
    }
    REQUIRE(all_there);
    MESSAGE("all registered " << (clock_us() - start) / 1000 << " ms after the broker was back");
    REQUIRE(ground.granted("c1", 20));
  }
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.broken == 0);
  CHECK(tally.failed == 0);
  CHECK(tally.compared >= 1000);
}
