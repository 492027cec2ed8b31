// A fleet: which brokers there are, who is above whom, and who is at which.
//
// Most seeds have one broker. The others have two tiers, some three: workers and clients are at any, and clients of those above are
// sent down. Vast seeds have tens of brokers.

#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "protocol/machine.hpp"
#include "test/sim/chance.hpp"

namespace pointsman::sim {

// It registers one broker with others.
struct UplinkPlan {
  std::size_t below = 0;
  std::vector<std::size_t> above;
  Duration every{};     // between two looks at what is below
  Duration patience{};  // and until that counts as gone
};

// Brokers are numbers, in the order of their names.
struct Fleet {
  std::vector<std::string> brokers{"broker"};
  std::vector<std::size_t> worker_at;               // of each worker
  std::vector<std::vector<std::size_t>> client_at;  // of each client, in the order in which it asks them
  std::vector<UplinkPlan> uplinks;
  bool circle = false;  // by mistake the first one above is below one of its own, too: clients find out

  bool tiers() const { return !uplinks.empty(); }

  // A broker, and all that are below it.
  std::set<std::size_t> under(std::size_t broker) const;
};

struct Profile;

// Some seeds have tiers; fewer take part there, for each has several brokers to keep up with.
void draw_fleet(Profile& profile);

}  // namespace pointsman::sim
