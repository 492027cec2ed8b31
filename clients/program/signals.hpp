// What a command waits for: signals, and events of other threads beside them.

#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "protocol/signals.hpp"

namespace pointsman::program {

// Wakes a waiting thread.
class Bell {
 public:
  Bell();
  int descriptor() const { return descriptor_.number(); }
  void ring();
  void silence();

 private:
  Descriptor descriptor_;
};

// Waits until one of the two is readable or the time is up; false if it is.
bool wait_for(const Signals& signals, const Bell& bell, std::chrono::steady_clock::time_point until);

// What other threads tell the one that waits. put() from any thread, take() from one.
template <class News>
class Mailbox {
 public:
  void put(News news) {
    const std::lock_guard lock(mutex_);
    news_.push_back(std::move(news));
    bell_.ring();
  }

  std::optional<News> take() {
    const std::lock_guard lock(mutex_);
    if (news_.empty()) {
      bell_.silence();
      return std::nullopt;
    }
    std::optional<News> first(std::move(news_.front()));
    news_.pop_front();
    return first;
  }

  const Bell& bell() const { return bell_; }

 private:
  std::mutex mutex_;
  std::deque<News> news_;
  Bell bell_;
};

// Ends this process as `signal` would have.
[[noreturn]] void die_of(int signal);

}  // namespace pointsman::program
