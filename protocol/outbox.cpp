// A queue a peer, made when it is needed and gone when it is empty.

#include "protocol/outbox.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pointsman {

namespace {

// Where many peers are slow not at each turn: those who can take nothing are asked in vain.
constexpr std::size_t flush_few = 16;
constexpr Duration flush_least = std::chrono::milliseconds(1);
constexpr Duration flush_most = std::chrono::milliseconds(20);

}  // namespace

Outboxes::Outboxes(Bounds bounds, Transmit transmit) : bounds_(bounds), transmit_(std::move(transmit)) {}

Outcome Outboxes::send(Instant now, const Address& to, std::string_view body, const Payload& payload) {
  const auto found = queues_.find(to.peer);
  if (found == queues_.end()) {
    const Outcome outcome = transmit_(to.peer, to.envelope, body, payload);
    if (outcome != Outcome::full) return outcome;
  }
  Parcel parcel{to.envelope, std::string(body), payload, now, to.envelope.size() + body.size() + bytes_of(payload)};

  Queue& queue = found == queues_.end() ? queues_[to.peer] : found->second;
  const bool fits = queue.parcels.empty() ||
                    (queue.parcels.size() < bounds_.messages && queue.bytes + parcel.bytes <= bounds_.bytes);
  if (!fits) {
    queues_.erase(to.peer);
    return Outcome::gone;
  }
  queue.bytes += parcel.bytes;
  queue.parcels.push_back(std::move(parcel));
  return Outcome::full;
}

std::vector<std::uint64_t> Outboxes::flush(Instant now) {
  std::vector<std::uint64_t> gone;
  if (queues_.size() > flush_few && now < last_flush_ + flush_least) return gone;
  last_flush_ = now;
  for (auto entry = queues_.begin(); entry != queues_.end();) {
    const Outcome outcome = drain(now, entry->first, entry->second);
    if (outcome == Outcome::gone) gone.push_back(entry->first);
    entry = outcome == Outcome::full ? std::next(entry) : queues_.erase(entry);
  }
  return gone;
}

Instant Outboxes::expire(Instant now) {
  Instant next = never;
  for (auto entry = queues_.begin(); entry != queues_.end();) {
    Queue& queue = entry->second;
    while (!queue.parcels.empty() && now - queue.parcels.front().since >= bounds_.age) {
      queue.bytes -= queue.parcels.front().bytes;
      queue.parcels.pop_front();
    }
    if (!queue.parcels.empty() && bounds_.age != Duration::max()) next = std::min(next, queue.parcels.front().since + bounds_.age);
    entry = queue.parcels.empty() ? queues_.erase(entry) : std::next(entry);
  }
  return next;
}

Outcome Outboxes::drain(Instant now, std::uint64_t peer, Queue& queue) {
  while (!queue.parcels.empty()) {
    const Parcel& parcel = queue.parcels.front();
    if (now - parcel.since < bounds_.age) {
      const Outcome outcome = transmit_(peer, parcel.envelope, parcel.body, parcel.payload);
      if (outcome != Outcome::sent) return outcome;
    }
    queue.bytes -= parcel.bytes;
    queue.parcels.pop_front();
  }
  return Outcome::sent;
}

Instant Outboxes::next_flush() const {
  return queues_.empty() ? never : last_flush_ + flush_most;
}

}  // namespace pointsman
