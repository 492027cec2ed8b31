// Outboxes: what waits, in order, for peers that cannot take it yet. Bounded in count, size and age.
//
// Knows no sockets: it is given a way to transmit one message. Not thread safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman {

// What became of a message: it left, its peer cannot take it now, or there is no such peer any more.
enum class Outcome { sent, full, gone };

class Outboxes {
 public:
  struct Bounds {
    std::size_t messages = 0;        // that wait for one peer
    std::size_t bytes = 0;           // of them, payload included; one message may always wait
    Duration age = Duration::max();  // what waits longer is dropped
  };
  using Transmit = std::function<Outcome(std::uint64_t peer, std::string_view envelope, std::string_view body,
                                         const Payload& payload)>;

  Outboxes(Bounds bounds, Transmit transmit);

  // Transmits the message, or keeps it behind what waits for that peer already (`full`). `gone`: the peer is
  // not there, or its outbox has no room; what waited for it is dropped.
  Outcome send(Instant now, const Address& to, std::string_view body, const Payload& payload);

  // Transmits what can leave; returns the peers that are gone. Where many wait it does nothing if it did so just now.
  std::vector<std::uint64_t> flush(Instant now);

  // Drops what has waited too long; returns when to do so again, or `never`.
  Instant expire(Instant now);

  // Drops what waits for a peer.
  void drop(std::uint64_t peer) { queues_.erase(peer); }

  bool empty() const { return queues_.empty(); }
  std::size_t peers() const { return queues_.size(); }  // that something waits for
  bool holds(std::uint64_t peer) const { return queues_.contains(peer); }

  // When to flush() if nothing says that a peer can take something; `never` if nothing waits.
  Instant next_flush() const;

 private:
  struct Parcel {
    std::string envelope;
    std::string body;
    Payload payload;
    Instant since;
    std::size_t bytes = 0;
  };
  struct Queue {
    std::deque<Parcel> parcels;
    std::size_t bytes = 0;
  };

  Outcome drain(Instant now, std::uint64_t peer, Queue& queue);

  const Bounds bounds_;
  const Transmit transmit_;
  std::unordered_map<std::uint64_t, Queue> queues_;  // none is empty
  Instant last_flush_{};
};

}  // namespace pointsman
