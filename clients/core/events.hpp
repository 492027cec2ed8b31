// What a client core is told and what it says. clients/core/client.hpp says what it makes of it.
//
// Whoever drives the core names things: a session by a handle, a call by a number, a question by a token. It
// chooses each once and never again. Times of events are cut to what a message carries, 0 to a day. The core tells
// the end of each exactly once:
//   Acquire  (Waiting)* then NotAcquired, or Acquired, (Acquired)* for each replacement, then SessionEnded.
//   Invoke   (Part with more)* then Part without more, or CallFailed. No part twice, none out of order.
//   Ask      Answer, which may be Refused.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::clients {

constexpr Milliseconds within_a_day(Milliseconds time) {
  return std::clamp(time, Milliseconds(0), Milliseconds(limits::day_ms));
}

// ---------------------------------------------------------------------------------------------------
// Events

// Asks for a session.
struct Acquire {
  std::uint64_t handle = 0;
  std::string
      id;  // unique over all clients and times, random; 1 to 48 bytes, for its successors have a suffix
  std::string service;
  Milliseconds wait{
      5000};  // in the broker's queue; as long again, but at least `patience`, for a replacement
  std::uint64_t priority = 0;
  bool absent = false;
  Milliseconds term{0};  // 0: the broker's default
  std::vector<std::string> exclude;
  std::string when;    // a condition on the worker's attributes
  std::string prefer;  // a preference among those
  int reassign = 2;    // how many dead workers are replaced
  bool apart = false;  // somebody else talks to the worker
};

// Takes a waiting request back, or gives its session up. NotAcquired (code cancelled) or SessionEnded
// follows.
struct CancelAcquire {
  std::uint64_t handle = 0;
};

// Sends a call. `number` is unique within the handle. May come before Acquired: then it waits.
struct Invoke {
  std::uint64_t handle = 0;
  std::uint64_t number = 0;
  Payload payload;
  Milliseconds limit{30000};  // CallFailed with code timed-out after this, counted from this event
  bool gather = false;        // several parts of the answer may come at a time
};

// Nobody wants the answer any more: CallFailed with code cancelled follows at once.
struct AbandonCall {
  std::uint64_t handle = 0;
  std::uint64_t number = 0;
};

// A new term from now, 0: as long as the one it had. The core renews by itself; this is to change the term.
struct RenewSession {
  std::uint64_t handle = 0;
  Milliseconds term{0};
};

// Ends the session: its calls fail with code cancelled, SessionEnded follows at once, and the worker is told
// until it has answered. For a waiting request the same as CancelAcquire.
struct ReleaseSession {
  std::uint64_t handle = 0;
};

// Any question of a client to the broker.
struct Ask {
  std::uint64_t token = 0;
  Message question;
};

// The brokers that there are from now on, in the order in which they are asked; each a number below limits::brokers.
// Messages of a broker come from and go to Address{Door::broker, .peer = number}. Before this there is one, number 0. With
// names, as many, each service has its order of them (protocol/rendezvous.hpp), and its requests begin with the first.
struct BrokersAre {
  std::vector<std::uint64_t> numbers;
  std::vector<std::string> names{};
};

// The connection to a broker stands. Who never says so is believed that silence is all there is to know.
struct BrokerUp {
  std::uint64_t broker = 0;
};

// A broker's listener does not let this client in, and nothing that was sent will be answered: what was
// asked, and what waits in a queue, goes to another broker, or fails at once with code unreachable. Sessions that
// are held go on. The next question tries anew.
struct Barred {
  std::string reason;
  std::string remedy;
  std::uint64_t broker = 0;
};

// Ends everything as the events above would, one after the other. idle() tells when the others have heard of
// it.
struct Close {};

using Event = std::variant<Elapsed, Received, Garbled, Gone, Acquire, CancelAcquire, Invoke, AbandonCall,
                           RenewSession, ReleaseSession, Ask, BrokersAre, BrokerUp, Barred, Close>;

// ---------------------------------------------------------------------------------------------------
// Actions

// Makes a connection to a worker. Its messages come from and go to Address{Door::direct, .peer = link}.
struct Connect {
  std::uint64_t link = 0;
  std::string endpoint;
  std::string key;  // the worker's public key, Z85; empty: no encryption
};

struct Disconnect {
  std::uint64_t link = 0;
};

// The connection to a broker is to be replaced by a new one.
struct Reconnect {
  std::uint64_t broker = 0;
};

// Where a broker is that a pass leads to. Its number is above limits::brokers, and is not used again.
struct ReachBroker {
  std::uint64_t broker = 0;
  std::string endpoint;
  std::string key;  // its public key, Z85; empty: no encryption
};

// Nothing more goes to that broker, and what it says is not heard.
struct LeaveBroker {
  std::uint64_t broker = 0;
};

struct Acquired {
  std::uint64_t handle = 0;
  Granted granted;
  int reassigned = 0;  // how many workers the session had before, also those that only refused it
};

struct NotAcquired {
  std::uint64_t handle = 0;
  Refused refused;
};

struct Waiting {
  std::uint64_t handle = 0;
  Queued queued;
};

struct Part {
  std::uint64_t handle = 0;
  std::uint64_t number = 0;
  Payload payload;
  bool more = false;
  std::uint64_t parts = 1;  // that are here, of equally many frames each
};

struct CallFailed {
  std::uint64_t handle = 0;
  std::uint64_t number = 0;
  Code code = Code::failed;
  std::string reason;
  std::uint64_t exit = 0;
  std::string detail;
  Milliseconds retry{0};
};

struct SessionEnded {
  std::uint64_t handle = 0;
  Ending ending = Ending::released;
  Code code = Code::none;  // why, if it was not released
  std::string reason;
};

struct Answer {
  std::uint64_t token = 0;
  Message message;
};

// An event of a watch, subscribed to with Ask.
struct News {
  Happened happened;
};

using Action = std::variant<Send, Connect, Disconnect, Reconnect, ReachBroker, LeaveBroker, Acquired, NotAcquired, Waiting, Part,
                            CallFailed, SessionEnded, Answer, News>;
using Actions = std::vector<Action>;

}  // namespace pointsman::clients
