// Alarms: for each of many things the one moment at which it wants to be looked at.
//
// Equal moments ring in the order of the keys. Each operation costs O(log n).

#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "protocol/machine.hpp"

namespace pointsman::clients {

template <class Key>
class Alarms {
 public:
  // Replaces the key's alarm; `never` takes it away.
  void set(const Key& key, Instant when) {
    clear(key);
    if (when == never) return;
    when_.emplace(key, when);
    order_.emplace(when, key);
  }

  void clear(const Key& key) {
    const auto found = when_.find(key);
    if (found == when_.end()) return;
    order_.erase({found->second, key});
    when_.erase(found);
  }

  // The alarm of this key, or never.
  Instant of(const Key& key) const {
    const auto found = when_.find(key);
    return found == when_.end() ? never : found->second;
  }

  Instant first() const { return order_.empty() ? never : order_.begin()->first; }

  // Takes the first alarm that is due.
  std::optional<Key> take(Instant now) {
    if (first() > now) return std::nullopt;
    const Key key = order_.begin()->second;
    clear(key);
    return key;
  }

  std::size_t size() const { return when_.size(); }

 private:
  std::map<Key, Instant> when_;
  std::set<std::pair<Instant, Key>> order_;
};

}  // namespace pointsman::clients
