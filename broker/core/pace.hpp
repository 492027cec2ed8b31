// Pace: how long a worker takes for a session, as things went lately: what shortest-expected-delay goes by.
//
// The mean of its first sixteen sessions; from then on each further one counts a sixteenth (an exponentially weighted mean).
// A pure value.

#pragma once

#include <algorithm>
#include <cstdint>

namespace pointsman::broker {

struct Pace {
  static constexpr std::uint64_t memory = 16;            // sessions
  static constexpr std::uint64_t most = 3'600'000'000;  // whoever takes longer than an hour is taken to be as slow

  std::uint32_t time = 1;   // microseconds for a session, 1 to `most`
  std::uint8_t known = 0;   // sessions that this is the mean of, `memory` at most; 0: it is a guess
  friend bool operator==(const Pace&, const Pace&) = default;

  static Pace guess(std::uint64_t time) { return {.time = within(time)}; }

  // So many more are over, which took so many microseconds in all; either may be 0.
  void did(std::uint64_t sessions, std::uint64_t took) {
    const std::uint64_t of = known + sessions;
    if (of == 0) return;
    time = within((std::uint64_t{known} * time + took) / of);
    known = static_cast<std::uint8_t>(std::min(of, memory));
  }

 private:
  static std::uint32_t within(std::uint64_t time) {
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(time, 1, most));
  }
};

}  // namespace pointsman::broker
