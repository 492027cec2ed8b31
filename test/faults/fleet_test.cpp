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
    REQUIRE(eventually(ground.lease() * 2, [&] { return ground.list().starts_with("workers=1000 "); }));
    MESSAGE("all registered " << (clock_us() - start) / 1000 << " ms after the broker was back");
    REQUIRE(ground.granted("c1", 20));
  }
  const Tally tally = ground.prove();
  CHECK(tally.lost == 0);
  CHECK(tally.broken == 0);
  CHECK(tally.failed == 0);
  CHECK(tally.compared >= 1000);
}
