// Shows how a worker gets its lease, keeps it, loses it and gives it back.
#include <map>

#include "test/unit/workers/core/bench.hpp"

using namespace pointsman;
using namespace pointsman::workers;
using namespace std::chrono_literals;
using Lines = Bench::Lines;

namespace {

std::string beat_of(const Lines& lines) {
  for (const std::string& line : lines) {
    if (line.starts_with("broker heartbeat")) return line;
  }
  return {};
}

std::string number_of(const std::string& line, const std::string& key) {
  const auto at = line.find(" " + key + "=");
  if (at == std::string::npos) return "0";
  const auto start = at + key.size() + 2;
  return line.substr(start, line.find(' ', start) - start);
}

// Lets time pass with a broker that answers each heartbeat.
void live(Bench& bench, Duration duration) {
  const Duration end = bench.now + duration;
  while (bench.now < end) {
    const Lines lines = bench.wait(100ms);
    const std::string beat = beat_of(lines);
    if (!beat.empty()) bench.broker("heard lease=" + number_of(beat, "lease") + " beat=" + number_of(beat, "beat"));
  }
}

}  // namespace

TEST_CASE("a worker registers at its first step and again by a new connection until it is answered") {
  Bench bench;
  CHECK(bench.core.deadline() == Instant{});
  CHECK(bench.tell(Elapsed{}) ==
        Lines{"broker register worker=w instance=i services=[{service=zip}] slots=2 endpoint=tcp://127.0.0.1:9 attempt=1"});
  const Lines later = bench.wait(700ms);
  REQUIRE(later.size() == 2);
  CHECK(later[0] == "reconnect");
  CHECK(later[1].starts_with("broker register"));
  CHECK(bench.tell(bench.registered(7)) == Lines{"enrolled 7"});
  CHECK(says(bench.wait(3s), "broker heartbeat lease=7 beat=1"));
}

TEST_CASE("registrations are spread further and further apart") {
  Bench bench;
  bench.tell(Elapsed{});
  const auto tries = static_cast<int>(bench.wait(60s).size() / 2);
  CHECK(tries >= 10);
  CHECK(tries <= 20);
}

TEST_CASE("a refused registration is tried again until patience ends") {
  WorkerSettings settings = bench_settings();
  settings.patience = 2s;
  Bench bench(settings);
  bench.tell(Elapsed{});
  CHECK(bench.broker("refused about=register code=name-taken reason=held") == Lines{"denied name-taken"});
  CHECK(says(bench.wait(1200ms), "broker register"));
  CHECK(bench.broker("refused about=register code=name-taken reason=held") == Lines{"denied name-taken"});
  CHECK(says(bench.wait(2400ms), "broker register"));
  CHECK(bench.broker("refused about=register code=name-taken reason=held").back() == "done name-taken");
  CHECK(bench.core.deadline() == never);
}

TEST_CASE("a registration that can never succeed is final at once") {
  Bench bench;
  bench.tell(Elapsed{});
  CHECK(bench.broker("refused about=register code=bad-endpoint reason=no") ==
        Lines{"denied bad-endpoint", "done bad-endpoint"});
}

TEST_CASE("no answer for longer than patience is unreachable but only before the first lease") {
  WorkerSettings settings = bench_settings();
  settings.patience = 2s;
  Bench bench(settings);
  bench.tell(Elapsed{});
  CHECK(bench.wait(10s).back() == "done unreachable");

  Bench lucky(settings);
  lucky.enroll();
  CHECK_FALSE(says(lucky.wait(300s), "done"));
}

TEST_CASE("two heartbeats without answer make a new connection") {
  Bench bench;
  bench.enroll();
  Lines lines = bench.wait(3s);
  CHECK(says(lines, "broker heartbeat"));
  CHECK_FALSE(says(lines, "reconnect"));
  CHECK_FALSE(says(bench.wait(3s), "reconnect"));
  CHECK(says(bench.wait(3s), "reconnect"));
}

