// Shows that each service has its order of brokers, the same for all, and that a broker that comes or goes moves only what
// is its own.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>

#include "protocol/rendezvous.hpp"

using namespace pointsman;

namespace {

std::vector<std::string> brokers(int count) {
  std::vector<std::string> names;
  for (int i = 1; i <= count; ++i) names.push_back("tcp://10.0.0." + std::to_string(i));
  return names;
}

std::vector<std::string> order(const std::string& service, const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const std::size_t at : rendezvous_order(service, {names.begin(), names.end()}))
    all.push_back(names[at]);
  return all;
}

std::string service(int number) { return "service-" + std::to_string(number); }

}  // namespace

TEST_CASE("the order is the one of the example in PROTOCOL.md") {
  CHECK(fnv1a("zip") == 0xce4e0a19876f9b74ULL);
  CHECK(rendezvous_score("zip", "a") == 7387945850491395);
  CHECK(rendezvous_score("zip", "b") == 527529177309611);
  CHECK(rendezvous_score("zip", "c") == 6511242898726319);
  CHECK(order("zip", {"a", "b", "c"}) == std::vector<std::string>{"a", "c", "b"});
}

TEST_CASE("the order does not depend on that of the list, and equal names are as they are listed") {
  CHECK(order("zip", {"c", "b", "a"}) == order("zip", {"a", "b", "c"}));
  CHECK(rendezvous_order("zip", {"a", "a"}) == std::vector<std::size_t>{0, 1});
  CHECK(rendezvous_order("zip", {}).empty());
}

TEST_CASE("a broker that nobody named is known by its host, or by its path") {
  CHECK(unnamed_broker("tcp://10.0.0.1:5570") == "tcp://10.0.0.1");
  CHECK(unnamed_broker("tcp://[fe80::1%eth0]:5570") == "tcp://[fe80::1%eth0]");
  CHECK(unnamed_broker("ipc:///run/a:1") == "ipc:///run/a:1");
}

TEST_CASE("services are spread evenly, by the rule of thumb 1 + sqrt(2 B ln B / S)") {
  constexpr int services = 1000;
  const auto names = brokers(16);
  std::map<std::string, int> owned;
  for (int i = 0; i < services; ++i) ++owned[order(service(i), names).front()];
  int most = 0;
  for (const auto& [name, count] : owned) most = std::max(most, count);
  CHECK(owned.size() == 16);
  CHECK(most * 16.0 / services < 1.05 * (1 + std::sqrt(2 * 16 * std::log(16.0) / services)));
}

TEST_CASE("a broker that goes moves its own services, spread over all others, and no other one") {
  const auto names = brokers(16);
  std::map<std::string, int> heirs;
  for (const std::string& gone : {names[0], names[7]}) {
    auto left = names;
    left.erase(std::find(left.begin(), left.end(), gone));
    for (int i = 0; i < 1000; ++i) {
      auto before = order(service(i), names);
      if (before.front() == gone) ++heirs[before[1]];
      before.erase(std::find(before.begin(), before.end(), gone));
      CHECK(order(service(i), left) == before);
    }
  }
  CHECK(heirs.size() == 16);
}
