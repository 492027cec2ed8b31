// One epoll instance, which is itself a descriptor that can be waited for.
#include "workers/descriptors.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "protocol/must.hpp"

namespace pointsman::workers {

Descriptors::Descriptors() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Descriptors::~Descriptors() { close(epoll_); }

void Descriptors::add(int descriptor, std::uint32_t events, std::function<void()> handler) {
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  handlers_[descriptor] = std::make_shared<std::function<void()>>(std::move(handler));
}

void Descriptors::on_readable(int descriptor, std::function<void()> handler) {
  add(descriptor, EPOLLIN, std::move(handler));
}

void Descriptors::on_writable(int descriptor, std::function<void()> handler) {
  add(descriptor, EPOLLOUT, std::move(handler));
}

void Descriptors::remove(int descriptor) {
  if (handlers_.erase(descriptor) == 0) return;
  MUST(epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr) == 0);
}

void Descriptors::dispatch() {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    // An earlier handler may have removed this one; the next turn sees what is new under the same number.
    const auto found = handlers_.find(events[static_cast<std::size_t>(i)].data.fd);
    if (found == handlers_.end()) continue;
    const auto handler = found->second;
    (*handler)();
  }
}

}  // namespace pointsman::workers
