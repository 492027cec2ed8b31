// Histogram: how often each value came, in buckets whose width grows with the value (log-linear, as HdrHistogram
// does it), so that a tail is as sharp as the middle.
//
// Values below 128 are exact; above, a bucket is at most 1/128 of its values wide. What at() says is never below
// the truth and at most 1/128 above it; count, sum, least and greatest are exact. Plain values, not thread safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pointsman::load {

class Histogram {
 public:
  static constexpr unsigned bits = 7;  // 1/128
  static constexpr double error = 1.0 / (1U << bits);

  void add(std::uint64_t value, std::uint64_t times = 1);
  void add(const Histogram& other);
  void clear();

  std::uint64_t count() const { return count_; }
  std::uint64_t least() const { return count_ == 0 ? 0 : least_; }
  std::uint64_t greatest() const { return greatest_; }
  double mean() const;

  // The smallest value that at least this share (0 to 1) of all is not above, to the bucket's upper end; 0 if empty.
  std::uint64_t at(double share) const;

  // By bucket, for files. restore() takes the exact figures, too: a bucket has forgotten them.
  const std::vector<std::uint64_t>& buckets() const { return buckets_; }
  std::uint64_t sum() const { return sum_; }
  bool restore(std::size_t bucket, std::uint64_t times);
  void restore(std::uint64_t sum, std::uint64_t least, std::uint64_t greatest);

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t upper_end(std::size_t bucket);

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t least_ = UINT64_MAX;
  std::uint64_t greatest_ = 0;
};

}  // namespace pointsman::load
