// Shows that every call has exactly one end, and no part twice.
#include "test/unit/clients/core/rig.hpp"

using namespace pointsman;
using namespace pointsman::clients;

namespace {

using Lines = Rig::Lines;
using namespace std::chrono_literals;

bool says(const Lines& lines, const std::string& what) {
  for (const auto& line : lines) {
    if (line.find(what) != std::string::npos) return true;
  }
  return false;
}

const std::string grant_again =
    "granted id=a.1 session=8 service=zip worker=x endpoint=tcp://x:1 ticket=b64\"AAAB\" ttl_ms=5000 "
    "term_ms=30000";

Invoke call(std::uint64_t number) {
  return {.handle = 1, .number = number, .payload = {"hi"}};
}

}  // namespace

TEST_CASE("the first call carries the ticket, later ones do not") {
  Rig rig;
  rig.hold();
  CHECK(rig.tell(call(1)) ==
        Lines{"link 1 < call session=7 number=1 ticket=b64\"AAAA\" client=ann limit_ms=30000 | hi"});
  CHECK(rig.tell(call(2)) == Lines{});  // until the worker is known to take the session
  CHECK(rig.link(1, "reply session=7 number=1 | ho") ==
        Lines{"part 1.1 last ho", "link 1 < call session=7 number=2 limit_ms=30000 | hi"});
  CHECK(rig.tell(call(3)) == Lines{"link 1 < call session=7 number=3 limit_ms=30000 | hi"});
  CHECK(rig.link(1, "reply session=7 number=3 | ha") == Lines{"part 1.3 last ha"});
  CHECK(rig.link(1, "reply session=7 number=2") == Lines{"part 1.2 last"});
}

TEST_CASE("times beyond all reason are cut to a day") {
  Rig rig;
  CHECK(says(rig.tell(Acquire{.handle = 1, .id = "a", .service = "zip", .wait = Milliseconds::max(), .term = Milliseconds::min()}),
             "wait_ms=86400000"));
  rig.broker(rig.grant);
  CHECK(says(rig.tell(Invoke{.handle = 1, .number = 1, .limit = Milliseconds::max()}), "limit_ms=86400000"));
  CHECK(says(rig.tell(Invoke{.handle = 1, .number = 2, .limit = Milliseconds::min()}), "failed 1.2 timed-out"));
}

TEST_CASE("calls before the grant wait for it") {
  Rig rig;
  rig.tell(Acquire{.handle = 1, .id = "a", .service = "zip"});
  CHECK(rig.tell(call(1)) == Lines{});
  CHECK(says(rig.broker(rig.grant), "call session=7 number=1"));
}

TEST_CASE("calls wait for a request that fails and fail with it") {
  Rig rig;
  rig.tell(Acquire{.handle = 1, .id = "a", .service = "zip"});
  rig.tell(call(1));
  CHECK(rig.broker("refused about=request code=no-worker id=a") ==
        Lines{"failed 1.1 no-worker", "not_acquired 1 no-worker"});
}

TEST_CASE("parts are told in order and once") {
  Rig rig;
  rig.hold();
  rig.tell(call(1));
  CHECK(rig.link(1, "reply session=7 number=1 more=true | a") == Lines{"part 1.1 more a"});
  CHECK(rig.link(1, "reply session=7 number=1 more=true | a") == Lines{});
  CHECK(rig.link(1, "reply session=7 number=1 part=1 | b") == Lines{"part 1.1 last b"});
  CHECK(rig.link(1, "reply session=7 number=1 part=1 | b") == Lines{});
  CHECK(rig.link(1, "failed session=7 number=1 reason=late") == Lines{});
}

TEST_CASE("an answer with a part missing fails") {
  Rig rig;
  rig.hold();
  rig.tell(call(1));
  rig.link(1, "reply session=7 number=1 more=true | a");
  CHECK(rig.link(1, "reply session=7 number=1 part=2 | c") ==
        Lines{"link 1 < abandon session=7 number=1", "failed 1.1 failed"});
}

