// Newcomers: lets in no more connections than there are descriptors for, and than the configuration says.
//
// At nine tenths of the descriptors (or at connections_max) newcomers have to wait outside; at eight tenths they may come
// in again. Who is connected notices nothing. A few descriptors are kept in reserve, so that there is always one to turn
// somebody away with. Not thread safe.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "protocol/transport.hpp"

namespace pointsman::broker {

class Newcomers {
 public:
  // To be made when the listeners are bound. The transport outlives it.
  Newcomers(Transport& transport, std::uint64_t connections_max);
  ~Newcomers();
  Newcomers(const Newcomers&) = delete;
  Newcomers& operator=(const Newcomers&) = delete;

  // When to look() next.
  Instant due() const { return due_; }

  // True if it changed whether newcomers are let in.
  bool look(Instant now);

  bool held() const { return held_; }
  std::size_t most() const { return high_; }  // descriptors from which on nobody is let in

 private:
  bool crowded() const;
  void keep_reserve();
  void drop_reserve();

  Transport& transport_;
  std::size_t high_;
  std::size_t low_;
  std::array<int, 4> reserve_;
  bool held_ = false;
  Instant due_{};
};

}  // namespace pointsman::broker
