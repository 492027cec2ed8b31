// Shows how a client goes from a broker to the one below it, what it keeps above meanwhile, and how it comes back up.
#include "test/unit/clients/core/rig.hpp"

using namespace pointsman;
using namespace pointsman::clients;

namespace {

using Lines = Rig::Lines;
using namespace std::chrono_literals;

std::string leads(const std::string& id, int session, const std::string& endpoint = "tcp://b:1",
                 const std::string& worker = "b") {
  return "granted id=" + id + " session=" + std::to_string(session) + " service=zip worker=" + worker +
         " endpoint=" + endpoint + " direct=broker ticket=b64\"AAAA\" ttl_ms=5000 term_ms=30000";
}

std::string grant(const std::string& id, int session) {
  return "granted id=" + id + " session=" + std::to_string(session) +
         " service=zip worker=w endpoint=tcp://w:1 ticket=b64\"AAAA\" ttl_ms=5000 term_ms=30000";
}

// What is said, each line cut where the fields that matter end.
Lines heads(const Lines& lines) {
  Lines all;
  for (const std::string& line : lines) {
    const auto at = line.find(" service=");
    all.push_back(line.substr(0, at));
  }
  return all;
}

std::string found(const Lines& lines, const std::string& what) {
  for (const auto& line : lines) {
    if (line.find(what) != std::string::npos) return line;
  }
  return {};
}

constexpr std::uint64_t below = limits::brokers + 1;

// Handle 1 asked as `a`, and was sent to the broker below.
struct Down : Rig {
  Down() {
    tell(Acquire{.handle = 1, .id = "a", .service = "zip"});
    said = broker(leads("a", 5));
  }
  Lines said;
};

}  // namespace

TEST_CASE("a pass leads to the broker below, which is asked the same") {
  Down rig;
  REQUIRE(rig.said.size() == 2);
  CHECK(rig.said[0] == "reach 65 tcp://b:1");
  CHECK(heads({rig.said[1]}) == Lines{"broker 65 < request id=a"});
  CHECK(heads(rig.broker(grant("a", 5), below)) ==
        Lines{"acquired 1 session=5 reassigned=0", "connect 1 tcp://w:1"});  // the same number: brokers count apart
}

TEST_CASE("a pass is renewed above and released with its session") {
  Down rig;
  rig.broker(grant("a", 9), below);
  rig.tell(Invoke{.handle = 1, .number = 1, .payload = {Frame("x")}, .limit = 60'000ms});
  rig.link(1, "reply session=9 number=1");
  CHECK(!found(rig.pass(11'000ms), "broker < renew session=5").empty());
  CHECK(rig.broker("renewed session=5 term_ms=30000").empty());
  const Lines end = rig.tell(ReleaseSession{1});
  CHECK(!found(end, "link 1 < release session=9").empty());
  CHECK(!found(end, "broker < release session=5").empty());
  rig.link(1, "released session=9");
  rig.broker("released session=5");
  CHECK(rig.core.idle());
}

TEST_CASE("a pass that is over above changes nothing below") {
  for (const char* what : {"lost session=5", "refused about=renew code=unknown-session session=5"}) {
    CAPTURE(what);
    Down rig;
    rig.broker(grant("a", 9), below);
    CHECK(rig.broker(what).empty());
    CHECK(found(rig.pass(12'000ms), "session=5").empty());
    CHECK(found(rig.tell(ReleaseSession{1}), "session=5").empty());
  }
}

TEST_CASE("a broker below that refuses is passed over, and the pass given for another") {
  Down rig;
  const Lines again = rig.broker("refused about=request code=queue-full id=a", below);
  REQUIRE(again.size() == 1);
  CHECK(again[0].starts_with("broker < request id=a.1"));
  CHECK(!found(again, "failed=5").empty());
  CHECK(!found(again, "exclude=[b]").empty());
  const Lines other = rig.broker(leads("a.1", 6, "tcp://c:1", "c"));
  CHECK(other[0] == "reach 66 tcp://c:1");
  CHECK(found(other, "exclude").empty());  // names above are not names below
  CHECK(heads(rig.broker(grant("a.1", 9), below + 1))[0] == "acquired 1 session=9 reassigned=0");
}

TEST_CASE("a broker below that is silent or lost costs one retry, and what it says later is given back") {
  for (const bool lost : {false, true}) {
    CAPTURE(lost);
    Down rig;
    Lines said;
    if (lost) {
      said = rig.tell(Gone{Door::broker, below});
    } else {
      said = rig.pass(3000ms);
    }
    CHECK(!found(said, "broker 65 < cancel id=a").empty());
    CHECK(!found(said, "broker < request id=a.1").empty());
    CHECK(!found(rig.broker(grant("a", 9), below), "broker 65 < release session=9").empty());
  }
}

TEST_CASE("a refusal that no other broker would take back is the answer, and the pass is released") {
  Down rig;
  const Lines said = rig.broker("refused about=request code=bad-condition id=a", below);
  CHECK(!found(said, "broker < release session=5").empty());
  CHECK(!found(said, "not_acquired 1 bad-condition").empty());
}

TEST_CASE("a worker that dies is replaced by its own broker, under the same pass") {
  Down rig;
  rig.broker(grant("a", 9), below);
  const Lines said = rig.broker("lost session=9 reason=gone", below);
  CHECK(!found(said, "broker 65 < request id=a.1").empty());
  CHECK(found(said, "session=5").empty());
}

TEST_CASE("brokers that lead in a circle, or too deep, are left with the code loop") {
  Down rig;
  rig.broker(leads("a", 6, "tcp://a:1", "a"), below);  // to the third broker
  SUBCASE("a circle") {
    const Lines said = rig.broker(leads("a", 7, "tcp://b:1"), below + 1);
    CHECK(!found(said, "not_acquired 1 loop").empty());
    for (const char* session : {"session=5", "session=6", "session=7"}) CHECK(!found(said, session).empty());
  }
  SUBCASE("too deep") {
    rig.broker(leads("a", 7, "tcp://d:1"), below + 1);  // to the fourth
    CHECK(!found(rig.broker(leads("a", 8, "tcp://e:1"), below + 2), "not_acquired 1 loop").empty());
  }
}

TEST_CASE("the connection to a broker below is kept for a while, and used again") {
  Down rig;
  rig.broker("refused about=request code=bad-condition id=a", below);
  rig.broker("released session=5");
  rig.tell(Acquire{.handle = 2, .id = "b", .service = "zip"});
  CHECK(found(rig.broker(leads("b", 6)), "reach").empty());
  rig.tell(ReleaseSession{2});
  CHECK(!found(rig.pass(120'000ms), "leave 65").empty());
}
