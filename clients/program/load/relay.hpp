// Relay: a TCP relay on this machine that can stop to forward: a partition without a firewall.
//
// While it is cut, bytes wait where they are, connections stand and new ones are not taken; nothing is lost, as for a
// cable that is pulled and put back soon enough. A thread of its own. Throws std::system_error.

#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace pointsman::load {

class Relay {
 public:
  // To this port of 127.0.0.1.
  explicit Relay(std::uint16_t to);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::uint16_t port() const { return port_; }
  void cut(bool on);

 private:
  void run();

  const std::uint16_t to_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int bell_ = -1;
  std::atomic<bool> cut_{false};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace pointsman::load
