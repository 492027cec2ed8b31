// Exit codes: what the program's status says, and which code of the protocol becomes which.
//
// Documented for users by `pointsman help exit-codes`; stable.

#pragma once

#include "protocol/messages.hpp"

namespace pointsman::program {

enum class Exit : int {
  done = 0,
  failed = 1,          // the work failed
  usage = 2,           // the command line, the environment or the configuration file is wrong
  unreachable = 3,     // nobody answers or lets this key in at the broker's endpoint; or a worker died for good
  not_found = 4,       // no such service, worker, session or request
  no_worker = 5,       // none was free, not in time either, or the queue is full
  refused = 6,         // for any other reason
  elapsed = 124,       // --timeout or --limit
  wrapper = 125,       // pointsman itself could not do its part
  not_executable = 126,
  not_found_command = 127,
  signalled = 128,     // plus the signal's number
  interrupted = 130,
};

constexpr int status(Exit exit) { return static_cast<int>(exit); }

// The status of a command that died of `signal`.
constexpr int status_of_signal(int signal) { return status(Exit::signalled) + signal; }

// Of a refusal or a failure. A call that took longer than its limit is Exit::elapsed instead; only the caller can
// tell.
Exit exit_of(Code code);

}  // namespace pointsman::program
