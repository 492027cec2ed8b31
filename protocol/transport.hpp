// Transport: sockets, time, signals. The one file whose source includes zmq, and the shell that drives any core.
//
// A message is: return envelope, body, payload frames. On a listener (ROUTER) everything up to and including
// the first empty frame is the envelope and is echoed in front of the answer; where there is no empty frame
// the first frame is the body. So REQ, REQ with CORRELATE and RELAXED, and bare DEALER peers all work.
//
// One thread owns a Transport; only wake() may be called from others. Errors of the world (cannot bind)
// are thrown as TransportError. A send never blocks: what a full peer cannot take waits in its outbox, and
// a peer whose outbox is full is Gone.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>

#include "protocol/machine.hpp"

namespace pointsman {

struct TransportError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct TransportLimits {
  std::size_t body_bytes = limits::body_bytes;
  std::size_t message_bytes = 256 * 1024;  // one frame, as libzmq bounds it (ZMQ_MAXMSGSIZE)
  std::size_t outbox = 64;                 // messages that wait for one slow peer
  int send_queue = 64;                     // ZMQ_SNDHWM
  int receive_queue = 64;                  // ZMQ_RCVHWM
  int handshake_ms = 3000;
};

// Steady time in microseconds since this process started to use it, never zero.
Instant now();

// Unix time in microseconds: a broker's epoch.
std::uint64_t unix_microseconds();

// 128 random bits in hexadecimal; 32 random bytes; from the system.
std::string random_name();
Bytes random_key();

using Incoming = std::variant<Received, Garbled, Gone>;

class Transport {
 public:
  Transport();
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Binds a ROUTER and returns the endpoint that it really has (`tcp://127.0.0.1:*` gets a port). Refuses
  // schemes other than tcp and ipc, and tcp that is not loopback unless `insecure`.
  std::string listen(Door door, const std::string& endpoint, const TransportLimits& limits, bool insecure = false);

  // Connects a DEALER and returns its peer number, for Address::peer. Never blocks.
  std::uint64_t connect(Door door, const std::string& endpoint, const TransportLimits& limits);

  // Closes one connection made by connect(); what it had not sent is dropped.
  void disconnect(std::uint64_t peer);

  // Waits until `until`, a message, a watched descriptor or wake(). Messages go to `sink`, at most 16 a
  // socket and turn; returns what became readable among the watched descriptors by calling their handlers.
  void turn(Instant until, const std::function<void(Incoming&&)>& sink);

  // Sends, or queues in the peer's outbox. What became Gone is told at the next turn.
  void send(const Send& action);

  // True if `to` would have to queue: a producer of many parts should wait for turn() to drain it.
  bool congested(const Address& to) const;

  // Calls `handler` in turn() whenever `descriptor` is readable.
  void watch(int descriptor, std::function<void()> handler);
  void unwatch(int descriptor);

  // Ends a turn() that waits. From any thread.
  void wake();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace pointsman
