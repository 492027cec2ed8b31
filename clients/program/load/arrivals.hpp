// Arrivals: when each request is due in an open loop, whatever becomes of those before it.
//
// At a rate, or one that grows or falls evenly over the time; at even distances or as a Poisson process (of that
// rate: unit steps of the integral of the rate, drawn exponential or all 1); one by one, or as many at each moment as
// are a burst. Pure.

#pragma once

#include <cmath>
#include <optional>

#include "clients/program/load/words.hpp"

namespace pointsman::load {

class Arrivals {
 public:
  Arrivals(Rate rate, Nanos time, bool poisson, std::uint64_t seed, std::uint64_t burst = 1)
      : rate_{rate.from / static_cast<double>(burst), rate.to / static_cast<double>(burst)},
        seconds_(static_cast<double>(time) / 1e9), poisson_(poisson), chance_(seed), burst_(burst) {}

  // When the next one is due, from the beginning; nothing once the time is over.
  std::optional<Nanos> next() {
    if (given_++ % burst_ == 0) moment_ = next_moment();
    return moment_;
  }

 private:
  std::optional<Nanos> next_moment() {
    if (poisson_) due_ += chance_.exponential();
    // Solve from*t + slope*t^2/2 = due in the form that is exact for a slope of 0.
    const double slope = (rate_.to - rate_.from) / seconds_;
    const double root = rate_.from * rate_.from + 2 * slope * due_;
    if (!poisson_) due_ += 1;
    if (root < 0) return {};
    const double t = 2 * (poisson_ ? due_ : due_ - 1) / (rate_.from + std::sqrt(root));
    if (t >= seconds_) return {};
    return static_cast<Nanos>(std::llround(t * 1e9));
  }

  Rate rate_;  // of moments
  double seconds_;
  bool poisson_;
  Chance chance_;
  double due_ = 0;  // the integral of the rate
  std::uint64_t burst_;
  std::uint64_t given_ = 0;
  std::optional<Nanos> moment_;
};

}  // namespace pointsman::load
