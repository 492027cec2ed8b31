// Late releases: sessions that somebody released while no worker held them here. The worker may be cut off and come back
// with its sessions; then those are to end, not to be held until their term is over.
//
// Bounded in number and time: the oldest is forgotten first. Every call is O(log n), amortised. Not thread safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/machine.hpp"

namespace pointsman::broker {

class LateReleases {
 public:
  // `owner` is the number of the principal. What somebody says of another's session does not count, nor does it undo
  // what the other has said.
  void add(std::uint64_t session, std::uint64_t owner, std::string_view client, Instant until, std::size_t most) {
    if (most == 0) return;
    while (order_.size() >= most) forget_first();
    const auto said = times_.try_emplace({session, owner, std::string(client)}).first;
    ++said->second;
    order_.push_back({until, said});
  }

  // Whether these released that session.
  bool contains(std::uint64_t session, std::uint64_t owner, std::string_view client) const {
    return times_.contains({session, owner, std::string(client)});
  }

  void forget(Instant now) {
    while (!order_.empty() && order_.front().until <= now) forget_first();
  }

 private:
  using Times = std::map<std::tuple<std::uint64_t, std::uint64_t, std::string>, std::size_t>;
  struct Entry {
    Instant until;
    Times::iterator said;
  };

  void forget_first() {
    const auto said = order_.front().said;
    order_.pop_front();
    if (--said->second == 0) times_.erase(said);
  }

  Times times_;  // how often it was said
  std::deque<Entry> order_;
};

}  // namespace pointsman::broker
