// Shows how a client keeps a session, replaces its worker and releases it.
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

}  // namespace

TEST_CASE("a session without calls is opened when half of its ticket has passed, then renewed") {
  Rig rig;
  rig.hold();
  CHECK(rig.wait() == Lines{"link 1 < open ticket=b64\"AAAA\" client=ann"});
  CHECK(rig.elapsed() == 2500ms);
  rig.link(1, "opened session=7 term_ms=30000");
  CHECK(rig.wait() == Lines{"link 1 < renew session=7 client=ann"});
  CHECK(rig.elapsed() == 12500ms);
}

TEST_CASE("a worker that dies before it was opened is replaced") {
  Rig rig;
  rig.hold();
  const auto lines = rig.pass(5500ms);
  CHECK(says(lines, "disconnect 1"));
  CHECK(lines.back() == "broker < request id=a.1 service=zip client=ann failed=7 updates=true");
  CHECK(rig.broker(grant_again) == Lines{"acquired 1 session=8 reassigned=1", "connect 2 tcp://x:1"});
}

TEST_CASE("a worker that dies while nothing is asked of it is replaced, as often as was said") {
  Rig rig;
  rig.hold({.handle = 1, .id = "a", .service = "zip", .reassign = 1});
  rig.pass(2500ms);
  rig.link(1, "opened session=7 term_ms=3000");
  CHECK(says(rig.pass(5000ms), "request id=a.1"));
  rig.broker(grant_again);
  rig.pass(2500ms);
  rig.link(2, "opened session=8 term_ms=3000");
  const auto lines = rig.pass(6000ms);
  CHECK(says(lines, "broker < release session=8 client=ann"));
  CHECK(says(lines, "ended 1 lost"));
}

TEST_CASE("a busy worker is left for another at no cost") {
  Rig rig;
  rig.hold({.handle = 1, .id = "a", .service = "zip", .reassign = 0});
  CHECK(says(rig.tell(Invoke{.handle = 1, .number = 1, .payload = {"hi"}}), "call session=7"));
  CHECK(rig.link(1, "refused about=call code=busy session=7 number=1") ==
        Lines{"broker < request id=a.1 service=zip client=ann failed=7 updates=true"});
  CHECK(rig.broker(grant_again) ==
        Lines{"acquired 1 session=8 reassigned=1", "connect 2 tcp://x:1",
              "link 2 < call session=8 number=1 ticket=b64\"AAAB\" client=ann limit_ms=30000 | hi"});
  CHECK(rig.link(2, "reply session=8 number=1 | ho") == Lines{"part 1.1 last ho"});
}

TEST_CASE("every refusal of a ticket leads to another worker") {
  for (const std::string code :
       {"unknown-session", "expired-ticket", "used-ticket", "bad-ticket", "draining"}) {
    Rig rig;
    rig.hold();
    rig.tell(Invoke{.handle = 1, .number = 1});
    CHECK(says(rig.link(1, "refused about=call code=" + code + " session=7 number=1"), "failed=7"));
  }
}

TEST_CASE("workers that all refuse are left in the end") {
  Rig rig({.name = "ann", .renewals_max = 2});
  rig.hold();
  rig.pass(2500ms);
  CHECK(says(rig.link(1, "refused about=open code=busy session=7"), "request id=a.1"));
  rig.broker(grant_again);
  rig.pass(2500ms);
  CHECK(says(rig.link(2, "refused about=open code=busy session=8"), "request id=a.2"));
  rig.broker(
      "granted id=a.2 session=9 service=zip worker=w endpoint=tcp://w:1 ticket=b64\"AAAC\" ttl_ms=5000");
  rig.pass(2500ms);
  CHECK(says(rig.link(1, "refused about=open code=busy session=9"), "ended 1 lost"));
}

TEST_CASE("without another worker the session ends") {
  Rig rig;
  rig.hold();
  rig.tell(Invoke{.handle = 1, .number = 1});
  rig.pass(4000ms);
  CHECK(rig.broker("refused about=request code=unknown-service id=a.1") ==
        Lines{"failed 1.1 unknown-service", "ended 1 lost"});
}

