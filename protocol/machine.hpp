// The shape of a party: what a core is told, what it says, and the time it lives by.
//
// A core is a state machine with three members:
//   void step(Instant now, Event event, Actions& out);  takes in one event, appends what to do, in order;
//                                                       `now` never goes back; never throws for a peer's mistake
//   Instant deadline() const;                           when to step with Elapsed if nothing arrives, or `never`
//   void check() const;                                 ends the process unless every index agrees; for tests
// It has no clock, socket, thread, file, log or randomness of its own. Not thread safe: one driver at a time.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

#include "protocol/frame.hpp"
#include "protocol/key.hpp"
#include "protocol/messages.hpp"

namespace pointsman {

// A clock without now(): asking for the time in a core does not compile. Microseconds since a moment
// that only the driver knows; steady.
struct DriverClock {
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<DriverClock>;
  static constexpr bool is_steady = true;
};

using Duration = DriverClock::duration;
using Instant = DriverClock::time_point;
inline constexpr Instant never = Instant::max();

// Which of a party's sockets a message came by or goes by.
enum class Door : std::uint8_t {
  clients,  // the broker's listener for clients
  workers,  // the broker's listener for workers
  broker,   // a worker's or client's connection to its broker
  direct,   // between a client and a worker
  supervisor,  // a supervisor's listener for people and programs, or a connection to it
};

// How a body is written; an answer is written as its question was.
enum class Codec : std::uint8_t { msgpack, json };

// Where a message came from, and so where its answer goes. `peer` names a connection and nothing else:
// it is made by the transport, is not an identity, and is never shown or sent. `envelope` is the return
// envelope, opaque to cores (see transport.hpp).
struct Address {
  Door door = Door::broker;
  Codec codec = Codec::msgpack;
  std::uint64_t peer = 0;
  std::string envelope;

  friend bool operator==(const Address&, const Address&) = default;
};

// Nothing came until deadline(), or time just passed.
struct Elapsed {};

// A message came. `key` is the one that the connection has proved to hold; none on a link without encryption.
struct Received {
  Address from;
  Message message;
  Payload payload;
  PublicKey key{};
};

// Something came that cannot be read as a message. It is answered and counted.
struct Garbled {
  Address from;
  Fault fault;
  PublicKey key{};
};

// The connection is gone, or its peer reads too slowly and its outbox overflowed. What was sent to it
// lately may be lost.
struct Gone {
  Door door = Door::broker;
  std::uint64_t peer = 0;
};

// To be sent. May be lost.
struct Send {
  Address to;
  Message message;
  Payload payload;
};

}  // namespace pointsman
