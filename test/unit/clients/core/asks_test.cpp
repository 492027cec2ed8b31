// Shows that every question gets its own answer, or is told that there is none.
#include "test/unit/clients/core/rig.hpp"

using namespace pointsman;
using namespace pointsman::clients;

namespace {

using Lines = Rig::Lines;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("a question gets its answer") {
  Rig rig;
  CHECK(rig.tell(Ask{1, Hello{}}) == Lines{"broker < hello"});
  CHECK(rig.broker("welcome epoch=4") == Lines{"answer 1 welcome epoch=4"});
  CHECK(rig.broker("welcome epoch=4") == Lines{});
  CHECK(rig.core.idle());
}

TEST_CASE("a refusal is an answer") {
  Rig rig;
  rig.tell(Ask{1, Drain{.worker = "w"}});
  CHECK(rig.broker("refused about=drain code=unknown-worker") ==
        Lines{"answer 1 refused about=drain code=unknown-worker"});
}

TEST_CASE("a question that nobody was there for is asked when somebody is, and the next one at once") {
  Rig rig;
  rig.tell(BrokersAre{{}});
  CHECK(rig.tell(Ask{1, Hello{}}) == Lines{});
  CHECK(rig.pass(900ms) == Lines{});
  CHECK(rig.tell(BrokersAre{{5}}) == Lines{"broker 5 < hello"});
  CHECK(rig.broker("welcome epoch=4", 5) == Lines{"answer 1 welcome epoch=4"});
  CHECK(rig.tell(Ask{2, Hello{}}) == Lines{"broker 5 < hello"});
  CHECK(rig.tell(BrokersAre{{6}}) == Lines{});
}

TEST_CASE("questions of one kind take turns, of different kinds do not") {
  Rig rig;
  CHECK(rig.tell(Ask{1, List{.of = Subject::workers}}) == Lines{"broker < list of=workers"});
  CHECK(rig.tell(Ask{2, List{.of = Subject::services}}) == Lines{});
  CHECK(rig.tell(Ask{3, Status{}}) == Lines{"broker < status"});
  CHECK(rig.broker("listing of=workers") ==
        Lines{"answer 1 listing of=workers", "broker < list of=services"});
  CHECK(rig.broker("stats") == Lines{"answer 3 stats"});
  CHECK(rig.broker("listing of=workers") == Lines{});
  CHECK(rig.broker("listing of=services") == Lines{"answer 2 listing of=services"});
  CHECK(rig.core.idle());
}

TEST_CASE("questions with names of their own are matched by them") {
  Rig rig;
  rig.tell(Ask{1, Release{.session = 5}});
  rig.tell(Ask{2, Release{.session = 6}});
  CHECK(rig.broker("refused about=release code=unknown-session session=6") ==
        Lines{"answer 2 refused about=release code=unknown-session session=6"});
  CHECK(rig.broker("released session=5") == Lines{"answer 1 released session=5"});
}

TEST_CASE("the answers to repeats are not taken for those of the next question") {
  Rig rig;
  rig.tell(Ask{1, Explain{.worker = "w"}});
  CHECK(rig.wait() == Lines{"broker < explain worker=w"});
  rig.tell(Ask{2, Explain{.worker = "x"}});
  CHECK(rig.broker("explained verdict=w") == Lines{"answer 1 explained verdict=w"});
  CHECK(rig.broker("explained verdict=w") == Lines{"broker < explain worker=x"});
  CHECK(rig.broker("explained verdict=x") == Lines{"answer 2 explained verdict=x"});
}

TEST_CASE("a lost answer to a repeat holds the next question up for a moment only") {
  Rig rig;
  rig.tell(Ask{1, Explain{.worker = "w"}});
  rig.wait();
  rig.broker("explained verdict=w");
  CHECK(rig.tell(Ask{2, Explain{.worker = "x"}}) == Lines{});
  CHECK(rig.wait(1000ms) == Lines{"broker < explain worker=x"});
}

TEST_CASE("a broker that does not answer is unreachable after patience, for all who ask at once") {
  Rig rig;
  rig.tell(Ask{1, Status{}});
  rig.tell(Ask{2, Status{}});
  const auto lines = rig.pass(5000ms);
  int answers = 0;
  for (const auto& line : lines) answers += line.find("code=unreachable") != std::string::npos ? 1 : 0;
  CHECK(answers == 2);
}

TEST_CASE("what is no question to a broker is refused here") {
  Rig rig;
  CHECK(rig.tell(Ask{1, Left{}}).front().find("code=wrong-role") != std::string::npos);
}

TEST_CASE("more questions than the bound are refused") {
  Rig rig({.name = "ann", .asks_max = 1});
  rig.tell(Ask{1, Status{}});
  CHECK(rig.tell(Ask{2, Hello{}}).front().find("code=limit-reached") != std::string::npos);
}

TEST_CASE("events of a watch are passed on") {
  Rig rig;
  rig.tell(Ask{1, Watch{}});
  CHECK(rig.broker("watching last=4 term_ms=30000") == Lines{"answer 1 watching last=4 term_ms=30000"});
  CHECK(rig.broker("event number=5 kind=granted") == Lines{"news 5"});
}
