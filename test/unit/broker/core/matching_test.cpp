// Shows that classes and demands meet as a naive comparison of each with each says, while both come and go.
#include "broker/core/matching.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "broker/core/chance.hpp"
#include "broker/core/records.hpp"

using namespace pointsman;
using namespace pointsman::broker;

namespace {

const std::vector<std::string> attributes{"",         "a=1",         "a=2", "a=x",
                                          "a={x, y}", "b=3",         "b=1", "a=1 b=3",
                                          "a=2 b=z",  "a=x b=2 c=1", "c=2", "a={y} c=1"};
const std::vector<std::string> conditions{
    "", "a == 1", "not has a", "b > 1 and a == x", "a in {1, y}", "c == 1 or b == 3", "a != x", "b >= 2"};
const std::vector<std::string> preferences{"", "+b", "a == 1; -b", "has c; +a"};

Attributes attributes_of(const std::string& text) {
  Attributes out;
  REQUIRE(add_attributes(text, out) == "");
  return out;
}

// The slow way: what was said, compared one with the other.
bool suits(const Register& worker, const Request& request) {
  const auto holds = [](const std::string& condition, const Attributes& of) {
    return condition.empty() || std::get<Condition>(Condition::parse(condition)).holds(of);
  };
  return holds(request.when, worker.attributes) && holds(worker.accepts, request.attributes);
}

std::vector<double> liking(const Register& worker, const Request& request) {
  if (request.prefer.empty()) return {};
  return std::get<Preference>(Preference::parse(request.prefer)).rank(worker.attributes);
}

Demand* demand_of(Demands& demands, Matching& service, const Request& request) {
  if (is_plain(request)) return &service.plain();
  const auto found = demands.of(service, request);
  REQUIRE(std::holds_alternative<Demand*>(found));
  return std::get<Demand*>(found);
}

Fault fault_of(const Request& request) {
  Service made("s", {}, 1);
  Matching& service = made.matching;
  Demands demands(2);
  const auto found = demands.of(service, request);
  REQUIRE(std::holds_alternative<Fault>(found));
  return std::get<Fault>(found);
}

}  // namespace

TEST_CASE("classes and demands meet as a comparison of each worker with each request says") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Chance chance(seed);
    const auto pick = [&](const std::vector<std::string>& list) { return list[chance.below(list.size())]; };
    Demands demands(6 + chance.below(20));
    Service made("s", {}, 1);
    Matching& service = made.matching;
    std::vector<std::pair<Register, Class*>> workers;
    std::vector<std::pair<Request, std::unique_ptr<Asked>>> waiting;
    for (int i = 0; i < 300; ++i) {
      switch (chance.below(5)) {
        case 0:
        case 1: {
          Register worker{.attributes = attributes_of(pick(attributes))};
          if (chance.below(3) == 0) worker.accepts = pick(conditions);
          auto profile = Profile::of(worker.attributes, worker.accepts);
          REQUIRE(std::holds_alternative<std::shared_ptr<const Profile>>(profile));
          workers.emplace_back(worker,
                               &service.join(std::get<std::shared_ptr<const Profile>>(std::move(profile))));
          break;
        }
        case 2: {
          if (workers.empty()) break;
          const auto at = workers.begin() + static_cast<std::ptrdiff_t>(chance.below(workers.size()));
          service.leave(*at->second);
          workers.erase(at);
          break;
        }
        case 3: {  // somebody comes to wait, or one of those goes
          if (!waiting.empty() && (chance.below(2) == 0 || waiting.size() > 4)) {
            Asked& asked = *waiting.back().second;
            asked.demand->line.erase(asked);
            if (asked.demand->line.empty()) demands.stops_waiting(*asked.demand);
            waiting.pop_back();
            break;
          }
          Request request{.when = pick(conditions),
                          .prefer = pick(preferences),
                          .attributes = attributes_of(pick(attributes))};
          auto asked = std::make_unique<Asked>();
          asked->demand = demand_of(demands, service, request);
          asked->arrival = static_cast<std::uint64_t>(i);
          if (asked->demand->line.empty()) demands.starts_waiting(*asked->demand);
          asked->demand->line.append(*asked);
          waiting.emplace_back(std::move(request), std::move(asked));
          break;
        }
        default: {
          const Request request{.when = pick(conditions),
                                .prefer = pick(preferences),
                                .attributes = attributes_of(pick(attributes))};
          const Demand& demand = *demand_of(demands, service, request);
          for (const auto& [worker, one] : workers)
            CHECK(demand.matching.contains(one->index) == suits(worker, request));
          for (std::size_t j = 1; j < demand.liked.size(); ++j) {
            const auto rank = [&](std::size_t at) {
              const auto found = std::find_if(workers.begin(), workers.end(), [&](const auto& w) {
                return w.second->index == demand.liked[at].index;
              });
              return liking(found->first, request);
            };
            CHECK(rank(j - 1) >= rank(j));
          }
          const bool none = std::none_of(workers.begin(), workers.end(),
                                         [&](const auto& w) { return suits(w.first, request); });
          CHECK(none == (demand.matches == 0));
          break;
        }
      }
      for (const auto& [request, asked] : waiting) {
        for (const auto& [worker, one] : workers)
          CHECK(asked->demand->matching.contains(one->index) == suits(worker, request));
      }
      for (std::size_t turn = 0; turn < 8; ++turn) service.check(turn);
      demands.check();
    }
    for (const auto& [request, asked] : waiting) {
      asked->demand->line.erase(*asked);
      if (asked->demand->line.empty()) demands.stops_waiting(*asked->demand);
    }
    demands.drop_all(service);
    CHECK(demands.size() == 0);
    demands.check();
  }
}