TEST_CASE("a worker sends its next heartbeat when its broker says, and never much later than it was told first") {
  const auto next_beat = [](Bench& bench, const std::string& next) {
    const Lines lines = bench.wait(4s);
    REQUIRE(says(lines, "broker heartbeat lease=7 beat=1"));
    const Duration from = bench.now;
    bench.broker("heard lease=7 beat=1 next_ms=" + next);
    while (beat_of(bench.wait(10ms)).empty() && bench.now < from + 60s) {
    }
    return bench.now - from;
  };
  const std::map<std::string, Duration> expected{{"1200", 1200ms}, {"3500", 3500ms}, {"50000", 4500ms}};
  for (const auto& told : expected) {
    Bench bench;
    bench.enroll();
    CAPTURE(told.first);
    const Duration took = next_beat(bench, told.first);
    CHECK(took >= told.second);
    CHECK(took <= told.second + 20ms);
  }
  // Without the field: as often as it was told first; the beat before was sent within these 4 s.
  Bench bench;
  bench.enroll();
  CHECK(next_beat(bench, "0") <= 3s);
}

TEST_CASE("past its own deadline a worker opens nothing and keeps what is open") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  bench.wait(9400ms);  // the margin is 500 ms
  CHECK(says(bench.client(2, bench.open(21)), "began 21"));
  bench.wait(200ms);
  CHECK(says(bench.client(3, bench.open(22)), "c3 refused about=open code=busy"));
  CHECK(bench.client(1, "renew session=20") == Lines{"c1 renewed session=20 term_ms=30000"});
}

TEST_CASE("an answered heartbeat moves the deadline to a term after it was sent") {
  Bench bench;
  bench.enroll();
  live(bench, 60s);
  CHECK(says(bench.client(1, bench.open(20)), "began 20"));
}

TEST_CASE("a worker whose lease is not known registers anew with what it holds") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  bench.broker("assign lease=7 first=1 sessions=[{session=21 service=zip client=abe id=r1 ttl_ms=5000}]");
  bench.wait(2s);
  const Lines lines = bench.broker("refused about=heartbeat code=unknown-lease lease=7");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with("sessions=[{session=20 service=zip client=ann open=true} {session=21 service=zip client=abe id=r1}] attempt=2"));
  bench.client(1, "release session=20");
  // What happened since the list was made is told under the new lease.
  CHECK(bench.tell(bench.registered(99, 6)).back().starts_with("broker report lease=99 first=1 events=[{session=20 closed=true}]"));
  // Tickets of the former lease are still good.
  CHECK(says(bench.client(1, bench.open(21, "abe")), "began 21"));
}

TEST_CASE("a broker that forgets at once what it granted is not hurried") {
  Bench bench;
  bench.enroll();
  CHECK(bench.broker("refused about=heartbeat code=unknown-lease lease=7").empty());
  CHECK(says(bench.wait(700ms), "broker register"));
}

TEST_CASE("a lease that nobody asked for is taken with the whole list") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  const Lines lines = bench.tell(bench.registered(8));
  CHECK(lines == Lines{"enrolled 8", "broker holding lease=8 sessions=[{session=20 service=zip client=ann open=true}]"});
  CHECK(says(bench.wait(1ms), "broker heartbeat"));  // how old it is, it does not know
  CHECK(bench.tell(bench.registered(7)).empty());
}

TEST_CASE("a worker whose connection broke looks for its broker at once and then ever less often") {
  Bench bench;
  bench.enroll();
  bench.tell(Gone{Door::broker, 0});
  Lines lines = bench.wait(500ms);
  CHECK(says(lines, "reconnect"));
  CHECK(says(lines, "broker heartbeat"));
  CHECK(says(bench.wait(600ms), "broker heartbeat"));
  CHECK(says(bench.wait(1200ms), "broker heartbeat"));
  // Once it is heard the rhythm is as before.
  bench.broker("heard lease=7 beat=3");
  CHECK_FALSE(says(bench.wait(500ms), "broker heartbeat"));
}

TEST_CASE("an answer by a connection that broke does not put off the look for a new broker") {
  Bench bench;
  bench.enroll();
  const std::string beat = beat_of(bench.wait(3s));
  bench.tell(Gone{Door::broker, 0});
  bench.broker("heard lease=7 beat=" + number_of(beat, "beat") + " next_ms=3700");
  CHECK(says(bench.wait(500ms), "broker heartbeat"));
}

TEST_CASE("a probe is answered by a heartbeat at once and a sync by the list") {
  Bench bench;
  bench.enroll();
  CHECK(says(bench.broker("probe lease=7"), "broker heartbeat"));
  CHECK(bench.broker("probe lease=6").empty());
  bench.client(1, bench.open(20));
  CHECK(bench.broker("sync lease=7") ==
        Lines{"broker holding lease=7 reported=1 sessions=[{session=20 service=zip client=ann open=true}]"});
}

