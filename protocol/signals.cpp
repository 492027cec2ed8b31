// By signalfd.
#include "protocol/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace pointsman {

namespace {

int block(std::initializer_list<int> signals, sigset_t& before) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  const int made = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (made < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  return made;
}

}  // namespace

Descriptor::~Descriptor() { ::close(number_); }

Signals::Signals(std::initializer_list<int> signals) : descriptor_(block(signals, before_)) {}

Signals::~Signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::optional<Signals::Came> Signals::next() {
  signalfd_siginfo info{};
  if (::read(descriptor(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  return Came{static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL};
}

}  // namespace pointsman
