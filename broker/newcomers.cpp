// How full the house is: cheap while it is not, exact while nobody is let in.
#include "broker/newcomers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "protocol/doorstep.hpp"

namespace pointsman::broker {

namespace {

constexpr Duration every{std::chrono::milliseconds(50)};

}  // namespace

Newcomers::Newcomers(Transport& transport, std::uint64_t connections_max)
    : transport_(transport),
      high_(std::min<std::size_t>(descriptor_limit() * 9 / 10, open_descriptors() + connections_max)),
      low_(high_ * 8 / 9) {
  reserve_.fill(-1);
  keep_reserve();
}

Newcomers::~Newcomers() { drop_reserve(); }

void Newcomers::keep_reserve() {
  for (int& one : reserve_) {
    if (one < 0) one = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
}

void Newcomers::drop_reserve() {
  for (int& one : reserve_) {
    if (one >= 0) ::close(std::exchange(one, -1));
  }
}

// The kernel gives the lowest number that is free: if that is high, all below it are in use.
bool Newcomers::crowded() const {
  const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (lowest < 0) return true;
  ::close(lowest);
  return static_cast<std::size_t>(lowest) >= high_;
}

bool Newcomers::look(Instant now) {
  due_ = now + every;
  const bool before = held_;
  held_ = held_ ? open_descriptors() >= low_ : crowded();
  if (held_) {
    drop_reserve();
    transport_.hold_newcomers(true);
    keep_reserve();
  } else if (before) {
    transport_.hold_newcomers(false);
  }
  return held_ != before;
}

}  // namespace pointsman::broker
