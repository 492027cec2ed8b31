// Search: which rate to try next to find the highest that holds a bound: doubles until one does not, then halves the
// ratio between the best that held and the least that did not. Pure.

#pragma once

#include <algorithm>
#include <cmath>

namespace pointsman::load {

class Search {
 public:
  static constexpr double closeness = 1.05;  // between what held and what did not, at the end
  static constexpr double most = 10'000'000;
  static constexpr double least = 1;

  explicit Search(double start) : rate_(std::clamp(start, least, most)) {}

  double rate() const { return rate_; }
  void tried(bool held) {
    if (held) {
      held_ = std::max(held_, rate_);
    } else {
      missed_ = std::min(missed_, rate_);
    }
    if (held_ == 0) {
      rate_ = std::max(missed_ / 2, least);
    } else if (missed_ > most) {
      rate_ = std::min(held_ * 2, most);
    } else {
      rate_ = std::sqrt(held_ * missed_);
    }
  }
  bool done() const {
    return held_ >= most || missed_ <= least || (held_ > 0 && missed_ <= held_ * closeness);
  }
  double best() const { return held_; }  // 0: none held

 private:
  double rate_;
  double held_ = 0;
  double missed_ = 2 * most;
};

}  // namespace pointsman::load
