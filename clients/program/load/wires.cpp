// Wires on one transport; a timer descriptor wakes it to the microsecond.

#include "clients/program/load/wires.hpp"

#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "clients/program/load/generator.hpp"

namespace pointsman::load {

Wires::Wires(std::string endpoint, std::uint64_t count, const Credentials& credentials)
    : endpoint_(std::move(endpoint)), credentials_(credentials) {
  raise_descriptor_limit();
  ::prctl(PR_SET_TIMERSLACK, 1000UL);
  alarm_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (alarm_ < 0) throw std::system_error(errno, std::generic_category(), "timerfd");
  transport_.watch(alarm_, [this] {
    std::uint64_t times = 0;
    static_cast<void>(!::read(alarm_, &times, sizeof times));
  });
  peers_.resize(count);
  for (std::size_t wire = 0; wire < count; ++wire) connect(wire);
}

Wires::~Wires() {
  transport_.unwatch(alarm_);
  ::close(alarm_);
}

void Wires::connect(std::size_t wire) {
  peers_[wire] = transport_.connect(Door::broker, endpoint_, {}, credentials_);
  wires_[peers_[wire]] = wire;
}

void Wires::send(std::size_t wire, Message message) {
  transport_.send(
      {.to = {.door = Door::broker, .peer = peers_[wire]}, .message = std::move(message), .payload = {}});
}

void Wires::turn(Nanos until, const std::function<void(std::size_t, Message&&)>& heard) {
  const Nanos now_here = clock_now();
  const Nanos left = until > now_here ? until - now_here : 0;
  Instant at{};
  if (left > 0) {
    itimerspec spec{};
    spec.it_value.tv_sec = static_cast<time_t>(left / second);
    spec.it_value.tv_nsec = static_cast<long>(left % second);
    ::timerfd_settime(alarm_, 0, &spec, nullptr);
    at = never;
  }
  transport_.turn(at, [&](Incoming&& incoming) {
    if (auto* received = std::get_if<Received>(&incoming)) {
      const auto found = wires_.find(received->from.peer);
      if (found != wires_.end()) heard(found->second, std::move(received->message));
    } else if (const auto* gone = std::get_if<Gone>(&incoming)) {
      const auto found = wires_.find(gone->peer);
      if (found != wires_.end()) broken_.push_back(found->second);
    }
  });
  // A connection that was lost may have lost what was on it: a new one begins clean.
  for (const std::size_t wire : std::exchange(broken_, {})) {
    wires_.erase(peers_[wire]);
    transport_.disconnect(peers_[wire]);
    connect(wire);
  }
}

}  // namespace pointsman::load
