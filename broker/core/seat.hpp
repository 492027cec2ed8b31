// Seat: what a policy knows of one worker that offers one service. Seats: those of one worker.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "broker/core/heap.hpp"
#include "protocol/machine.hpp"

namespace pointsman::broker {

struct Class;
struct Service;
struct Worker;

struct Seat {
  Worker* worker = nullptr;
  Service* service = nullptr;
  std::string_view name;     // the worker's
  std::uint64_t order = 0;   // of registration: the last word on ties
  std::uint32_t weight = 1;  // 1 to limits::weight
  std::uint32_t slots = 1;   // sessions of this service at most, once slow start is over
  std::uint32_t room = 1;    // the same now, during slow start
  std::uint32_t used = 0;    // sessions of this service
  std::uint64_t granted = 0;
  std::uint32_t index = 0;        // in Service::seats
  std::uint32_t class_index = 0;  // of the next
  Class* of = nullptr;            // the worker's class in this service
  Instant ramp_due;          // when slow start gives it the next slot

  // Inputs of the policies, written by the broker before it tells the policy.
  std::uint64_t busy = 0;         // microseconds of work of the worker, running sessions as estimated
  std::uint64_t completed = 0;    // rank of its last completion among all of the broker's; 0: none yet
  std::uint32_t connections = 0;  // of the worker, over all its services

  // What the policy itself remembers; its alone to write.
  Place place = 0;          // in the policy's heap or list; 0: not free
  std::int64_t credit = 0;  // weighted round robin: earned less paid
  std::uint64_t turn = 0;   // ties: grants so far, each worth 1/weight

  std::uint32_t pace = 1;  // input of a policy: microseconds that the worker takes for a session (Pace)
  bool counted = false;    // its room is in Service::slots: the worker is available
};

// As many as there are from the start, at places that do not change.
class Seats {
 public:
  Seats() = default;
  explicit Seats(std::size_t count) : seats_(std::make_unique<Seat[]>(count)), size_(count) {}

  std::size_t size() const { return size_; }
  Seat* begin() const { return seats_.get(); }
  Seat* end() const { return begin() + size_; }
  Seat& operator[](std::size_t at) const { return seats_[at]; }
  Seat& front() const { return seats_[0]; }

 private:
  std::unique_ptr<Seat[]> seats_;
  std::size_t size_ = 0;
};

}  // namespace pointsman::broker
