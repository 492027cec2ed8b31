// What one measurement gives, and how several become one.

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pointsman::peers {

// Rates a second, latencies in microseconds, CPU in microseconds an operation: of the measured
// process, and of the generator, which is clients and workers.
struct Figure {
  double rate = 0;
  double p50 = 0;
  double p99 = 0;
  double cpu = 0;
  double load_cpu = 0;
  std::uint64_t count = 0;
};

inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// How long operations took. Nanoseconds in.
class Latencies {
 public:
  void add(std::uint64_t nanoseconds) {
    all_.push_back(static_cast<std::uint32_t>(std::min<std::uint64_t>(nanoseconds, UINT32_MAX)));
  }
  void clear() { all_.clear(); }
  std::size_t count() const { return all_.size(); }
  // In microseconds.
  double quantile(double q) {
    if (all_.empty()) return 0;
    const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(all_.size() - 1));
    std::nth_element(all_.begin(), all_.begin() + at, all_.end());
    return all_[static_cast<std::size_t>(at)] / 1e3;
  }

 private:
  std::vector<std::uint32_t> all_;
};

}  // namespace pointsman::peers
