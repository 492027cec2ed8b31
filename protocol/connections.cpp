// Every path is short but that of a key's first message behind many silent ones.
#include "protocol/connections.hpp"

#include <algorithm>

namespace pointsman {

Connections::Seat& Connections::seat(int descriptor) {
  const auto place = static_cast<std::size_t>(descriptor);
  if (seats_.size() <= place) seats_.resize(place + 1);
  return seats_[place];
}

void Connections::opened(int descriptor) {
  if (descriptor < 0) return;
  const std::lock_guard lock(mutex_);
  Seat& one = seat(descriptor);
  if (one.open) return;  // its first message was quicker than this event
  one.open = true;
  ++silent_;
}

void Connections::closed(int descriptor) {
  if (descriptor < 0) return;
  const std::lock_guard lock(mutex_);
  Seat& one = seat(descriptor);
  if (!one.open) return;
  if (one.key.none()) {
    --silent_;
    if (silent_keys_.size() > silent_) {
      leave(silent_keys_.front());
      silent_keys_.pop_front();
    }
  } else {
    leave(one.key);
  }
  one = {};
}

void Connections::let_in(const PublicKey& key) {
  const std::lock_guard lock(mutex_);
  ++open_[key];
  silent_keys_.push_back(key);
}

void Connections::heard(int descriptor, const PublicKey& key) {
  if (descriptor < 0) return;
  const std::lock_guard lock(mutex_);
  Seat& one = seat(descriptor);
  if (one.open && one.key == key) return;
  if (one.open && one.key.none()) --silent_;
  if (one.open && !one.key.none()) leave(one.key);  // closed and opened again: the events come yet
  one = {.open = true, .key = key};
  const auto known = std::find(silent_keys_.begin(), silent_keys_.end(), key);
  if (known != silent_keys_.end()) {
    silent_keys_.erase(known);
  } else {
    ++open_[key];
  }
}

std::size_t Connections::of(const PublicKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(key);
  return found == open_.end() ? 0 : found->second;
}

void Connections::leave(const PublicKey& key) {
  const auto found = open_.find(key);
  if (found != open_.end() && --found->second == 0) open_.erase(found);
}

}  // namespace pointsman
