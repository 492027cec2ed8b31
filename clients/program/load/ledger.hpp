// Ledger: every request that was made, and how it ended; and what it took.
//
// A request is due, begun and ended. What it took is counted from when it was due, so that a generator that could not
// begin in time, because it or its peer stalled, does not hide that (coordinated omission); what it took from when it
// was begun is kept beside it. Only requests that were due in the measured time are in the histograms; the account has
// all. Pure: told the time. Not thread safe.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "clients/program/load/histogram.hpp"
#include "clients/program/load/words.hpp"

namespace pointsman::load {

enum class End : std::uint8_t { answered, refused, failed };

struct Account {
  std::uint64_t made = 0;
  std::uint64_t answered = 0;
  std::map<std::string, std::uint64_t> refused;  // by code
  std::map<std::string, std::uint64_t> failed;
  std::uint64_t unfinished = 0;
  std::uint64_t doubled = 0;  // ends of what had ended, or had never been made
  std::uint64_t late = 0;     // answers to what an earlier ledger had given up

  std::uint64_t total(const std::map<std::string, std::uint64_t>& of) const {
    std::uint64_t sum = 0;
    for (const auto& [code, count] : of) sum += count;
    return sum;
  }
  void add(const Account& other) {
    made += other.made;
    answered += other.answered;
    for (const auto& [code, count] : other.refused) refused[code] += count;
    for (const auto& [code, count] : other.failed) failed[code] += count;
    unfinished += other.unfinished;
    doubled += other.doubled;
    late += other.late;
  }
  bool balanced() const { return made == answered + total(refused) + total(failed) + unfinished; }
};

// What ended in one interval of the measured time.
struct Point {
  std::uint64_t answered = 0;
  std::uint64_t others = 0;  // refused and failed
  Nanos p50 = 0, p99 = 0, greatest = 0;
};

class Ledger {
 public:
  // Requests are numbered on from `before`, so that numbers of several ledgers do not meet.
  explicit Ledger(std::uint64_t before = 0) : before_(before) {}

  // What is due from `begin` to `end` is measured; both on the clock of the caller.
  void measure(Nanos begin, Nanos end, Nanos interval) {
    begin_ = begin;
    end_ = end;
    interval_ = std::max<Nanos>(interval, 1);
  }

  // Begins a request; its number.
  std::uint64_t begin(Nanos due, Nanos now) {
    const std::uint64_t number = before_ + ++account_.made;
    open_.emplace(number, Open{due, now});
    return number;
  }

  // Ends it. False if it is not open: that is a doubled answer, and counted.
  bool end(std::uint64_t number, End how, std::string_view code, Nanos now) {
    const auto found = open_.find(number);
    if (found == open_.end()) {
      ++(is_late(number) ? account_.late : account_.doubled);
      return false;
    }
    const Open open = found->second;
    open_.erase(found);
    if (how == End::answered) {
      ++account_.answered;
    } else {
      ++(how == End::refused ? account_.refused : account_.failed)[std::string(code)];
    }
    note(open, how, now);
    return true;
  }

  // Whatever is open now will not be waited for.
  void close() {
    account_.unfinished += open_.size();
    open_.clear();
  }

  bool is_late(std::uint64_t number) const { return number <= before_; }
  bool is_open(std::uint64_t number) const { return open_.contains(number); }
  std::size_t open() const { return open_.size(); }
  std::uint64_t last() const { return before_ + account_.made; }
  const Account& account() const { return account_; }
  const Histogram& latency() const { return latency_; }  // from when it was due
  const Histogram& took() const { return took_; }        // from when it was begun
  std::uint64_t answered_in_time() const { return answered_in_time_; }

  // All points of the measured time. Once, at the end.
  std::vector<Point> points(Nanos end) {
    flush();
    end = std::clamp(end, begin_, end_);
    points_.resize((end - begin_ + interval_ - 1) / interval_);
    return std::move(points_);
  }

 private:
  struct Open {
    Nanos due;
    Nanos begun;
  };

  void note(const Open& open, End how, Nanos now) {
    if (now >= begin_ && now < end_) {
      const std::size_t at = (now - begin_) / interval_;
      if (at != at_) flush();
      at_ = at;
      if (points_.size() <= at) points_.resize(at + 1);
      if (how == End::answered) {
        ++points_[at].answered;
        ++answered_in_time_;
        if (open.due >= begin_) recent_.add(now - open.due);
      } else {
        ++points_[at].others;
      }
    }
    if (how != End::answered || open.due < begin_ || open.due >= end_) return;
    latency_.add(now - open.due);
    took_.add(now - open.begun);
  }

  void flush() {
    if (recent_.count() == 0) return;
    Point& point = points_[at_];
    point.p50 = recent_.at(0.5);
    point.p99 = recent_.at(0.99);
    point.greatest = recent_.greatest();
    recent_.clear();
  }

  std::uint64_t before_;
  Nanos begin_ = 0, end_ = 0, interval_ = second;
  Account account_;
  std::unordered_map<std::uint64_t, Open> open_;
  Histogram latency_, took_, recent_;
  std::vector<Point> points_;
  std::size_t at_ = 0;
  std::uint64_t answered_in_time_ = 0;
};

}  // namespace pointsman::load
