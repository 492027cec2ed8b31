// One command, and everything that comes of it.
#include "broker/supervisor/keeper.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "broker/supervisor/cgroup.hpp"
#include "protocol/processes.hpp"

namespace pointsman::supervisor {

namespace {

constexpr auto kill_within = std::chrono::seconds(5);  // what cannot be killed in that time, nobody can kill

// What a terminal or an operator sends to a whole group is for the supervisor to decide on.
int block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void report(int line, Report::Kind kind, pid_t pid, int value) {
  const Report report{kind, ::getpid(), pid, value};
  static_cast<void>(!::send(line, &report, sizeof report, MSG_NOSIGNAL));
}

// False when the supervisor is gone.
bool obey(int line, Children& processes, pid_t pid) {
  Order order;
  const ssize_t size = ::recv(line, &order, sizeof order, MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size != sizeof order) return false;
  processes.signal(pid, order.kind == Order::Kind::kill ? SIGKILL : order.number);
  return true;
}

}  // namespace

namespace {

// Until nothing is left of it.
void keep_it(int line, const Launch& launch) {
  const int signals = block_signals();
  report(line, Report::Kind::born, 0, 0);  // whatever the command says, it is known by then whose it is
  Cgroup group;
  Children processes;
  bool over = false;
  Child child;
  group.enter();
  try {
    child = processes.start(launch.command, launch.environment, false, [&](int status) {
      report(line, Report::Kind::exited, child.pid, status);
      over = true;
    });
  } catch (const std::system_error& error) {
    report(line, Report::Kind::failed, 0, error.code().value());
    return group.leave();
  }
  group.leave();
  report(line, Report::Kind::started, child.pid, 0);
  std::array<pollfd, 2> waited{{{line, POLLIN, 0}, {signals, POLLIN, 0}}};
  while (!over) {
    processes.reap();
    if (over) break;
    static_cast<void>(::poll(waited.data(), waited.size(), 1000));
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) == sizeof info) {
    }
    if (waited[0].revents != 0 && !obey(line, processes, child.pid)) break;
  }
  group.kill();
  processes.kill_all(kill_within);
}

}  // namespace

void keep(int line, const Launch& launch) {
  ::prctl(PR_SET_NAME, "keeper");
  keep_it(line, launch);
  ::_exit(0);
}

}  // namespace pointsman::supervisor