TEST_CASE("work that failed is told and the session goes on") {
  Rig rig;
  rig.hold();
  rig.tell(call(1));
  CHECK(rig.link(1, "failed session=7 number=1 code=failed reason=boom exit=3") ==
        Lines{"failed 1.1 failed"});
  CHECK(says(rig.tell(call(2)), "call session=7 number=2"));
}

TEST_CASE("a call that the worker refuses fails with its code") {
  Rig rig;
  rig.hold();
  rig.tell(call(1));
  CHECK(rig.link(1, "refused about=call code=limit-reached session=7 number=1") ==
        Lines{"failed 1.1 limit-reached"});
}

TEST_CASE("a worker whose queue for the session is full gets the call again later") {
  Rig rig;
  rig.hold();
  rig.tell(call(1));
  rig.link(1, "opened session=7");
  rig.tell(call(2));
  CHECK(rig.link(1, "refused about=call code=busy session=7 number=2") == Lines{});
  CHECK(says(rig.wait(500ms), "link 1 < call session=7 number=2"));
}

TEST_CASE("no more calls than the window are on their way") {
  Rig rig({.name = "ann", .window = 2});
  rig.hold();
  rig.tell(call(1));
  rig.link(1, "reply session=7 number=1");
  CHECK(rig.tell(call(2)).size() == 1);
  CHECK(rig.tell(call(3)).size() == 1);
  CHECK(rig.tell(call(4)).empty());
  CHECK(says(rig.link(1, "reply session=7 number=2"), "call session=7 number=4"));
}

TEST_CASE("bounds of calls are named when they are reached") {
  Rig rig({.name = "ann", .calls_max = 1});
  rig.hold();
  rig.tell(call(1));
  CHECK(rig.tell(call(2)) == Lines{"failed 1.2 limit-reached"});

  Rig bytes({.name = "ann", .payload_max = 3});
  bytes.hold();
  bytes.tell(call(1));
  CHECK(bytes.tell(call(2)) == Lines{"failed 1.2 limit-reached"});
  bytes.link(1, "reply session=7 number=1");
  CHECK(says(bytes.tell(call(3)), "call session=7 number=3"));

  Rig frames;
  frames.hold();
  CHECK(frames.tell(Invoke{.handle = 1, .number = 1, .payload = Payload(65)}) ==
        Lines{"failed 1.1 limit-reached"});
  CHECK(frames.tell(Invoke{.handle = 9, .number = 1}) == Lines{"failed 9.1 unknown-session"});
}

TEST_CASE("a call ends with its limit even while the worker lives") {
  Rig rig;
  rig.hold();
  rig.tell(Invoke{.handle = 1, .number = 1, .limit = 2500ms});
  CHECK(rig.wait() == Lines{"link 1 < open ticket=b64\"AAAA\" client=ann"});
  rig.link(1, "opened session=7 term_ms=30000");
  CHECK(rig.wait() == Lines{"link 1 < renew session=7 client=ann"});
  rig.link(1, "renewed session=7");
  CHECK(rig.wait() == Lines{"link 1 < abandon session=7 number=1", "failed 1.1 timed-out"});
  CHECK(rig.elapsed() == 2500ms);
}

TEST_CASE("an abandoned call fails at once and its answer is ignored") {
  Rig rig;
  rig.hold();
  rig.tell(call(1));
  CHECK(rig.tell(AbandonCall{1, 1}) == Lines{"link 1 < abandon session=7 number=1", "failed 1.1 cancelled"});
  CHECK(rig.tell(AbandonCall{1, 1}) == Lines{});
  CHECK(rig.link(1, "reply session=7 number=1 | ho") == Lines{});
}

TEST_CASE("a worker that dies in mid-call is replaced and the call sent again") {
  Rig rig;
  rig.hold();
  rig.tell(call(1));
  rig.link(1, "opened session=7 term_ms=30000");
  const auto lines = rig.pass(4000ms);
  CHECK(says(lines, "link 1 < renew session=7"));
  CHECK(lines.back() == "broker < request id=a.1 service=zip client=ann failed=7 updates=true");
  CHECK(says(rig.broker(grant_again), "link 2 < call session=8 number=1 ticket=b64\"AAAB\""));
  CHECK(rig.link(1, "reply session=7 number=1 | old") == Lines{});
  CHECK(rig.link(2, "reply session=8 number=1 | new") == Lines{"part 1.1 last new"});
}