TEST_CASE("a heartbeat carries the figures") {
  Bench bench;
  bench.enroll();
  bench.broker("assign lease=7 first=1 sessions=[{session=21 service=zip ttl_ms=5000} {session=22 service=zip ttl_ms=5000}]");
  const std::string line = beat_of(bench.broker("probe lease=7"));
  CHECK(number_of(line, "seen") == "2");
  CHECK(number_of(line, "used") == "2");
  CHECK(number_of(line, "digest") != "0");
}

TEST_CASE("drain and resume are told to the broker at once") {
  Bench bench;
  bench.enroll();
  CHECK(says(bench.broker("drain worker=w"), "broker heartbeat lease=7 beat=1 draining=true"));
  CHECK(bench.broker("drain worker=w").empty());
  // What was granted before is still let in.
  CHECK(says(bench.client(1, bench.open(20)), "began 20"));
  CHECK(says(bench.broker("drain worker=w mode=resume"), "broker heartbeat"));
}

TEST_CASE("stop waits for sessions then leaves") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  CHECK(says(bench.tell(Stop{}), "broker heartbeat"));
  const Lines lines = bench.client(1, "release session=20");
  CHECK(says(lines, "broker report"));
  CHECK(lines.back() == "broker leave lease=7 reason=stopped");
  CHECK(bench.broker("left lease=7") == Lines{"done none"});
}

TEST_CASE("a leave without answer is repeated and then given up") {
  Bench bench;
  bench.enroll();
  bench.tell(Stop{});
  const Lines lines = bench.wait(5s);
  CHECK(says(lines, "broker leave"));
  CHECK(lines.back() == "done none");
}

TEST_CASE("stop now ends sessions and abandons their calls") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  bench.client(1, "call session=20 number=1");
  const Lines lines = bench.tell(Stop{.now = true});
  CHECK(says(lines, "c1 failed session=20 number=1 code=shutting-down"));
  CHECK(says(lines, "abandoned 20/1"));
  CHECK(lines.back() == "broker leave lease=7 reason=stopped");
}

TEST_CASE("a forgotten worker stops") {
  Bench bench;
  bench.enroll();
  CHECK(bench.broker("drain worker=w mode=forget").back() == "done none");
}

TEST_CASE("figures that nobody counts to are not told, for no broker could read them") {
  Bench bench;
  bench.enroll();
  bench.broker("assign lease=7 first=9007199254740991 sessions=[{session=8 service=zip} {session=9 service=zip}]");
  bench.tell(Progressed{~std::uint64_t{0}});
  const std::string beat = beat_of(bench.wait(4s));
  CHECK(number_of(beat, "seen") == "0");
  CHECK(number_of(beat, "progress").size() <= 16);
  CHECK(std::holds_alternative<Message>(from_line(beat.substr(std::string("broker ").size()))));
}

TEST_CASE("a worker that is stopped while it registers anew leaves once that is answered, or after a moment") {
  for (const bool answered : {true, false}) {
    Bench bench;
    bench.enroll();
    CHECK(says(bench.tell(Resize{.slots = 5, .weight = 2}), "broker register"));
    CHECK_FALSE(says(bench.tell(Stop{.now = true}), "done"));
    if (answered) {
      CHECK(says(bench.tell(bench.registered(8)), "broker leave lease=8"));
      CHECK(says(bench.broker("left lease=8"), "done"));
    } else {
      CHECK(says(bench.wait(500ms), "done"));
    }
  }
}

TEST_CASE("a worker with nothing to offer drains, also when its registration was under way") {
  Bench bench;
  bench.tell(Elapsed{});
  CHECK(bench.tell(Resize{.slots = 0}).empty());
  const Lines lines = bench.tell(bench.registered(7));
  CHECK(says(lines, "broker register"));
  CHECK(lines.back().find("draining=true") != std::string::npos);
  bench.tell(bench.registered(8));
  CHECK(bench.tell(Resize{.slots = 0}).empty());
  const Lines again = bench.tell(Resize{.slots = 2, .weight = 1});
  REQUIRE(says(again, "broker register"));
  CHECK(again.back().find("slots=2") != std::string::npos);
  CHECK(again.back().find("draining") == std::string::npos);
}
