// Shows to which broker a worker goes where its service has an order of them, and when to another one.
#include <doctest/doctest.h>

#include "workers/home.hpp"

using namespace pointsman;
using namespace pointsman::workers;
using namespace std::chrono_literals;

namespace {

using Places = std::vector<finder::Place>;

// In the order of the service.
Places places() {
  const Places listed{{.endpoint = "tcp://h:1", .name = "a"},
                      {.endpoint = "tcp://h:2", .name = "b"},
                      {.endpoint = "tcp://h:3", .name = "c"}};
  Places all;
  for (const std::size_t at : rendezvous_order("zip", {"a", "b", "c"})) all.push_back(listed[at]);
  return all;
}

const Instant start{1h};

}  // namespace

TEST_CASE("a worker goes to the first broker in the order of its service, wherever it is listed") {
  Home home("zip");
  Places listed = places();
  std::rotate(listed.begin(), listed.begin() + 1, listed.end());
  CHECK(home.first(listed, start) == places()[0]);
  CHECK_FALSE(home.first({}, start));
}

TEST_CASE(
    "one that was no use is passed over for a while, and if all were, the first one of these is tried again") {
  Home home("zip");
  const Places all = places();
  home.avoid(all[0], start + 10s);
  CHECK(home.first(all, start) == all[1]);
  CHECK(home.first(all, start + 10s) == all[0]);
  home.avoid(all[1], start + 5s);
  home.avoid(all[2], start + 7s);
  CHECK_FALSE(home.first(all, start));
  CHECK(home.least_avoided(all) == all[1]);
  home.avoid(all[1], start + 20s);
  CHECK(home.least_avoided(all) == all[2]);
}

TEST_CASE("better brokers are those before the present one, one after the other, but none that is avoided") {
  Home home("zip");
  const Places all = places();
  CHECK_FALSE(home.better(all, all[0], start));
  CHECK(home.better(all, all[2], start) == all[0]);
  CHECK(home.better(all, all[2], start) == all[1]);
  CHECK(home.better(all, all[2], start) == all[0]);
  home.avoid(all[0], start + 5s);
  CHECK(home.better(all, all[2], start) == all[1]);
  CHECK_FALSE(home.better(all, all[1], start));
  CHECK(home.better(all, all[1], start + 5s) == all[0]);
}

TEST_CASE("where the present broker is not listed any more each other one is better") {
  Home home("zip");
  const Places all = places();
  CHECK(home.better({all[1], all[2]}, all[0], start) == all[1]);
}
