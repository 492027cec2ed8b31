// A control group (cgroup v2) of one command's own, where this process may make one: then all that is in it can be
// killed with one stroke, however fast it forks. Where it may not, nothing happens, and others have to find the
// processes one by one.

#pragma once

#include <sys/types.h>

#include <string>

namespace pointsman::supervisor {

class Cgroup {
 public:
  Cgroup();   // inside of the one that this process is in
  ~Cgroup();  // removes it, if it is empty
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  // Moves this process there and back; what it starts meanwhile is there from its first instruction on.
  void enter();
  void leave();

  // SIGKILL to everything in it. Not while this process is there itself.
  void kill();

  // Kills and removes what a process of that number, which is dead, has made in the group that we are in.
  static void bury(pid_t dead);

 private:
  std::string ours_;  // folders; empty: there is none
  std::string made_;
};

}  // namespace pointsman::supervisor
