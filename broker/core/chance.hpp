// Chance: random numbers that are the same everywhere for the same seed.
//
// SplitMix64 (Steele, Lea, Flood 2014). The library's distributions differ between libraries; this does not.

#pragma once

#include <cstdint>

namespace pointsman::broker {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // 0 to n - 1; n at least 1. The bias of the remainder is below n / 2^64.
  std::uint64_t below(std::uint64_t n) { return next() % n; }

 private:
  std::uint64_t state_;
};

}  // namespace pointsman::broker
