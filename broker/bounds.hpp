// Bounds: every limit of a broker, with its default, its setting, and what a peer sees when it is reached; and how much
// memory all of them together allow at the very worst.
//
// The one list: PROTOCOL.md prints it, and `pointsman broker --bounds`. Pure functions.
//
// The memory bound is the sum of
//   program   the program itself, its libraries and what libzmq needs for itself;
//   records   for each worker, service, session, waiting and remembered request, watcher and allowed key as many as may
//             be, with every text at its longest;
//   links     for each connection what libzmq may hold of it, receive_queue messages of message_bytes in and send_queue
//             answers of answer_bytes out, its outbox, and 32 KiB for the connection itself;
// but never more than twice memory_max, for there the broker stops. On links without encryption the sum does not hold
// against somebody who sends one message in endless parts: libzmq counts whole messages only, and keeps the parts. Memory
// that is taken so is seen by memory_max only.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/shell.hpp"
#include "protocol/transport.hpp"

namespace pointsman::broker {

// Of both listeners.
TransportLimits links_of(const ShellOptions& options);

struct Bound {
  std::string_view name;     // the setting in the file; --NAME on the command line, with - for _; or a fixed one's name
  bool fixed = false;        // not to be set: part of the protocol
  std::uint64_t value = 0;   // as configured
  std::string_view unit;
  std::string_view of;       // what there are so many of, or what is so large
  std::string_view reached;  // what a peer sees then
};

std::vector<Bound> bounds_of(const ShellOptions& options);

struct MemoryBound {
  std::uint64_t program = 0;
  std::uint64_t records = 0;
  std::uint64_t links = 0;
  std::uint64_t stop = 0;  // twice memory_max; 0: never
  std::uint64_t sum() const { return program + records + links; }
  std::uint64_t total() const { return stop == 0 ? sum() : std::min(sum(), stop); }
};

MemoryBound memory_bound(const ShellOptions& options);

// "3.2 GiB", for people.
std::string in_bytes(std::uint64_t bytes);

}  // namespace pointsman::broker