TEST_CASE("a session that was used is released at its worker, then at the broker") {
  Rig rig;
  rig.hold();
  rig.pass(2500ms);
  rig.link(1, "opened session=7");
  CHECK(rig.tell(ReleaseSession{1}) == Lines{"link 1 < release session=7 client=ann", "ended 1 released"});
  CHECK(rig.wait() == Lines{"link 1 < release session=7 client=ann"});
  CHECK(says(rig.wait(), "broker < release session=7 client=ann"));
  CHECK(rig.broker("released session=7") == Lines{});
  CHECK(rig.core.idle());
}

TEST_CASE("a release that the worker does not take from this connection goes to the broker") {
  Rig rig;
  rig.hold();
  rig.pass(2500ms);
  rig.link(1, "opened session=7");
  rig.tell(ReleaseSession{1});
  CHECK(says(rig.link(1, "refused about=release code=not-yours session=7"),
             "broker < release session=7 client=ann"));
}

TEST_CASE("a session that nobody used is released at the broker") {
  Rig rig;
  rig.hold();
  CHECK(rig.tell(ReleaseSession{1}) == Lines{"broker < release session=7 client=ann", "ended 1 released"});
  CHECK(rig.tell(ReleaseSession{1}) == Lines{});
}

TEST_CASE("a released session's answers and refusals are ignored") {
  Rig rig;
  rig.hold();
  rig.tell(Invoke{.handle = 1, .number = 1});
  const auto lines = rig.tell(ReleaseSession{1});
  CHECK(says(lines, "failed 1.1 cancelled"));
  CHECK(rig.link(1, "reply session=7 number=1 | late") == Lines{});
  CHECK(rig.link(1, "refused about=release code=unknown-session session=7") == Lines{});
  CHECK(rig.core.idle());
}

TEST_CASE("the broker's word that a worker is gone is not believed while its link answers") {
  Rig rig;
  rig.hold();
  rig.pass(2500ms);
  rig.link(1, "opened session=7 term_ms=30000");
  CHECK(rig.broker("lost session=7 id=a") == Lines{"link 1 < renew session=7 client=ann"});
  rig.link(1, "renewed session=7 term_ms=30000");
  CHECK(rig.pass(5000ms) == Lines{});
}

TEST_CASE("the broker's word that a worker is gone speeds up its replacement") {
  Rig rig;
  rig.hold();
  CHECK(says(rig.broker("lost session=7 id=a"), "request id=a.1"));  // nothing was sent to it

  Rig used;
  used.hold();
  used.pass(2500ms);
  used.link(1, "opened session=7 term_ms=30000");
  used.broker("lost session=7 id=a");
  CHECK(says(used.pass(1000ms), "request id=a.1"));
}

TEST_CASE("a broken connection gets one more chance on a new link") {
  Rig rig;
  rig.hold();
  rig.tell(Invoke{.handle = 1, .number = 1, .payload = {"hi"}});
  CHECK(rig.tell(Gone{Door::direct, 1}) ==
        Lines{"disconnect 1", "connect 2 tcp://w:1", "link 2 < open ticket=b64\"AAAA\" client=ann"});
  CHECK(rig.link(1, "reply session=7 number=1 | late") == Lines{});
  CHECK(says(rig.link(2, "opened session=7"), "call session=7 number=1"));
  CHECK(rig.link(2, "reply session=7 number=1 | ho") == Lines{"part 1.1 last ho"});
}

