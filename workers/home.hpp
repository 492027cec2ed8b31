// Home: which of several brokers a worker goes to where each service has its order of them: the first that has it, and
// the one before that as soon as it is back.
//
// A pure machine in all but its form: it is told the time. Used by the driver.

#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/finder/core/finder.hpp"
#include "protocol/machine.hpp"
#include "protocol/rendezvous.hpp"

namespace pointsman::workers {

class Home {
 public:
  explicit Home(std::string service) : service_(std::move(service)) {}

  // A broker that is no use until then.
  void avoid(const finder::Place& place, Instant until) {
    std::erase_if(avoided_, [&](const auto& one) { return one.first.same_door(place); });
    if (avoided_.size() == limits::brokers) avoided_.erase(avoided_.begin());
    avoided_.emplace_back(place, until);
  }

  // The first of those that are not avoided; nothing if all are.
  std::optional<finder::Place> first(const std::vector<finder::Place>& places, Instant now) const {
    for (const std::size_t at : order(places)) {
      if (until(places[at]) <= now) return places[at];
    }
    return std::nullopt;
  }

  // If all are: the one that will not be soonest. There is one at least.
  finder::Place least_avoided(const std::vector<finder::Place>& places) const {
    return *std::min_element(places.begin(), places.end(),
                             [&](const auto& a, const auto& b) { return until(a) < until(b); });
  }

  // Of those before `current` that are not avoided, the next one in turn.
  std::optional<finder::Place> better(const std::vector<finder::Place>& places, const finder::Place& current,
                                      Instant now) {
    std::vector<finder::Place> found;
    for (const std::size_t at : order(places)) {
      if (places[at].same_door(current) || places[at].same_broker(current)) break;
      if (until(places[at]) <= now) found.push_back(places[at]);
    }
    if (found.empty()) return std::nullopt;
    return found[turn_++ % found.size()];
  }

 private:
  std::vector<std::size_t> order(const std::vector<finder::Place>& places) const {
    std::vector<std::string_view> names;
    for (const finder::Place& place : places) names.push_back(place.known_as());
    return rendezvous_order(service_, names);
  }

  Instant until(const finder::Place& place) const {
    const auto found = std::find_if(avoided_.begin(), avoided_.end(),
                                    [&](const auto& one) { return one.first.same_door(place); });
    return found == avoided_.end() ? Instant::min() : found->second;
  }

  const std::string service_;
  std::vector<std::pair<finder::Place, Instant>> avoided_;  // at most limits::brokers
  std::size_t turn_ = 0;
};

}  // namespace pointsman::workers
