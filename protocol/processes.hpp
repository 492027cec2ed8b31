// Child processes: started in a group of their own, reaped, and never left behind.
//
// This process adopts what its children leave (PR_SET_CHILD_SUBREAPER), so that double-forked ones are found,
// too; and children are killed by the kernel when this process dies. One thread, the process's first, uses it.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pointsman {

// The exit code as shells say it: 128 + n if signal n ended it.
int exit_code_of(int status);

// The path of a command, by $PATH if it has no slash. Empty: not found; `denied`: found, but not executable.
std::string path_of(const std::string& command, bool& denied);

struct Child {
  pid_t pid = -1;
  int in = -1;   // to its stdin; -1: it has none. These belong to the caller, do not block, and are closed
  int out = -1;  // by close_pipe()
  int err = -1;
};

void close_pipe(int& descriptor);

class Children {
 public:
  Children();
  ~Children();  // kills and reaps all that is left
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  using Environment = std::vector<std::pair<std::string, std::string>>;
  using Exited = std::function<void(int status)>;

  // Starts a command; `exited` is called by reap(). With `pipes` its three streams are pipes, else it has
  // no stdin and shares stdout (as stderr) and stderr with us. Throws std::system_error.
  Child start(const std::vector<std::string>& command, const Environment& environment, bool pipes, Exited exited);

  // To the child and all of its group; nothing if it is gone.
  void signal(pid_t pid, int number);

  void signal_all(int number);

  // Reaps what has ended; to be called after each SIGCHLD.
  void reap();

  bool empty() const { return children_.empty(); }

  // Kills every descendant that can be found until none is left, at most for so long; with `except`, not those
  // nor what they have started.
  void kill_all(std::chrono::milliseconds within, const std::set<pid_t>& except = {});

 private:
  std::unordered_map<pid_t, Exited> children_;
};

// User and system time that a process has used, in clock ticks; 0 if it is gone.
unsigned long cpu_ticks(pid_t pid);

}  // namespace pointsman
