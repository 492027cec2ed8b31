// Buckets: the first 128 hold one value each; then each power of two has 128.

#include "clients/program/load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace pointsman::load {

namespace {
constexpr std::uint64_t linear = 1U << Histogram::bits;
}  // namespace

std::size_t Histogram::bucket_of(std::uint64_t value) {
  if (value < linear) return value;
  const unsigned power = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
  return (power + 1) * linear + ((value >> power) - linear);
}

std::uint64_t Histogram::upper_end(std::size_t bucket) {
  if (bucket < linear) return bucket;
  const std::uint64_t power = bucket / linear - 1;
  return ((bucket % linear + linear + 1) << power) - 1;
}

void Histogram::add(std::uint64_t value, std::uint64_t times) {
  if (times == 0) return;
  const std::size_t bucket = bucket_of(value);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  buckets_[bucket] += times;
  count_ += times;
  sum_ += value * times;
  least_ = std::min(least_, value);
  greatest_ = std::max(greatest_, value);
}

void Histogram::add(const Histogram& other) {
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (std::size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  least_ = std::min(least_, other.least_);
  greatest_ = std::max(greatest_, other.greatest_);
}

void Histogram::clear() { *this = Histogram(); }

double Histogram::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t Histogram::at(double share) const {
  if (count_ == 0) return 0;
  // 0.99 * 100 is a little above 99 in binary; that must not ask for the hundredth value.
  const double wanted = std::ceil(share * static_cast<double>(count_) * (1 - 1e-12));
  const std::uint64_t rank =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::max(wanted, 1.0)), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(upper_end(i), greatest_);
  }
  return greatest_;
}

bool Histogram::restore(std::size_t bucket, std::uint64_t times) {
  if (bucket > bucket_of(UINT64_MAX)) return false;
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  buckets_[bucket] += times;
  count_ += times;
  return true;
}

void Histogram::restore(std::uint64_t sum, std::uint64_t least, std::uint64_t greatest) {
  sum_ = sum;
  least_ = least;
  greatest_ = greatest;
}

}  // namespace pointsman::load
