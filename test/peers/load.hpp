// Closed loops: so many clients, each with one operation outstanding. What every driver shares is here; what an
// operation is, a driver says.

#pragma once

#include <cstdint>

#include "test/peers/figures.hpp"
#include "test/peers/servers.hpp"
#include "test/peers/wire.hpp"

namespace pointsman::peers {

struct Load {
  unsigned clients = 1;
  unsigned workers = 4;
  unsigned calls = 0;          // within a session; 0: the hand-off alone
  double warm_up = 0.2;        // seconds
  double seconds = 1;          // of measuring
  const Keys* keys = nullptr;  // CURVE
};

class Driver {
 public:
  virtual ~Driver() = default;
  Loop& loop() { return loop_; }

  // The whole: waits until all is connected, warms up, measures, lets what is under way end and checks that nothing
  // was lost. Throws Broken.
  Figure measure(const Load& load, const Server& server);

 protected:
  virtual bool connected() = 0;
  virtual void begin() = 0;    // every client starts its first operation
  virtual bool settled() = 0;  // whether nothing is under way any more; asked once going_on() is false
  virtual void prove() {}      // throws Broken unless counts are equal

  // For the clients of a driver: an operation began then and has ended now.
  void done(std::uint64_t began) {
    const std::uint64_t now = nanoseconds();
    if (counting_) latencies_.add(now - began);
    ended_ = now;
  }
  bool going_on() const { return going_on_; }
  std::uint64_t just_ended() const { return ended_; }

 private:
  Loop loop_;
  Latencies latencies_;
  bool counting_ = false, going_on_ = true;
  std::uint64_t ended_ = 0;
};

}  // namespace pointsman::peers
