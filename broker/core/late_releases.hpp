// Late releases: sessions that somebody released while no worker held them here. The worker may be cut off and come back
// with its sessions; then those are to end, not to be held until their term is over.
//
// Bounded in number and time: the oldest is forgotten first. Every call is O(1), amortised. Not thread safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "protocol/machine.hpp"

namespace pointsman::broker {

class LateReleases {
 public:
  // `owner` is the number of the principal. Whoever does not own the session may say what it likes: take() compares.
  void add(std::uint64_t session, std::uint64_t owner, std::string client, Instant until, std::size_t most) {
    if (most == 0) return;
    while (order_.size() >= most) forget_first();
    const std::uint64_t number = ++number_;
    by_session_[session] = {owner, std::move(client), number};
    order_.push_back({until, session, number});
  }

  // Whether these released that session; it is forgotten then.
  bool take(std::uint64_t session, std::uint64_t owner, std::string_view client) {
    const auto found = by_session_.find(session);
    if (found == by_session_.end() || found->second.owner != owner || found->second.client != client)
      return false;
    by_session_.erase(found);
    return true;
  }

  void forget(Instant now) {
    while (!order_.empty() && order_.front().until <= now) forget_first();
  }

 private:
  struct Released {
    std::uint64_t owner = 0;
    std::string client;
    std::uint64_t number = 0;
  };
  struct Entry {
    Instant until;
    std::uint64_t session = 0;
    std::uint64_t number = 0;
  };

  void forget_first() {
    const auto found = by_session_.find(order_.front().session);
    if (found != by_session_.end() && found->second.number == order_.front().number) by_session_.erase(found);
    order_.pop_front();
  }

  std::unordered_map<std::uint64_t, Released> by_session_;
  std::deque<Entry> order_;  // of those and of those taken since
  std::uint64_t number_ = 0;
};

}  // namespace pointsman::broker
