// Shows what an uplink asks the broker below, and when.
#include "clients/program/uplink/core/look.hpp"

#include <doctest/doctest.h>

using namespace pointsman;
using namespace pointsman::uplink;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const Instant start{seconds(100)};

Look a_look() { return {start, "tcp://below:1", seconds(1), seconds(3)}; }

Listing page(const std::string& worker, std::string next = {}) {
  Listing listing{.of = Subject::workers, .next = std::move(next)};
  listing.workers.push_back({.worker = worker, .services = {"ocr"}, .slots = 2});
  return listing;
}

std::string after(const Message& question) { return std::get<List>(question).after; }

// What a look that is answered at once does.
void look_once(Look& look, Instant now) {
  auto question = look.begin(now);
  if (std::holds_alternative<Hello>(question)) question = *look.hear(now, Welcome{.epoch = 7}).question;
  REQUIRE(std::holds_alternative<List>(question));
  REQUIRE(look.hear(now, page("w1")).seen);
}

}  // namespace

TEST_CASE("look: who it is, then page after page, until all is seen") {
  Look look = a_look();
  CHECK(look.deadline() == start);
  CHECK(std::holds_alternative<Hello>(look.begin(start)));
  CHECK(look.deadline() == never);
  CHECK(after(*look.hear(start, Welcome{.epoch = 7}).question).empty());
  CHECK(look.epoch() == 7);
  const auto more = look.hear(start, page("w1", "w1"));
  CHECK(after(*more.question) == "w1");
  CHECK_FALSE(more.seen);
  const auto last = look.hear(start, page("w2"));
  CHECK_FALSE(last.question);
  CHECK(last.seen);
  REQUIRE(look.census().classes().size() == 1);
  CHECK(look.census().classes().begin()->second.slots == 4);
  CHECK(look.deadline() == start + seconds(1));
}

TEST_CASE("look: a broker that is known is asked for its workers only, and each look begins anew") {
  Look look = a_look();
  look_once(look, start);
  look_once(look, start + seconds(1));
  CHECK(look.census().classes().begin()->second.slots == 2);
}

TEST_CASE("look: it takes a twentieth of the time at most") {
  Look look = a_look();
  look_once(look, start);
  look.begin(start + seconds(1));
  CHECK(look.hear(start + seconds(2), page("w1", "w1")).question);
  CHECK(look.hear(start + seconds(3), page("w2")).seen);
  CHECK(look.deadline() == start + seconds(1) + 20 * seconds(2));
}

TEST_CASE("look: one that an outage held up does not put the next one off") {
  Look one = a_look();
  one.begin(start);
  one.hear(start + minutes(10), Welcome{.epoch = 7});
  CHECK(one.hear(start + minutes(10), page("w1")).seen);
  CHECK(one.deadline() == start + minutes(10));
  Look two = a_look();
  look_once(two, start);
  two.begin(start + seconds(1));
  CHECK(two.hear(start + minutes(10), page("w1", "w1")).question);
  CHECK(two.hear(start + minutes(10), page("w2")).seen);
  CHECK(two.deadline() == start + minutes(10));
}

TEST_CASE("look: a broker is lost when nothing was told for the patience, and asked again who it is") {
  Look look = a_look();
  look_once(look, start);
  const Refused silent{.about = std::string(List::op), .code = Code::unreachable};
  look.begin(start + seconds(1));
  CHECK_FALSE(look.hear(start + seconds(2), silent).lost);
  CHECK(look.epoch() == 0);
  CHECK(look.deadline() == start + seconds(3));
  CHECK(std::holds_alternative<Hello>(look.begin(start + seconds(3))));
  const auto found = look.hear(start + seconds(4), silent);
  REQUIRE(found.lost);
  CHECK(found.lost->code == Code::unreachable);
}
