// Newcomers: lets in no more connections than there are descriptors for, and than the configuration says.
//
// At nine tenths of the descriptors (or at connections_max) newcomers have to wait outside; at eight tenths they may come
// in again. Who is connected notices nothing. A burst may still take the last tenth before anybody looks: libzmq would
// then run in circles for who waits at the listeners. So as many descriptors as may wait there are kept in reserve: with
// the door shut and the reserve let go everybody who waits is accepted, by libzmq or by us, and nobody is left. Not
// thread safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/transport.hpp"

namespace pointsman::broker {

class Newcomers {
 public:
  // How many may wait at a listener: few where descriptors are few. Raises their limit as far as it goes.
  static int backlog();

  // To be made when both listeners are bound, with this backlog. The transport outlives it.
  Newcomers(Transport& transport, std::uint64_t connections_max);
  ~Newcomers();
  Newcomers(const Newcomers&) = delete;
  Newcomers& operator=(const Newcomers&) = delete;

  // When to look() next if nobody comes.
  Instant due() const { return due_; }

  // True if it changed whether newcomers are let in. Cheap unless they are held.
  bool look(Instant now);

  bool held() const { return held_; }
  std::size_t most() const { return high_; }  // descriptors from which on nobody is let in

 private:
  bool crowded() const;
  bool roomy() const;
  void keep_reserve();
  void drop_reserve();

  Transport& transport_;
  std::vector<int> reserve_;  // -1: not had
  std::size_t high_;          // descriptors, with the whole reserve
  std::size_t low_;
  bool held_ = false;
  Instant due_{};
};

}  // namespace pointsman::broker
