// Seat: what a policy knows of one worker that offers one service.

#pragma once

#include <cstdint>
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
  std::uint64_t weight = 1;  // 1 to limits::weight
  std::uint64_t slots = 1;   // sessions of this service at most, once slow start is over
  std::uint64_t room = 1;    // the same now, during slow start
  std::uint64_t used = 0;    // sessions of this service
  std::uint64_t granted = 0;
  bool counted = false;      // its room is in Service::slots: the worker is available
  std::size_t index = 0;     // in Service::seats
  Class* of = nullptr;       // the worker's class in this service
  std::size_t class_index = 0;  // of that one
  Instant ramp_due;          // when slow start gives it the next slot

  // Inputs of the policies, written by the broker before it tells the policy.
  std::uint64_t connections = 0;  // of the worker, over all its services
  std::uint64_t busy = 0;         // microseconds of work of the worker, running sessions as estimated
  std::uint64_t completed = 0;    // rank of its last completion among all of the broker's; 0: none yet

  // What the policy itself remembers; its alone to write.
  std::int64_t credit = 0;  // weighted round robin: earned less paid
  std::uint64_t turn = 0;   // ties: grants so far, each worth 1/weight
  Place place = 0;          // in the policy's heap or list; 0: not free
};

}  // namespace pointsman::broker
