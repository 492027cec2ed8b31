// How full the house is: cheap while it is not, exact while nobody is let in.
#include "broker/newcomers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "protocol/doorstep.hpp"
#include "protocol/system.hpp"

namespace pointsman::broker {

namespace {

constexpr Duration every{std::chrono::milliseconds(50)};
constexpr std::size_t listeners = 2;
// The kernel lets one more wait than the backlog says; and somebody may be between the doors when they are shut.
constexpr std::size_t between_doors = 4;

int any_descriptor() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

int Newcomers::backlog() {
  raise_descriptor_limit();
  return static_cast<int>(std::clamp<std::size_t>(descriptor_limit() / 32, 4, 100));
}

Newcomers::Newcomers(Transport& transport, std::uint64_t connections_max)
    : transport_(transport),
      reserve_(listeners * (static_cast<std::size_t>(backlog()) + between_doors), -1),
      high_(std::min<std::size_t>(descriptor_limit() * 9 / 10, open_descriptors() + reserve_.size() + connections_max)),
      low_(high_ * 8 / 9) {
  keep_reserve();
}

Newcomers::~Newcomers() { drop_reserve(); }

void Newcomers::keep_reserve() {
  for (int& one : reserve_) {
    if (one < 0 && (one = any_descriptor()) < 0) return;
  }
}

void Newcomers::drop_reserve() {
  for (int& one : reserve_) {
    if (one >= 0) ::close(std::exchange(one, -1));
  }
}

// The kernel gives the lowest number that is free: if that is high, all below it are in use.
bool Newcomers::crowded() const {
  const int lowest = any_descriptor();
  if (lowest < 0) return true;
  ::close(lowest);
  return static_cast<std::size_t>(lowest) >= high_;
}

// Enough for some of them, once the reserve is whole again.
bool Newcomers::roomy() const {
  const auto missing = static_cast<std::size_t>(std::count(reserve_.begin(), reserve_.end(), -1));
  return open_descriptors() + missing < low_;
}

bool Newcomers::look(Instant now) {
  due_ = now + every;
  const bool before = held_;
  held_ = held_ ? !roomy() : crowded();
  if (held_) {
    transport_.hold_newcomers(true);
    drop_reserve();
    transport_.turn_newcomers_away();
  }
  keep_reserve();
  if (!held_ && before) transport_.hold_newcomers(false);
  return held_ != before;
}

}  // namespace pointsman::broker
