// An estimate: the mean of something over independent runs, and how sure it is.

#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>

namespace pointsman::figures {

struct Estimate {
  double mean = 0;
  double error = 0;  // the true one is nearer than this in all but one of a thousand cases
};

constexpr std::uint64_t runs = 20;

// Of the runs with the seeds 1 to 20; each is a batch, so it does not matter how what happens in one hangs together.
inline Estimate estimate(const std::function<double(std::uint64_t seed)>& run) {
  constexpr double student = 3.883;  // 19 degrees of freedom, p = 0.001, two-sided
  double sum = 0, squares = 0;
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    const double value = run(seed);
    sum += value;
    squares += value * value;
  }
  const double n = runs, mean = sum / n;
  return {mean, student * std::sqrt(std::max(0.0, squares / n - mean * mean) / (n - 1))};
}

inline void tell(const std::string& what, const Estimate& found) {
  MESSAGE(what, ": ", found.mean, " +- ", found.error);
}

}  // namespace pointsman::figures
