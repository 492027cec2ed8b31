// Shows how a client gets a session, whatever the broker does.
#include "test/unit/clients/core/rig.hpp"

using namespace pointsman;
using namespace pointsman::clients;

namespace {

using Lines = Rig::Lines;
using namespace std::chrono_literals;

const Acquire acquire{.handle = 1, .id = "a", .service = "zip"};

// The ids of the requests among the lines.
std::vector<std::string> ids(const Lines& lines) {
  std::vector<std::string> found;
  for (const auto& line : lines) {
    const auto at = line.find("request id=");
    if (at == std::string::npos) continue;
    found.push_back(line.substr(at + 11, line.find(' ', at + 11) - at - 11));
  }
  return found;
}

bool says(const Lines& lines, const std::string& what) {
  for (const auto& line : lines) {
    if (line.find(what) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a granted request connects to the worker") {
  Rig rig;
  CHECK(rig.tell(acquire) == Lines{"broker < request id=a service=zip client=ann updates=true"});
  CHECK(rig.broker(rig.grant) == Lines{"acquired 1 session=7 reassigned=0", "connect 1 tcp://w:1"});
}

TEST_CASE("a silent broker is asked again with the wait that is left and at last with a new connection") {
  Rig rig;
  rig.tell(acquire);
  auto lines = rig.wait();
  CHECK(rig.elapsed() >= 400ms);
  CHECK(rig.elapsed() <= 600ms);
  REQUIRE(ids(lines) == Lines{"a"});
  CHECK(says(lines, "wait_ms=4"));
  lines = rig.wait();
  CHECK(ids(lines) == Lines{"a"});
  lines = rig.wait();
  CHECK(rig.elapsed() >= 1500ms);
  CHECK(says(lines, "reconnect"));
  CHECK(ids(lines) == Lines{"a"});
}

TEST_CASE("a broker that never answers is unreachable after patience") {
  Rig rig;
  rig.tell(Acquire{.handle = 1, .id = "a", .service = "zip", .wait = 60000ms});
  const auto lines = rig.pass(5000ms);
  CHECK(lines.back() == "not_acquired 1 unreachable");
  CHECK(says(lines, "broker < cancel id=a"));
  CHECK(rig.elapsed() == 5000ms);
  rig.pass(30000ms);
  CHECK(rig.core.idle());
}

TEST_CASE("a lost grant is asked for again with the same id") {
  Rig rig;
  rig.tell(acquire);
  CHECK(ids(rig.wait()) == Lines{"a"});
  CHECK(says(rig.broker(rig.grant), "acquired 1 session=7"));
  CHECK(rig.broker(rig.grant) == Lines{});
}

TEST_CASE("a request that waits tells its position and holds on as long as it said") {
  Rig rig;
  rig.tell(Acquire{.handle = 1, .id = "a", .service = "zip", .wait = 20000ms});
  CHECK(rig.broker("queued id=a position=3") == Lines{"waiting 1 position=3"});
  CHECK(rig.broker("queued id=a position=3") == Lines{});
  CHECK(rig.broker("queued id=a position=2") == Lines{"waiting 1 position=2"});
  CHECK_FALSE(says(rig.pass(21000ms), "not_acquired"));
  CHECK(says(rig.pass(2000ms), "not_acquired 1 unreachable"));
}

TEST_CASE("a broker that answers but grants nothing within the wait and the margin ends in timed-out") {
  Rig rig;
  rig.tell(acquire);
  for (int second = 0; second < 6; ++second) {
    rig.broker("queued id=a position=1");
    rig.pass(1000ms);
  }
  rig.broker("queued id=a position=1");
  CHECK(says(rig.pass(1000ms), "not_acquired 1 timed-out"));
}

TEST_CASE("a refusal is told at once") {
  Rig rig;
  rig.tell(acquire);
  CHECK(rig.broker("refused about=request code=unknown-service id=a") ==
        Lines{"not_acquired 1 unknown-service"});
  CHECK(rig.core.idle());
}

TEST_CASE("a full queue is asked again no sooner than it hints while the wait lasts") {
  Rig rig;
  rig.tell(acquire);
  CHECK(rig.broker("refused about=request code=queue-full id=a retry_ms=1000") == Lines{});
  CHECK(ids(rig.wait()) == Lines{"a"});
  CHECK(rig.elapsed() >= 1000ms);
  rig.broker("refused about=request code=queue-full id=a retry_ms=4000");
  CHECK(rig.core.idle());
}

TEST_CASE("a request whose session is over already is asked under a new id") {
  Rig rig;
  rig.tell(acquire);
  CHECK(ids(rig.broker("refused about=request code=ended id=a")) == Lines{"a.1"});
  CHECK(
      says(rig.broker("granted id=a.1 session=8 service=zip worker=w endpoint=tcp://w:1 ticket=b64\"AAAA\""),
           "acquired 1 session=8"));
}

TEST_CASE("a broker that always says ended is left in the end") {
  Rig rig;
  rig.tell(acquire);
  int asked = 1;
  for (Lines lines; asked < 100; ++asked) {
    const std::string id = asked == 1 ? "a" : "a." + std::to_string(asked - 1);
    lines = rig.broker("refused about=request code=ended id=" + id);
    if (says(lines, "not_acquired 1 ended")) break;
  }
  CHECK(asked == 17);
}

TEST_CASE("a cancelled request is taken back until the broker has heard") {
  Rig rig;
  rig.tell(acquire);
  CHECK(rig.tell(CancelAcquire{1}) == Lines{"broker < cancel id=a client=ann", "not_acquired 1 cancelled"});
  CHECK(says(rig.wait(), "cancel id=a"));
  CHECK(rig.broker("cancelled id=a") == Lines{});
  CHECK(rig.core.idle());
}

TEST_CASE("a grant that comes after the request was given up is released") {
  Rig rig;
  CHECK(rig.broker(rig.grant) == Lines{"broker < release session=7 client=ann"});
  CHECK(rig.broker("released session=7") == Lines{});
  CHECK(rig.core.idle());
}

TEST_CASE("a second session for one request is released and the first kept") {
  Rig rig;
  rig.hold();
  CHECK(rig.broker("granted id=a session=9 service=zip worker=x endpoint=tcp://x:1 ticket=b64\"AAAA\"") ==
        Lines{"broker < release session=9 client=ann"});
  CHECK(rig.tell(ReleaseSession{1}) == Lines{"broker < release session=7 client=ann", "ended 1 released"});
}

TEST_CASE("a lost connection is replaced and the request repeated soon") {
  Rig rig;
  rig.tell(acquire);
  rig.broker("queued id=a position=1");
  CHECK(rig.tell(Gone{Door::broker, 0}) == Lines{"reconnect"});
  CHECK(ids(rig.wait(600ms)) == Lines{"a"});
}

TEST_CASE("a request that waited when its broker was lost is repeated until the new one answers") {
  Rig rig;
  rig.tell(acquire);
  rig.broker("queued id=a position=1");
  rig.tell(Gone{Door::broker, 0});
  CHECK(ids(rig.wait(600ms)) == Lines{"a"});
  CHECK(ids(rig.wait(700ms)) == Lines{"a"});
  CHECK(ids(rig.wait(1300ms)) == Lines{"a"});
}

TEST_CASE("a client that is not let in fails at once what it asked and what waits, keeps what it holds, and tries anew") {
  Rig rig;
  rig.hold();
  rig.tell(Acquire{.handle = 2, .id = "b", .service = "zip", .wait = 60000ms});
  rig.tell(Acquire{.handle = 3, .id = "c", .service = "zip", .wait = 60000ms});
  rig.broker("queued id=c position=1");
  rig.tell(Ask{9, Hello{}});
  CHECK(rig.tell(Barred{"no key", "get one"}) ==
        Lines{"not_acquired 2 unreachable", "not_acquired 3 unreachable",
              "answer 9 refused about=hello code=unreachable reason=\"no key\" remedy=\"get one\""});
  CHECK_FALSE(says(rig.pass(2000ms), "ended 1"));
  const auto lines = rig.tell(Ask{10, Hello{}});
  CHECK(lines == Lines{"reconnect", "broker < hello"});
  CHECK(rig.broker("welcome epoch=4") == Lines{"answer 10 welcome epoch=4"});
  CHECK(rig.tell(Ask{11, Hello{}}) == Lines{"broker < hello"});
}

TEST_CASE("more sessions than the bound are refused without asking") {
  Rig rig({.name = "ann", .sessions_max = 1});
  rig.tell(acquire);
  CHECK(rig.tell(Acquire{.handle = 2, .id = "b", .service = "zip"}) == Lines{"not_acquired 2 limit-reached"});
}
