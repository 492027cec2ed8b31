// A session as its worker keeps it.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "protocol/machine.hpp"
#include "workers/core/finished.hpp"

namespace pointsman::workers {

// A call that waits or runs.
struct PendingCall {
  std::uint64_t number = 0;
  Address from;            // where its answer goes
  Instant until = never;   // the client waits until then
  bool gather = false;     // one reply may bring several parts
  Payload payload;         // while it waits
  std::uint64_t parts = 0; // sent so far
  bool abandoned = false;  // runs on, but nobody wants it
};

struct Session {
  enum class Stage : std::uint8_t {
    assigned,  // nobody came yet
    open,
    closing,   // over for its client; the work of its last call has not ended, so the slot is still taken
  };

  std::uint64_t id = 0;
  std::size_t offer = 0;  // index of its service
  std::string client;
  std::string request;    // the client's id of it
  PublicKey key{};        // the client's
  Stage stage = Stage::assigned;
  Ending ending = Ending::released;  // once closing
  Duration term{0};
  Instant ends;           // assigned: nobody comes any more; open: the term, unless a call runs
  Instant timer = never;  // when the worker looks at it next; not after `ends` or a running call's limit
  Instant expires;        // of its ticket, at the latest; see Admission::kept_until()
  Instant opened;
  std::uint64_t peer = 0; // the connection that showed the ticket
  Bytes ticket;

  std::optional<PendingCall> running;
  std::deque<PendingCall> waiting;      // at most calls_max
  Finished finished;
};

}  // namespace pointsman::workers
