// epoll, level triggered, and an eventfd for wake().

#include "protocol/poller.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "protocol/must.hpp"
#include "protocol/transport.hpp"

namespace pointsman {

namespace {

// Milliseconds from now until `until`, rounded up so that a wait never ends just before what it waited for.
int milliseconds_until(Instant until) {
  if (until == never) return -1;
  const Duration left = until - now();
  if (left <= Duration::zero()) return 0;
  constexpr std::chrono::milliseconds longest(1'000'000);
  return static_cast<int>(std::min(std::chrono::ceil<std::chrono::milliseconds>(left), longest).count());
}

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), alarm_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (epoll_ < 0 || alarm_ < 0) {
    const std::string problem = std::strerror(errno);
    if (epoll_ >= 0) ::close(epoll_);
    if (alarm_ >= 0) ::close(alarm_);
    throw TransportError("cannot wait for sockets: " + problem + "; check `ulimit -n`");
  }
  watch(alarm_, [this] {
    std::uint64_t times = 0;
    while (::read(alarm_, &times, sizeof times) < 0 && errno == EINTR) {
    }
  });
}

Poller::~Poller() {
  ::close(alarm_);
  ::close(epoll_);
}

void Poller::watch(int descriptor, std::function<void()> handler) {
  MUST(!numbers_.contains(descriptor));
  const std::uint64_t number = ++counter_;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = number;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    throw TransportError(std::string("cannot watch a descriptor: ") + std::strerror(errno));
  }
  numbers_[descriptor] = number;
  handlers_[number] = std::make_shared<const std::function<void()>>(std::move(handler));
}

void Poller::unwatch(int descriptor) {
  const auto found = numbers_.find(descriptor);
  if (found == numbers_.end()) return;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  handlers_.erase(found->second);
  numbers_.erase(found);
}

void Poller::wait(Instant until, Helm::Lock* lock) {
  std::array<epoll_event, 64> events;
  const int patience = milliseconds_until(until);
  if (lock && patience != 0) lock->unlock();
  const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), patience);
  const int problem = errno;
  if (lock && patience != 0) lock->lock();
  if (ready < 0) {
    MUST(problem == EINTR);
    return;
  }
  for (int i = 0; i < ready; ++i) {
    const std::uint64_t number = events[static_cast<std::size_t>(i)].data.u64;  // a copy: the event is packed
    const auto found = handlers_.find(number);
    if (found == handlers_.end()) continue;  // unwatched by a handler before it
    const Handler handler = found->second;   // lives on if it unwatches itself
    (*handler)();
  }
}

void Poller::wake() {
  const std::uint64_t once = 1;
  while (::write(alarm_, &once, sizeof once) < 0 && errno == EINTR) {
  }
}

}  // namespace pointsman
