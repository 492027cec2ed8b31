// What a supervisor core is told and what it says. broker/supervisor/core/supervisor.hpp says what it makes of it.
//
// A `run` is one life of one process, with a number of its own. The driver owes each Start exactly one Started or
// StartFailed, and each Started exactly one Exited, however the process ends. When the process itself has ended
// the driver kills what it has left behind, without being told.

#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::supervisor {

using Run = std::uint64_t;

// ---------------------------------------------------------------------------------------------------
// Events. Received, Garbled and Gone come by Door::supervisor (people and programs) and Door::broker (the
// connection to the broker's listener for clients).

struct Started {
  Run run = 0;
  std::uint64_t pid = 0;
};

struct StartFailed {
  Run run = 0;
  int code = 125;  // as a shell has it: 126 not executable, 127 not found, 125 anything else
  std::string reason;
};

// It has ended: with `code`, or by `signal` if that is not 0.
struct Exited {
  Run run = 0;
  int code = 0;
  int signal = 0;
};

// It, or something it started, said how it is (PROTOCOL.md, "Supervision"); several at a time.
struct Noticed {
  Run run = 0;
  bool ready = false;
  bool alive = false;     // WATCHDOG=1
  bool stopping = false;
  std::string status;     // empty: not said
  std::string worker;     // registers under this name; empty: not said
  std::string instance;
};

// How much memory its tree takes; for `ps`.
struct Measured {
  Run run = 0;
  std::uint64_t bytes = 0;
};

// Stop everything: in good order; the second time at once.
struct Shutdown {};

using Event =
    std::variant<Elapsed, Received, Garbled, Gone, Started, StartFailed, Exited, Noticed, Measured, Shutdown>;

// ---------------------------------------------------------------------------------------------------
// Actions. Send's address is Address{Door::broker} for the broker, and for others where their message came from.

struct Start {
  Run run = 0;
  std::size_t group = 0;  // in Options::groups
  std::string process;    // its name
};

// To the process and its process group.
struct Signal {
  Run run = 0;
  int number = 0;
};

// SIGKILL to the process and all that it has started, wherever that is.
struct KillTree {
  Run run = 0;
};

// The connection to the broker is to be replaced by a new one.
struct Reconnect {};

// The broker is ready for the first time, or there is none and everything has been started.
struct Ready {};

// What people ought to read, a line each; `process` is empty if it is about all.
struct Say {
  std::string process;
  std::string text;
};

// How things are, in one line; when it has changed.
struct Summary {
  std::string text;
};

// Everything has ended. No action follows; every event is ignored.
struct Done {
  int code = 0;  // 0: in good order; 2: the broker cannot run as it is configured; 124: something had to be killed
};

using Action = std::variant<Send, Start, Signal, KillTree, Reconnect, Ready, Say, Summary, Done>;
using Actions = std::vector<Action>;

}  // namespace pointsman::supervisor
