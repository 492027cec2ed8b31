// The keeper: a small process between the supervisor and each process that it runs.
//
// It starts the command, adopts whatever that leaves behind (PR_SET_CHILD_SUBREAPER) and, once the command has
// ended or the supervisor is gone, kills all of it: also what has forked twice and called setsid. The command dies
// with its keeper (PR_SET_PDEATHSIG). The two speak over a line, a SOCK_SEQPACKET socket: Report one way, Order the
// other.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace pointsman::supervisor {

// What is to be run.
struct Launch {
  std::vector<std::string> command;
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
};

struct Order {
  enum class Kind : std::uint8_t { signal, kill };
  Kind kind = Kind::signal;
  std::int32_t number = 0;  // of the signal
};

// `born` first, then `started` or `failed`; after `started` one `exited`; then the line is closed when nothing is
// left.
struct Report {
  enum class Kind : std::uint8_t { born, started, failed, exited };
  Kind kind = Kind::born;
  std::int32_t keeper = 0;  // process ids
  std::int32_t pid = 0;
  std::int32_t value = 0;   // failed: errno; exited: as wait() has it
};

// Is a keeper from here on, and ends with _exit(). One thread; no other file descriptor has to be open.
[[noreturn]] void keep(int line, const Launch& launch);

}  // namespace pointsman::supervisor
