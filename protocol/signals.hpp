// Signals: those of this process as something to be read.

#pragma once

#include <csignal>
#include <initializer_list>
#include <optional>

namespace pointsman {

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

}  // namespace pointsman
