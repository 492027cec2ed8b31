// What a worker core is told and what it says. workers/core/worker.hpp says what it makes of it.
//
// Whoever drives the core runs the work: it gets each call once, as Serve, and owes exactly one end of it: an
// Answered without `more`, or a FailedCall. It owes that for abandoned calls, too, for the slot is taken until
// the work has really ended. The next call of a session is served only then.

#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::workers {

// ---------------------------------------------------------------------------------------------------
// Events

// An answer to a call, or with `more` a part of it, or several parts if the call may be answered so: their frames one
// behind the other, the same number of each. Ignored if nobody wants it any more.
struct Answered {
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  Payload payload;
  bool more = false;
  std::uint64_t parts = 1;
};

// The work of a call failed.
struct FailedCall {
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  Code code = Code::failed;
  std::string reason;      // cut to limits::text
  std::uint64_t exit = 0;  // 0 to 255
  std::string detail;      // cut to its last limits::detail bytes
};

// Work moved on by so much, in any unit; what parts and answers show needs not be said.
struct Progressed {
  std::uint64_t more = 1;
};

// Takes no more sessions from the broker; goes on with those that it has.
struct Quiesce {};

// How much it offers from now on: so many slots, each service with this weight. Slots 0: nothing for now, so it drains until
// this is said again. If that is not what the broker was told, it registers anew, with what it holds.
struct Resize {
  std::uint64_t slots = 0;   // at most limits::slots
  std::uint64_t weight = 1;  // 1 to limits::weight
};

// Another broker is to have this worker. It drains, leaves when no session is held, and is Departed; then it registers with
// whom the shell leads it to. If sessions are still held after WorkerSettings::move it stays, and it stays if it drains
// already. While no broker has it, it registers at once.
struct Move {};

// Drains, then leaves, then Done. With `now` sessions are not waited for: they end, their calls are abandoned.
struct Stop {
  bool now = false;
};

using Event = std::variant<Elapsed, Received, Garbled, Gone, Answered, FailedCall, Progressed, Quiesce, Resize, Move, Stop>;

// ---------------------------------------------------------------------------------------------------
// Actions. Send's address is Address{Door::broker} for the broker, and for clients where their message came from.

// The lease is held: for the first time, or anew.
struct Enrolled {
  std::uint64_t lease = 0;
};

// A registration was refused; it is tried again, unless Done follows.
struct Denied {
  Code code = Code::none;
  std::string reason;
  std::string remedy;
};

// Work to do.
struct Serve {
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  std::string service;
  std::string client;
  Milliseconds limit{0};  // the client waits this long from now; 0: it does not say
  bool gather = false;    // several parts may be given at a time
  Payload payload;
};

// Nobody wants the answer any more: stop the work, then end it as above.
struct Abandoned {
  std::uint64_t session = 0;
  std::uint64_t number = 0;
};

// A session begins, by a client's ticket or, if clients do not show theirs here, by assignment.
struct SessionBegan {
  std::uint64_t session = 0;
  std::string service;
  std::string client;
};

struct SessionOver {
  std::uint64_t session = 0;
  Ending ending = Ending::released;
};

// The connection to the broker is to be replaced by a new one.
struct Reconnect {};

// It has left its broker for another one: what is sent from here on is for that.
struct Departed {};

// It has left, or was refused for good (code and reason say why). No action follows; every event is ignored.
struct Done {
  Code code = Code::none;
  std::string reason;
  std::string remedy;
};

using Action =
    std::variant<Send, Enrolled, Denied, Serve, Abandoned, SessionBegan, SessionOver, Reconnect, Departed, Done>;
using Actions = std::vector<Action>;

}  // namespace pointsman::workers