TEST_CASE("a call of which a part was delivered is not sent again") {
  Rig rig;
  rig.hold();
  rig.tell(call(1));
  rig.tell(call(2));
  rig.link(1, "reply session=7 number=1 more=true | a");
  const auto lines = rig.pass(4000ms);
  CHECK(says(lines, "failed 1.1 unreachable"));
  CHECK(says(lines, "request id=a.1"));
  CHECK(says(rig.broker(grant_again), "call session=8 number=2"));
}

TEST_CASE("without reassignment a call runs at most once") {
  Rig rig;
  rig.hold({.handle = 1, .id = "a", .service = "zip", .reassign = 0});
  rig.tell(call(1));
  const auto lines = rig.pass(4000ms);
  CHECK(says(lines, "broker < release session=7"));
  CHECK(says(lines, "failed 1.1 unreachable"));
  CHECK(says(lines, "ended 1 lost"));
}

TEST_CASE("a call on a connection that broke is sent again under its number, for the worker knows it") {
  Rig rig;
  rig.hold({.handle = 1, .id = "a", .service = "zip", .reassign = 0});
  rig.tell(call(1));
  rig.link(1, "reply session=7 number=1 more=true | a");
  rig.tell(call(2));
  CHECK(rig.tell(Gone{Door::direct, 1}).back() == "link 2 < open ticket=b64\"AAAA\" client=ann");
  const auto lines = rig.link(2, "opened session=7");
  CHECK(says(lines, "call session=7 number=1"));
  CHECK(says(lines, "call session=7 number=2"));
  CHECK(rig.link(2, "reply session=7 number=1 part=1 | b") == Lines{"part 1.1 last b"});
  CHECK(rig.link(2, "refused about=call code=ended session=7 number=2") == Lines{"failed 1.2 unreachable"});
}

TEST_CASE("a connection that came back without notice shows the ticket again") {
  Rig rig;
  rig.hold();
  rig.tell(call(1));
  rig.link(1, "opened session=7");
  CHECK(rig.wait() == Lines{"link 1 < renew session=7 client=ann"});
  CHECK(rig.link(1, "refused about=renew code=not-yours session=7") ==
        Lines{"link 1 < open ticket=b64\"AAAA\" client=ann"});
  CHECK(rig.link(1, "refused about=call code=not-yours session=7 number=1") == Lines{});  // the same news
}

TEST_CASE("a worker that stops hands its calls back") {
  for (const std::string code : {"shutting-down", "ended", "cancelled"}) {
    Rig rig;
    rig.hold();
    rig.tell(call(1));
    rig.tell(call(2));
    const auto lines = rig.link(1, "failed session=7 number=1 code=" + code);
    CHECK(says(lines, "request id=a.1"));
    CHECK(rig.link(1, "failed session=7 number=2 code=" + code) == Lines{});
    CHECK(says(rig.broker(grant_again), "call session=8 number=1"));
  }
}

TEST_CASE("a refusal shows that a call did not run, unless an earlier message may have been let in") {
  const Acquire once{.handle = 1, .id = "a", .service = "zip", .reassign = 0};
  Rig first;
  first.hold(once);
  first.tell(call(1));
  CHECK(says(first.link(1, "refused about=call code=used-ticket session=7 number=1"), "request id=a.1"));

  Rig later;
  later.hold(once);
  later.tell(call(1));
  later.wait();  // a pulse
  CHECK(says(later.link(1, "refused about=open code=used-ticket session=7"), "ended 1 lost"));
}

TEST_CASE("a slow worker that gives signs of life is not replaced") {
  Rig rig;
  rig.hold();
  rig.tell(Invoke{.handle = 1, .number = 1, .payload = {"hi"}, .limit = 3'600'000ms});
  rig.link(1, "opened session=7 term_ms=30000");
  for (int i = 0; i < 100; ++i) {
    CHECK(rig.wait() == Lines{"link 1 < renew session=7 client=ann"});
    rig.link(1, "renewed session=7 term_ms=30000");
  }
  CHECK(rig.link(1, "reply session=7 number=1 | ho") == Lines{"part 1.1 last ho"});
}
