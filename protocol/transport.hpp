// Transport: sockets, time, signals. The one file whose source includes zmq, and the shell that drives any
// core.
//
// A listener with a key pair encrypts (CURVE) and lets in only keys that allow() named and that have a role
// for it; nothing of anybody else reaches the decoder. Every message then carries the key that was proved. A
// key that is taken away loses effect at once: what comes from it is dropped unread, also on connections that
// stand.
//
// A message is: return envelope, body, payload frames. On a listener (ROUTER) everything up to and including
// the first empty frame is the envelope and is echoed in front of the answer; where there is no empty frame
// the first frame is the body. So REQ, REQ with CORRELATE and RELAXED, and bare DEALER peers all work. A
// connection (DEALER) puts one empty frame in front of what it sends and takes answers with or without.
//
// One thread at a time uses a Transport; only wake() may be called from others. Threads that take turns have a Helm,
// whose lock they hold; turn() lets go of it while it waits. Errors of the world (cannot bind) are thrown as
// TransportError. A send never blocks: what a full peer cannot take waits in its outbox,
// and a peer whose outbox is full is Gone.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>

#include "protocol/doorkeeper.hpp"
#include "protocol/handshake.hpp"
#include "protocol/helm.hpp"
#include "protocol/keyfile.hpp"
#include "protocol/machine.hpp"
#include "protocol/system.hpp"

namespace pointsman {

// what() names the endpoint, the problem and the remedy.
struct TransportError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Bounds of one socket. The defaults fit links to a broker, which carry no payload.
struct TransportLimits {
  std::size_t body_bytes = limits::body_bytes;
  std::size_t payload_frames = 0;
  std::size_t payload_bytes = 0;
  // One frame, as libzmq bounds it (ZMQ_MAXMSGSIZE): the connection of a peer that sends a larger one is
  // closed. What is larger than the bounds above but not than this is answered.
  std::size_t message_bytes = 2 * limits::body_bytes;
  std::size_t outbox = 4096;                   // messages that wait for one slow peer
  std::size_t outbox_bytes = 4 * 1024 * 1024;  // and their size; one message may always wait
  int send_queue = 64;                         // ZMQ_SNDHWM
  int receive_queue = 64;                      // ZMQ_RCVHWM
  int handshake_ms = 3000;                     // for a peer to say that it speaks ZMTP
  int backlog = 4096;                          // who may wait at a listener until libzmq lets them in
};

// The bounds of a direct link, between a client and a worker.
TransportLimits direct_limits();

// What a listener asks of those who come. Without `own` it does not encrypt, and everybody is let in.
struct Guard {
  SharedKeyPair own;
  Roles roles;             // a key needs one of them
  bool strangers = false;  // or none: any key is let in, and what it brings is looked at by somebody else
};

using Incoming = std::variant<Received, Garbled, Gone>;

// The connection by which it came, or that is gone.
inline std::uint64_t peer_of(const Incoming& incoming) {
  if (const auto* gone = std::get_if<Gone>(&incoming)) return gone->peer;
  if (const auto* garbled = std::get_if<Garbled>(&incoming)) return garbled->from.peer;
  return std::get<Received>(incoming).from.peer;
}

class Transport {
 public:
  // `io_threads`: of libzmq's, which move what is sent and received, for all transports of the process; the first one says it.
  explicit Transport(int io_threads = 1);
  ~Transport();  // gives what was sent at most 100 ms to leave
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Binds a ROUTER and returns the endpoint that it really has (`tcp://127.0.0.1:*` gets a port). Refuses
  // schemes other than tcp and ipc, and tcp that is not loopback unless it encrypts or `insecure`.
  std::string listen(Door door, const std::string& endpoint, const TransportLimits& limits,
                     bool insecure = false, const Guard& guard = {});

  // Connects a DEALER and returns its peer number, for Address::peer. Never blocks; what is sent before the
  // connection stands waits in the outbox. Throws for what can never be connected to: where the endpoint came
  // from a peer, catch that. With `enveloped` messages have return envelopes on this connection, too, for they are
  // those of others: what is sent takes Address::envelope with it, and its answer brings it back.
  std::uint64_t connect(Door door, const std::string& endpoint, const TransportLimits& limits,
                        const Credentials& credentials = {}, bool enveloped = false);

  // Closes one connection made by connect(). What was sent before has 100 ms to leave; what waited in the
  // outbox is dropped.
  void disconnect(std::uint64_t peer);

  // True for a connection through Door::broker that does not stand yet, or not again: it goes on being made, and what
  // waited in its outbox is dropped. To give it up and begin another one would help nobody: a listener with a crowd before
  // it takes the dead ones first, and would never come to those who live.
  bool still_connecting(std::uint64_t peer);

  // Keeps newcomers from all listeners, or lets them in again; who is connected stays so. Those who have come but were
  // not let in wait until they are turned away. See protocol/doorstep.hpp.
  void hold_newcomers(bool hold);
  void turn_newcomers_away();

  // Calls `told` in turn() when somebody has connected to a listener, once for all who did since the last time.
  void on_newcomers(std::function<void()> told);

  // From now on these keys are let in by listeners that encrypt; before the first call none is.
  void allow(std::shared_ptr<const AllowedKeys> allowed);

  // Calls `told` in turn() for each handshake of a connection through Door::broker, until it is closed.
  void on_handshake(std::uint64_t peer, std::function<void(const Handshake&)> told);

  // Calls `told` in turn() for everybody whom a listener turned away; of many at a time only the first are
  // told, all are counted.
  void on_turned(std::function<void(const Turned&)> told);

  // Who was let in and turned away by all listeners of a door, and the messages of keys that were taken away. Without
  // encryption only broken handshakes are counted.
  EntryCounts entries(Door door) const;
  std::uint64_t dropped() const;

  // Waits until `until`, a message, a watched descriptor, an outbox that has become empty, or wake(). Messages go to
  // `sink`, at most 16 a socket and turn; the handlers of readable watched descriptors are called. Both may use the
  // transport, except turn(). True if more messages are there already: another turn() will not wait.
  bool turn(Instant until, const std::function<void(Incoming&&)>& sink, Helm::Lock* lock = nullptr);

  // Within a sink: who turns has what it waits for. What else has come is left for the next turn().
  void enough();

  // For who has sent something while another thread waits in turn(): hands on what has come meanwhile, for which
  // that thread may not be woken any more.
  void catch_up(const std::function<void(Incoming&&)>& sink);

  // Sends, or queues in the peer's outbox. What became Gone is told at the next turn. Messages through
  // Door::broker leave within two seconds or not at all: they are never for the broker's next life.
  void send(const Send& action);

  // True if `to` would have to queue: a producer of many parts should wait until it does not, and look after each turn().
  bool congested(const Address& to) const;

  // True if nothing waits in any outbox: libzmq has taken all that was sent.
  bool idle() const;

  // Calls `handler` in turn() whenever `descriptor` is readable. Unwatch before closing it.
  void watch(int descriptor, std::function<void()> handler);
  void unwatch(int descriptor);

  // Ends a turn() that waits, or the next one. From any thread.
  void wake();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace pointsman
