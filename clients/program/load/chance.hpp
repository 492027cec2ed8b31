// Chance from a seed, the same on every machine: the standard's distributions differ between libraries.

#pragma once

#include <cmath>
#include <cstdint>

namespace pointsman::load {

// SplitMix64's step, which also serves to mix a number.
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}

  std::uint64_t number() {
    const std::uint64_t drawn = mix(state_);
    state_ += 0x9e3779b97f4a7c15;
    return drawn;
  }
  // Above 0, at most 1.
  double share() { return static_cast<double>((number() >> 11) + 1) * 0x1p-53; }
  // Of mean 1.
  double exponential() { return -std::log(share()); }
  // Of mean 0 and deviation 1 (Box and Muller).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(share()));
    return radius * std::cos(2 * 3.14159265358979323846 * share());
  }

 private:
  std::uint64_t state_;
};

}  // namespace pointsman::load
