// The one source of chance in a simulation: the same seed gives the same run.

#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::sim {

// SplitMix64 (Steele, Lea, Flood 2014).
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // 0 to n - 1.
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  bool hit(double probability) { return static_cast<double>(next() >> 11) * 0x1p-53 < probability; }

  Duration between(Duration low, Duration high) {
    return low + Duration(static_cast<std::int64_t>(below(static_cast<std::uint64_t>((high - low).count()) + 1)));
  }

  // Exponentially distributed, at most `most` times the mean.
  static constexpr int most = 10;
  Duration around(Duration mean) {
    const double u = static_cast<double>((next() >> 11) + 1) * 0x1p-53;
    return Duration(static_cast<std::int64_t>(std::min<double>(most, -std::log(u)) * static_cast<double>(mean.count())));
  }

  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

  Chance fork() { return Chance(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace pointsman::sim
