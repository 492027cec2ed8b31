// The parent of the copies does nothing but wait.
#include "workers/copies.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <system_error>

#include "protocol/processes.hpp"

namespace pointsman::workers {

namespace {

pid_t fork_copy(std::uint64_t number, const std::function<int(std::uint64_t)>& copy) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  // A copy stops in good order when the roof is gone.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(0);
  _exit(copy(number));
}

}  // namespace

int run_copies(std::uint64_t copies, const std::function<int(std::uint64_t)>& copy) {
  Children adopted;  // what a copy that was killed leaves behind is ours, and goes when we do
  std::set<pid_t> running;
  int worst = 0;
  for (std::uint64_t number = 1; number <= copies; ++number) {
    const pid_t pid = fork_copy(number, copy);
    if (pid > 0) {
      running.insert(pid);
    } else if (running.empty()) {
      throw std::system_error(errno, std::generic_category(), "fork");
    } else {
      worst = 125;
    }
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals, number);
  while (!running.empty()) {
    const int number = sigwaitinfo(&signals, nullptr);
    if (number == SIGTERM || number == SIGINT) {
      for (const pid_t pid : running) kill(pid, number);
    }
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (running.erase(pid) == 0) continue;
      const int code = exit_code_of(status);
      if (worst == 0) worst = code;
      // Its commands died with it; those that had got away from it are ours now.
      if (WIFSIGNALED(status)) adopted.kill_all(std::chrono::seconds(2), running);
    }
  }
  return worst;
}

}  // namespace pointsman::workers
