// Pacer: gives a generator its arrivals, at their time or as places become free, through one measured time.
//
// Told what time it is only by the clock that it is given, so that a test can stall it. Arrivals past `most` under way
// wait for room; they are due when they were due.

#pragma once

#include <algorithm>
#include <functional>
#include <optional>

#include "clients/program/load/arrivals.hpp"
#include "clients/program/load/generator.hpp"

namespace pointsman::load {

struct Pace {
  std::optional<Rate> rate;  // none: a closed loop
  bool poisson = true;
  std::uint64_t burst = 1;   // of an open loop: that arrive at the same moment
  std::uint64_t places = 1;  // of a closed loop
  std::uint64_t most = 1;
  Nanos warmup = 0;
  Nanos duration = second;
  Nanos interval = second;
  Nanos patience = 0;  // for what is under way at the end
  std::uint64_t seed = 1;
};

// What a measured time yields beside its ledger.
struct Paced {
  Nanos begin = 0;
  Nanos end = 0;             // earlier than planned if it was stopped
  std::uint64_t due = 0;     // in the measured time
  std::uint64_t behind = 0;  // due, but never begun
};

class Pacer {
 public:
  using Now = std::function<Nanos()>;
  // Called between arrivals; when to be called again, or nothing to stop early.
  using Between = std::function<std::optional<Nanos>(const Paced&)>;

  Pacer(Generator& generator, const Pace& pace, Now now)
      : generator_(generator), pace_(pace), now_(std::move(now)) {}

  Paced run(const Between& between) {
    const Nanos start = now_();
    Paced paced{start + pace_.warmup, start + pace_.warmup + pace_.duration};
    {
      const std::lock_guard lock(generator_.mutex());
      generator_.ledger().measure(paced.begin, paced.end, pace_.interval);
      generator_.closed_loop(!pace_.rate);
      if (!pace_.rate) {
        for (std::uint64_t i = 0; i < pace_.places; ++i) generator_.arrive(now_());
      }
    }
    if (pace_.rate) begin_arrivals(start);
    bool stopped = false;
    for (Nanos now = now_(); now < paced.end; now = now_()) {
      const auto again = between(paced);
      if (!again) {
        paced.end = std::max(now, paced.begin);
        stopped = true;
        break;
      }
      const bool more = arrive(paced, now);
      const Nanos next = blocked_ ? now + millisecond : next_.value_or(UINT64_MAX);
      generator_.wait(more ? 0 : std::min({paced.end, *again, next}));
    }
    {
      const std::lock_guard lock(generator_.mutex());
      generator_.closed_loop(false);
    }
    if (!stopped) {
      while (arrive(paced, paced.end - 1)) {  // those that came due in the last wait
      }
      for (; next_ && *next_ < paced.end; advance()) {
        ++paced.behind;
        if (*next_ >= paced.begin) ++paced.due;
      }
    }
    const Nanos patient = now_() + pace_.patience;
    for (;;) {
      {
        const std::lock_guard lock(generator_.mutex());
        if (generator_.open() == 0) break;
      }
      if (now_() >= patient || !between(paced)) break;
      generator_.wait(now_() + 20 * millisecond);
    }
    return paced;
  }

 private:
  static constexpr int batch = 64;  // arrivals before answers are looked at

  // Two stretches: the warm-up at the first rate, then the measured time.
  void begin_arrivals(Nanos start) {
    const Rate first{pace_.rate->from, pace_.rate->from};
    origin_ = start;
    if (pace_.warmup > 0) arrivals_.emplace(first, pace_.warmup, pace_.poisson, pace_.seed, pace_.burst);
    advance();
  }

  void advance() {
    auto due = arrivals_ ? arrivals_->next() : std::nullopt;
    if (!due && !measured_) {
      measured_ = true;
      origin_ += pace_.warmup;
      arrivals_.emplace(*pace_.rate, pace_.duration, pace_.poisson, pace_.seed + 1, pace_.burst);
      due = arrivals_->next();
    }
    next_ = due ? std::optional(origin_ + *due) : std::nullopt;
  }

  // True if more are due already.
  bool arrive(Paced& paced, Nanos now) {
    blocked_ = false;
    const std::lock_guard lock(generator_.mutex());
    for (int i = 0; next_ && *next_ <= now; ++i) {
      if (generator_.open() >= pace_.most) {
        blocked_ = true;
        return false;
      }
      if (i == batch) return true;
      if (*next_ >= paced.begin) ++paced.due;
      generator_.arrive(*next_);
      advance();
    }
    return false;
  }

  Generator& generator_;
  const Pace pace_;
  const Now now_;
  std::optional<Arrivals> arrivals_;
  Nanos origin_ = 0;
  bool measured_ = false;
  bool blocked_ = false;
  std::optional<Nanos> next_;
};

}  // namespace pointsman::load
