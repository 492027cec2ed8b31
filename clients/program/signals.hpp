// Signals as readable events, and events of other threads beside them: what a command waits for.

#pragma once

#include <chrono>
#include <csignal>
#include <deque>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <utility>

namespace pointsman::program {

// A descriptor that is closed when its owner goes.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

// Blocks these signals in this thread and those it starts, and gets them one by one. To be made before any
// other thread. Restores the mask at its end.
class Signals {
 public:
  explicit Signals(std::initializer_list<int> signals);
  ~Signals();

  int descriptor() const { return descriptor_.number(); }

  struct Came {
    int signal;
    bool from_terminal;  // the kernel sent it to the whole foreground group
  };
  std::optional<Came> next();  // does not wait

  // The mask that was there before, for children.
  const sigset_t& before() const { return before_; }

 private:
  sigset_t before_{};
  Descriptor descriptor_;
};

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
