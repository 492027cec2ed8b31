// An eventfd for other threads, and poll() for both.

#include "clients/program/signals.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <system_error>

namespace pointsman::program {
namespace {

int or_throw(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

}  // namespace

Bell::Bell() : descriptor_(or_throw(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {}

void Bell::ring() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(descriptor(), &one, sizeof one));
}

void Bell::silence() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(descriptor(), &count, sizeof count));
}

bool wait_for(const Signals& signals, const Bell& bell, std::chrono::steady_clock::time_point until) {
  using std::chrono::steady_clock;
  std::array<pollfd, 2> waited{{{signals.descriptor(), POLLIN, 0}, {bell.descriptor(), POLLIN, 0}}};
  for (;;) {
    int timeout = -1;
    if (until != steady_clock::time_point::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now()).count();
      timeout = left <= 0 ? 0 : left > 1'000'000 ? 1'000'000 : static_cast<int>(left);
    }
    const int ready = ::poll(waited.data(), waited.size(), timeout);
    if (ready > 0) return true;
    if (ready == 0 && steady_clock::now() >= until) return false;
    if (ready < 0 && errno != EINTR) or_throw(ready, "poll");
  }
}

void die_of(int signal) {
  // No core of a program that is well.
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(signal, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  ::raise(signal);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  std::_Exit(128 + signal);
}

}  // namespace pointsman::program
