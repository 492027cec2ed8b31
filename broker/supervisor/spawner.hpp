// The spawner: a small process that forks keepers for the supervisor, because a process with a zmq context must
// not fork.
//
// When the supervisor is gone, however that came about, every keeper kills what it has, and the spawner what a
// keeper that was killed has left. Used by one thread.

#pragma once

#include <sys/types.h>

#include "broker/supervisor/keeper.hpp"

namespace pointsman::supervisor {

class Spawner {
 public:
  static constexpr std::size_t launch_bytes = 64 * 1024;  // a command and its additions to the environment

  // Forks it. Before there are threads, a zmq context, or descriptors that it must not have. Throws
  // std::system_error.
  Spawner();
  ~Spawner();  // waits until it has ended, which it does when the keepers have
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  int descriptor() const { return line_; }  // readable once it is gone

  // Starts a command under a keeper of its own, and returns the line to that, which does not block and belongs to
  // the caller; closing it kills. Throws std::system_error, E2BIG if the launch is too large.
  int start(const Launch& launch);

 private:
  int line_ = -1;
  pid_t pid_ = -1;
};

}  // namespace pointsman::supervisor
