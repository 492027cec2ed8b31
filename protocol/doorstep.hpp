// Doorstep: where newcomers of a listener wait while nobody else can be let in.
//
// Unbinding is no way to stop accepting: libzmq makes every connection a child of its listener, and ends them all with
// it (probed with 4.3.4). So the listening socket stays, and the kernel keeps newcomers from it: a TCP listener gets a
// filter that drops whatever comes for it (socket(7), SO_ATTACH_FILTER; established connections are sockets of their own),
// and the path of an ipc listener is renamed. Newcomers try again by themselves. Not thread safe.

#pragma once

#include <string>

namespace pointsman {

class Doorstep {
 public:
  // Of the listener that this process has bound there, as libzmq names it (ZMQ_LAST_ENDPOINT).
  explicit Doorstep(const std::string& endpoint);
  ~Doorstep();  // lets them in again
  Doorstep(Doorstep&& other) noexcept;
  Doorstep& operator=(Doorstep&&) = delete;

  // Keeps newcomers out. Once more does no harm.
  void hold();
  void release();

  // Turns away those who have come already but were not let in: what finds no descriptor would keep libzmq busy for
  // nothing. libzmq goes on accepting meanwhile, so as many descriptors must be free as may wait.
  void turn_away() const;

 private:
  std::string path_;     // of an ipc listener
  int listener_ = -1;    // libzmq's; -1: not found
  bool held_ = false;
};

// Descriptors that this process has open; and the most that it may have.
std::size_t open_descriptors();
std::size_t descriptor_limit();

}  // namespace pointsman