TEST_CASE("one demand has many spellings, and those of other attributes are others") {
  Service made("s", {}, 1);
  Matching& service = made.matching;
  Demands demands(10);
  Request request{.when = "a == 1 and b > 2"};
  Demand* one = demand_of(demands, service, request);
  for (const char* same : {"a==1 and b>2", "(a == 1) and (b > 2)", "a == 1  and b > 2.0",
                           "a == 0.001k and b > 2", "((a==1))and b>2", " a == 1 and b > 2"}) {
    request.when = same;
    CHECK(demand_of(demands, service, request) == one);
    CHECK(demand_of(demands, service, request) == one);
  }
  CHECK(demands.size() == 1);
  // The same letters, put elsewhere, are no spelling of it.
  request = {.when = "a == \"1\n;2\""};
  demand_of(demands, service, request);
  const auto torn = demands.of(service, {.when = "a == \"1", .prefer = "2\"\n;"});
  CHECK(std::holds_alternative<Fault>(torn));
  CHECK(demands.size() == 2);
  request = {.when = "a == 1 and b > 2"};
  request.attributes = attributes_of("team=a");
  CHECK(demand_of(demands, service, request) != one);
  Service made_too("t", {}, 1);
  Matching& other = made_too.matching;
  CHECK(demand_of(demands, other, request)->of == &other);
  CHECK(demands.size() == 4);
  demands.check();
  demands.drop_all(service);
  demands.drop_all(other);
}

TEST_CASE("what is wrong with a condition is told with its field and its place") {
  CHECK(fault_of({.when = "a = 1"}).code == Code::bad_condition);
  CHECK(fault_of({.when = "a = 1"}).reason ==
        "field `when` at character 3: nothing begins with =; equality is ==");
  CHECK(fault_of({.prefer = "+a; b"}).reason.starts_with("field `prefer` at character 6: expected ==,"));
  CHECK(fault_of({.when = "a > 1 and a < 0"}).reason ==
        "field `when`: `a < 0` can never be true together with `a > 1`");
}

TEST_CASE("why no worker matches names the clause that fails for all, or how many meet each") {
  Service made("s", {}, 1);
  Matching& service = made.matching;
  Demands demands(10);
  const auto join = [&](const std::string& text, const std::string& accepts = "") {
    service.join(std::get<std::shared_ptr<const Profile>>(
        Profile::of(attributes_of(text), accepts)));
  };
  const auto why = [&](const std::string& when, const std::string& client = "") {
    const Request request{.when = when, .attributes = attributes_of(client)};
    return service.why_none(*demand_of(demands, service, request));
  };
  CHECK(why("a == 1") == "there is no worker");
  join("a=1 b=1");
  join("a=1 b=1");
  join("a=2 b=2");
  CHECK(why("a == 1 and b == 3") == "`b == 3` is true of none of 3 workers");
  CHECK(why("memory > 1") == "`memory > 1` is true of none of 3 workers: none has memory");
  CHECK(why("a == 1 and b == 2") ==
        "`a == 1` is true of 2 of 3 workers, `b == 2` is true of 1 of 3 workers; all of it of none");
  join("a=9", "team == x");
  CHECK(why("a == 9") ==
        "1 of 4 workers would do, and none of these accepts this client: `team == x` is not true: there is "
        "no team");
  CHECK(why("a == 9", "team=y") ==
        "1 of 4 workers would do, and none of these accepts this client: `team == x` is not true: team is y");
  demands.drop_all(service);
}
