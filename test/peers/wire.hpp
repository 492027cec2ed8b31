// The load generator's own sockets: one thread, one epoll loop, connections that cost little. Every row of a
// comparison is driven by these, so that rows differ only by what is measured.
//
// Not thread safe. What goes wrong on a connection is thrown as Broken.

#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pointsman::peers {

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Nanoseconds of the steady clock.
std::uint64_t nanoseconds();

// The port in tcp://127.0.0.1:PORT.
std::uint16_t port_of(const std::string& endpoint);
// A port of the loopback that was free a moment ago.
std::uint16_t free_port();

// Descriptors of TCP connections over the loopback: to a port, and of both ends of a new one.
int connect_to(std::uint16_t port);
int new_listener(std::uint16_t& port);  // `port` is filled in
std::pair<int, int> connected_pair();

class Link;

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Handles what comes until `done` says so, asked after each batch; false if `within` seconds passed first.
  bool run(double within, const std::function<bool()>& done);
  void run(double seconds) {
    run(seconds, [] { return false; });
  }

 private:
  friend class Link;
  void flush();
  int epoll_;
  std::vector<Link*> dirty_;  // have something to send
};

// One TCP connection. Takes its descriptor.
class Link {
 public:
  Link(Loop& loop, int socket);
  virtual ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // What is appended leaves with the end of the current batch, or as soon as there is room.
  std::string& out() {
    if (!dirty_) mark();
    return out_;
  }
  void put(std::string_view bytes) { out() += bytes; }
  std::size_t unsent() const { return out_.size() - sent_; }

 protected:
  // Gets what has come; returns how much of it is dealt with. The rest is shown again with what follows.
  virtual std::size_t take(std::string_view bytes) = 0;
  // The other side has closed. Throws Broken unless overridden.
  virtual void over();
  // Another connection in this one's place; nothing of the old one is kept.
  void replace(int socket);
  // Closes it until it is replaced.
  void shut();
  // What epoll says. Of a listener it is overridden: it accepts.
  virtual void handle(std::uint32_t events);
  int accept();  // a new connection; -1: there is none

 private:
  friend class Loop;
  void watch(int operation, std::uint32_t events);
  void mark();
  void flush();

  Loop& loop_;
  int socket_;
  bool dirty_ = false;
  bool wants_room_ = false;
  std::string in_, out_;
  std::size_t sent_ = 0;
};

}  // namespace pointsman::peers
