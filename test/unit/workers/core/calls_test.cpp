// Shows that calls are worked on one at a time, once each, and answered where they were asked for.
#include "test/unit/workers/core/bench.hpp"

using namespace pointsman;
using namespace pointsman::workers;
using namespace std::chrono_literals;
using Lines = Bench::Lines;

namespace {

Bench with_session(WorkerSettings settings = bench_settings()) {
  Bench bench(std::move(settings));
  bench.enroll();
  bench.client(1, bench.open(20));
  return bench;
}

}  // namespace

TEST_CASE("a call with a ticket opens the session by itself") {
  Bench bench;
  bench.enroll();
  const auto open = std::get<Open>(bench.open(20));
  CHECK(bench.client(1, Call{.session = 20, .number = 1, .ticket = open.ticket, .client = "ann"}, {"a"}) ==
        Lines{"began 20", "serve 20/1 a"});
  CHECK(says(bench.client(1, Call{.session = 21, .number = 1, .ticket = open.ticket, .client = "ann"}),
             "c1 refused about=call code=bad-ticket"));
}

TEST_CASE("calls of a session are served one after the other in order") {
  Bench bench = with_session();
  CHECK(bench.client(1, Call{.session = 20, .number = 1}, {"a"}) == Lines{"serve 20/1 a"});
  CHECK(bench.client(1, Call{.session = 20, .number = 2}, {"b"}).empty());
  CHECK(bench.client(1, Call{.session = 20, .number = 3}, {"c"}).empty());
  CHECK(bench.tell(Answered{20, 1, {"A"}, false}) == Lines{"c1 reply session=20 number=1 | A", "serve 20/2 b"});
  CHECK(bench.tell(FailedCall{.session = 20, .number = 2, .reason = "no", .exit = 3}) ==
        Lines{"c1 failed session=20 number=2 reason=no exit=3", "serve 20/3 c"});
}

TEST_CASE("parts are numbered and the last one says so") {
  Bench bench = with_session();
  bench.client(1, "call session=20 number=1");
  CHECK(bench.tell(Answered{20, 1, {"a"}, true}) == Lines{"c1 reply session=20 number=1 more=true | a"});
  CHECK(bench.tell(Answered{20, 1, {"b"}, false}) == Lines{"c1 reply session=20 number=1 part=1 | b"});
  CHECK(bench.tell(Answered{20, 1, {"c"}, false}).empty());
}

TEST_CASE("a repeated call is not worked on twice") {
  Bench bench = with_session();
  bench.client(1, "call session=20 number=1");
  CHECK(bench.client(1, "call session=20 number=1").empty());
  bench.tell(Answered{20, 1, {}, false});
  CHECK(says(bench.client(1, "call session=20 number=1"), "c1 refused about=call code=ended"));
}

TEST_CASE("more calls than may wait are refused") {
  WorkerSettings settings = bench_settings();
  settings.calls_max = 2;
  Bench bench = with_session(settings);
  for (std::uint64_t number = 1; number <= 3; ++number) bench.client(1, Call{.session = 20, .number = number});
  CHECK(says(bench.client(1, "call session=20 number=4"), "c1 refused about=call code=busy"));
}

TEST_CASE("an abandoned call is answered at once and the next one waits until its work has ended") {
  Bench bench = with_session();
  bench.client(1, "call session=20 number=1");
  bench.client(1, "call session=20 number=2");
  bench.client(1, "call session=20 number=3");
  CHECK(says(bench.client(1, "abandon session=20 number=2"), "c1 failed session=20 number=2 code=cancelled"));
  const Lines lines = bench.client(1, "abandon session=20 number=1");
  CHECK(says(lines, "c1 failed session=20 number=1 code=cancelled"));
  CHECK(lines.back() == "abandoned 20/1");
  CHECK(bench.tell(Answered{20, 1, {"late"}, false}) == Lines{"serve 20/3"});
  CHECK(bench.client(1, "abandon session=20 number=1").empty());
  CHECK(says(bench.client(1, "abandon session=20 number=9"), "c1 refused about=abandon code=unknown-request"));
}

TEST_CASE("a call that takes longer than its client waits is abandoned") {
  Bench bench = with_session();
  bench.client(1, "call session=20 number=1 limit_ms=1000");
  bench.client(1, "call session=20 number=2 limit_ms=500");
  const Lines lines = bench.wait(1100ms);
  CHECK(says(lines, "c1 failed session=20 number=1 code=timed-out"));
  CHECK(lines.back() == "abandoned 20/1");
  // The second one's turn came too late.
  CHECK(says(bench.tell(FailedCall{.session = 20, .number = 1}), "c1 failed session=20 number=2 code=timed-out"));
}

TEST_CASE("a released session keeps its slot until its work has ended") {
  Bench bench = with_session();
  bench.client(1, "call session=20 number=1");
  const Lines lines = bench.client(1, "release session=20");
  CHECK(says(lines, "abandoned 20/1"));
  CHECK(says(lines, "c1 released session=20"));
  CHECK_FALSE(says(lines, "broker report"));
  CHECK(says(bench.client(1, bench.open(20)), "c1 refused about=open code=used-ticket"));
  CHECK(says(bench.tell(FailedCall{.session = 20, .number = 1}), "over 20 released"));
}

TEST_CASE("a lost connection abandons its calls and keeps its session") {
  Bench bench = with_session();
  bench.client(1, "call session=20 number=1");
  bench.client(1, "call session=20 number=2");
  CHECK(bench.tell(Gone{Door::direct, 1}) == Lines{"abandoned 20/1"});
  CHECK(bench.tell(FailedCall{.session = 20, .number = 1}).empty());
  CHECK(says(bench.client(2, bench.open(20)), "c2 opened session=20"));
}
