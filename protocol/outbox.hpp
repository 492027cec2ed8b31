// Outbox: what waits, in order, for one peer that cannot take it yet. Bounded in count, size and age.

#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <utility>

#include "protocol/machine.hpp"

namespace pointsman {

class Outbox {
 public:
  // One message, encoded. `envelope` is packed; after `until` nobody wants it any more.
  struct Parcel {
    std::string envelope;
    std::string body;
    Payload payload;
    Instant until = never;
    std::size_t bytes = 0;  // kept by the outbox
  };

  // False if it has no room: more than `count` messages, or more than `bytes` where something waits already.
  bool push(Parcel parcel, std::size_t count, std::size_t bytes) {
    parcel.bytes = size_of(parcel);
    if (parcels_.size() >= count) return false;
    if (!parcels_.empty() && bytes_ + parcel.bytes > bytes) return false;
    bytes_ += parcel.bytes;
    parcels_.push_back(std::move(parcel));
    return true;
  }

  bool empty() const { return parcels_.empty(); }
  const Parcel& front() const { return parcels_.front(); }

  void pop() {
    bytes_ -= parcels_.front().bytes;
    parcels_.pop_front();
  }

 private:
  static std::size_t size_of(const Parcel& parcel) {
    std::size_t bytes = parcel.envelope.size() + parcel.body.size();
    for (const Frame& frame : parcel.payload) bytes += frame.size();
    return bytes;
  }

  std::deque<Parcel> parcels_;
  std::size_t bytes_ = 0;
};

}  // namespace pointsman