TEST_CASE("links are shared, kept and closed beyond the bound, longest unused first") {
  Rig rig({.name = "ann", .links_max = 2});
  const auto hold = [&](std::uint64_t handle, const std::string& endpoint) {
    const std::string id = "i" + std::to_string(handle);
    rig.tell(Acquire{.handle = handle, .id = id, .service = "zip"});
    return rig.broker("granted id=" + id + " session=" + std::to_string(100 + handle) +
                      " service=zip worker=w endpoint=" + endpoint + " ticket=b64\"AAAA\"");
  };
  const auto release = [&](std::uint64_t handle) {
    auto lines = rig.tell(ReleaseSession{handle});
    rig.broker("released session=" + std::to_string(100 + handle));
    return lines;
  };
  CHECK(says(hold(1, "tcp://a:1"), "connect 1"));
  CHECK_FALSE(says(hold(2, "tcp://a:1"), "connect"));
  release(1);
  release(2);
  CHECK(rig.core.links() == 1);
  CHECK_FALSE(says(hold(3, "tcp://a:1"), "connect"));
  hold(4, "tcp://b:1");
  CHECK(says(hold(5, "tcp://c:1"), "connect 3"));
  CHECK(rig.core.links() == 3);  // all in use
  CHECK(says(release(3), "disconnect 1"));
  CHECK_FALSE(says(release(4), "disconnect"));
  CHECK_FALSE(says(release(5), "disconnect"));
  CHECK(says(hold(6, "tcp://d:1"), "disconnect 2"));
  release(6);
  const auto lines = rig.pass(60'000ms);
  CHECK(says(lines, "disconnect 3"));
  CHECK(says(lines, "disconnect 4"));
  CHECK(rig.core.links() == 0);
}

TEST_CASE("a session apart is renewed and released through the broker and has no link") {
  Rig rig;
  rig.tell(Acquire{.handle = 1, .id = "a", .service = "zip", .apart = true});
  CHECK(rig.broker(rig.grant) == Lines{"acquired 1 session=7 reassigned=0"});
  CHECK(rig.tell(Invoke{.handle = 1, .number = 1}) == Lines{"failed 1.1 bad-endpoint"});
  CHECK(rig.wait() == Lines{"broker < renew session=7 client=ann"});
  CHECK(rig.elapsed() == 10'000ms);
  CHECK(rig.broker("renewed session=7 term_ms=30000") == Lines{});
  CHECK(rig.pass(9000ms) == Lines{});
  CHECK(rig.tell(ReleaseSession{1}) == Lines{"broker < release session=7 client=ann", "ended 1 released"});
}

TEST_CASE("a server of its own is lost when the broker says so, or never renews it") {
  Rig rig;
  const std::string own = rig.grant + " direct=own";
  rig.tell(Acquire{.handle = 1, .id = "a", .service = "zip"});
  rig.broker("granted id=a session=7 service=zip worker=w endpoint=http://w:1 direct=own ticket=b64\"AAAA\"");
  CHECK(rig.broker("lost session=7 id=a") == Lines{"ended 1 lost"});

  rig.tell(Acquire{.handle = 2, .id = "b", .service = "zip"});
  rig.broker("granted id=b session=8 service=zip worker=w endpoint=http://w:1 direct=own ticket=b64\"AAAA\"");
  CHECK(says(rig.pass(36'000ms), "ended 2 expired"));
}

TEST_CASE("a renewal changes the term at the worker") {
  Rig rig;
  rig.hold();
  CHECK(rig.tell(RenewSession{1, 60'000ms}) == Lines{"link 1 < open ticket=b64\"AAAA\" client=ann",
                                                     "link 1 < renew session=7 client=ann term_ms=60000"});
  rig.link(1, "opened session=7 term_ms=30000");
  rig.link(1, "renewed session=7 term_ms=60000");
  CHECK(rig.wait() == Lines{"link 1 < renew session=7 client=ann term_ms=60000"});
  CHECK(rig.elapsed() == 20'000ms);
}

TEST_CASE("closing ends everything and says so") {
  Rig rig;
  rig.hold();
  rig.tell(Invoke{.handle = 1, .number = 1});
  rig.tell(Acquire{.handle = 2, .id = "b", .service = "zip"});
  rig.tell(Ask{5, Status{}});
  const auto lines = rig.tell(Close{});
  CHECK(says(lines, "failed 1.1 cancelled"));
  CHECK(says(lines, "ended 1 released"));
  CHECK(says(lines, "not_acquired 2 cancelled"));
  CHECK(says(lines, "answer 5 refused"));
  CHECK_FALSE(rig.core.idle());
  rig.link(1, "released session=7");
  rig.broker("cancelled id=b");
  CHECK(rig.core.idle());
}
