// Sockets of libzmq, each with outboxes, driven by epoll on their descriptors.
//
// The descriptor of a zmq socket says "look at me" once: it stays silent until libzmq has been asked again.
// So whatever was sent through or left unread is looked at again before the next wait (`pending`). It also
// speaks up when a full peer has room again, which is why outboxes need no timer of their own, except as a
// second net and for the age of what waits.

#include "protocol/transport.hpp"

#include <zmq.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "protocol/codec.hpp"
#include "protocol/doorstep.hpp"
#include "protocol/connections.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/envelope.hpp"
#include "protocol/incoming.hpp"
#include "protocol/must.hpp"
#include "protocol/outbox.hpp"
#include "protocol/poller.hpp"

namespace pointsman {

namespace {

constexpr int batch = 16;               // messages a socket and turn
constexpr int sockets_max = 32 * 1024;  // of all transports of a process
constexpr int zap_enforce_domain = 93;  // ZMQ_ZAP_ENFORCE_DOMAIN: known to libzmq 4.3, not to its header
constexpr int enforced = 1;
constexpr std::size_t flush_few = 16;    // lines with something in their outboxes: where there are more they are not
constexpr Duration flush_least = std::chrono::milliseconds(1);  // looked at more often than this
constexpr int connect_timeout_ms = 5000;  // until a host that does not answer is tried again
constexpr int farewell_ms = 100;        // for what was sent to leave when a socket is closed
constexpr Duration broker_age = std::chrono::seconds(2);  // of what waits for a broker
constexpr std::size_t copied_bytes = 4096;                // payload frames up to this are copied, not lent
constexpr std::size_t frames_max = limits::envelope_frames + 1 + limits::payload_frames;

// A peer number is `counter` for a connection, `listener << 32 | automatic routing id` for a peer of a
// listener, and the same with `stranger` and a running number for one that chose its own routing id.
constexpr std::uint64_t stranger = 1ULL << 62;
constexpr int listener_shift = 32;

std::string_view view(const zmq::message_t& message) {
  return {static_cast<const char*>(message.data()), message.size()};
}

// libzmq's context, and the thread that says who is let in. It is there before the first socket and outlives
// the last: without its answer nobody is let in.
class Context {
 public:
  explicit Context(int io_threads) : zmq(io_threads) {
    zmq.set(zmq::ctxopt::max_sockets, sockets_max);
    door_ = zmq::socket_t(zmq, zmq::socket_type::router);
    door_.set(zmq::sockopt::linger, 0);
    door_.bind("inproc://zeromq.zap.01");
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { answer(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Context() {
    zmq.shutdown();
    thread_.join();
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  zmq::context_t zmq;
  Doorkeeper doorkeeper;

 private:
  bool receive(std::vector<std::string>& frames) {
    frames.clear();
    zmq::message_t frame;
    do {
      while (zmq_msg_recv(frame.handle(), door_.handle(), 0) < 0) {
        if (zmq_errno() != EINTR) return false;
      }
      frames.emplace_back(view(frame));
    } while (frame.more());
    return true;
  }

  // A request is the routing id, an empty frame and the rest. It is answered exactly once: a second answer
  // would end the process (libzmq asserts that it waits for one).
  void answer() {
    std::vector<std::string> frames;
    while (receive(frames)) {
      if (frames.size() < 2) continue;
      const std::vector<std::string> reply = doorkeeper.answer({frames.begin() + 2, frames.end()});
      frames.resize(2);
      frames.insert(frames.end(), reply.begin(), reply.end());
      for (std::size_t i = 0; i < frames.size(); ++i) {
        zmq_send(door_.handle(), frames[i].data(), frames[i].size(), i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
      }
    }
    door_.close();
  }

  zmq::socket_t door_;
  std::thread thread_;
};

// One context a process, for all its transports: libsodium's clean-up when a context ends disturbs others.
std::shared_ptr<Context> process_context(int io_threads) {
  static std::mutex mutex;
  static std::weak_ptr<Context> shared;
  const std::lock_guard lock(mutex);
  auto context = shared.lock();
  if (!context) {
    // ROUTER takes its first automatic routing id from rand(), and whoever can guess it can squat on it.
    std::srand(static_cast<unsigned>(random_number()));
    context = std::make_shared<Context>(io_threads);
    shared = context;
  }
  return context;
}

Frame adopt(zmq::message_t&& message) {
  if (message.size() == 0) return {};
  // A short message lies within its object: the view must be of the place where it comes to rest.
  auto owner = std::make_shared<const zmq::message_t>(std::move(message));
  const std::string_view bytes = view(*owner);
  return {std::move(owner), bytes};
}

// Lends the frame's memory to libzmq, which gives it back on its own thread.
zmq::message_t lend(const Frame& frame) {
  if (frame.size() <= copied_bytes) return {frame.view().data(), frame.size()};
  using Loan = std::shared_ptr<const void>;
  auto loan = std::make_unique<Loan>(frame.owner());
  auto* data = const_cast<char*>(frame.view().data());  // NOLINT: libzmq only reads what it sends
  zmq::message_t message(
      data, frame.size(), [](void*, void* hint) { delete static_cast<Loan*>(hint); }, loan.get());
  loan.release();
  return message;
}

// Both ends of an encrypted connection. libzmq keeps copies of the secret.
void encrypt(zmq::socket_t& socket, const Guard& guard) {
  socket.set(zmq::sockopt::curve_server, true);
  MUST(zmq_setsockopt(socket.handle(), ZMQ_CURVE_SECRETKEY, guard.own->secret.data(), Secret::size) == 0);
}

void encrypt(zmq::socket_t& socket, const Credentials& credentials) {
  const KeyPair& own = *credentials.own;
  MUST(zmq_setsockopt(socket.handle(), ZMQ_CURVE_SERVERKEY, credentials.server.bytes.data(), 32) == 0);
  MUST(zmq_setsockopt(socket.handle(), ZMQ_CURVE_PUBLICKEY, own.key.bytes.data(), 32) == 0);
  MUST(zmq_setsockopt(socket.handle(), ZMQ_CURVE_SECRETKEY, own.secret.data(), Secret::size) == 0);
}

// What an event of libzmq's monitor says of a connection; nothing for those that say nothing new.
std::optional<Handshake> read_handshake(std::uint64_t peer, std::uint16_t event, std::uint32_t value,
                                        const Credentials& credentials) {
  using Result = Handshake::Result;
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return Handshake{.peer = peer};
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      if (value == 500) return explain_handshake(peer, Result::full, credentials);
      return explain_handshake(peer, Result::refused, credentials);
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      if (value != ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) return std::nullopt;
      return explain_handshake(peer, Result::unlike, credentials);
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      if (!credentials.own) return std::nullopt;
      return explain_handshake(peer, Result::broken, credentials);
    default: return std::nullopt;
  }
}

// One zmq socket.
class Line {
 public:
  Line(Context& context, bool listener, Door door, std::uint64_t number, const TransportLimits& limits,
       const GateRule& rule, std::function<void()> ring)
      : listener_(listener),
        enveloped_(listener),
        door_(door),
        number_(number),
        limits_(limits),
        rule_(rule),
        doorkeeper_(context.doorkeeper),
        domain_(doorkeeper_.open(door, rule, std::move(ring))),
        socket_(context.zmq, listener ? zmq::socket_type::router : zmq::socket_type::dealer),
        outboxes_({limits.outbox, limits.outbox_bytes, door == Door::broker ? broker_age : Duration::max()},
                  [this](std::uint64_t peer, std::string_view envelope, std::string_view body,
                         const Payload& payload) { return transmit(peer, envelope, body, payload); }) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limits.message_bytes));
    socket_.set(zmq::sockopt::sndhwm, limits.send_queue);
    socket_.set(zmq::sockopt::rcvhwm, limits.receive_queue);
    socket_.set(zmq::sockopt::handshake_ivl, limits.handshake_ms);
    socket_.set(zmq::sockopt::backlog, limits.backlog);
    if (listener) {
      // So that ZMTP 1 and 2 are not spoken, and nobody is let in whom the doorkeeper has not seen. Not for a
      // connection: one that is closed while it shakes hands again would end the process (zap_client.cpp, ENOTCONN).
      socket_.set(zmq::sockopt::zap_domain, domain_);
      MUST(zmq_setsockopt(socket_.handle(), zap_enforce_domain, &enforced, sizeof enforced) == 0);
    }
    socket_.set(zmq::sockopt::tcp_keepalive, 1);
    socket_.set(zmq::sockopt::tcp_keepalive_idle, 10);
    socket_.set(zmq::sockopt::tcp_keepalive_intvl, 5);
    socket_.set(zmq::sockopt::tcp_keepalive_cnt, 3);
    if (listener) {
      socket_.set(zmq::sockopt::router_mandatory, true);
    } else {
      socket_.set(zmq::sockopt::immediate, true);  // nothing is kept for a broker that is not there
      socket_.set(zmq::sockopt::connect_timeout, connect_timeout_ms);
      socket_.set(zmq::sockopt::reconnect_ivl, static_cast<int>(50 + random_number() % 200));
      socket_.set(zmq::sockopt::reconnect_ivl_max, 2000);
    }
  }
  ~Line() {
    socket_.set(zmq::sockopt::linger, farewell_ms);  // bounded, so nothing ever hangs on it
    if (monitor_) zmq_socket_monitor(socket_.handle(), nullptr, 0);
    doorkeeper_.close(domain_);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  zmq::socket_t& socket() { return socket_; }
  const std::string& domain() const { return domain_; }
  bool secured() const { return rule_.secured; }

  void secure(const Guard& guard) { encrypt(socket_, guard); }
  void secure(const Credentials& credentials) {
    credentials_ = credentials;
    if (credentials.own) encrypt(socket_, credentials);
  }
  // Holds keys to their quotas of connections. To be monitored.
  void count_connections() {
    doorkeeper_.limit(domain_, [this](const Allowance& who) {
      if (who.connections != 0 && connections_.of(who.key) >= who.connections) return false;
      connections_.let_in(who.key);
      return true;
    });
  }
  void allow(const std::shared_ptr<const AllowedKeys>& allowed) {
    allowed_ = allowed;
    doorkeeper_.allow(domain_, allowed);
  }
  std::uint64_t dropped() const { return dropped_; }

  // Opens a monitor of a connection's handshakes, or of a listener's connections.
  void monitor(Context& context);
  // The next handshake that was told, if there is one; counts connections and broken handshakes meanwhile.
  std::optional<Handshake> handshake();
  // Whether somebody connected to a listener since it was asked last.
  bool came() { return std::exchange(came_, false); }
  const EntryCounts& broken() const { return broken_; }
  // Whether a connection that stood was lost since it was asked last.
  bool lost() { return std::exchange(lost_, false); }
  // Whether libzmq is still about to make this connection, as far as its monitor says.
  bool connecting() const { return !listener_ && monitor_ && !up_ && !failed_; }
  int monitor_descriptor() const { return monitor_ ? monitor_.get(zmq::sockopt::fd) : -1; }

  void keep_envelopes() { enveloped_ = true; }
  void owns(const std::string& endpoint) { path_ = OwnedPath(endpoint); }
  int descriptor() const { return socket_.get(zmq::sockopt::fd); }
  // Takes what libzmq's threads have told the socket. By itself it listens at most once a millisecond when something is
  // sent, and a peer that has room would look full. To be looked at then.
  void listen_to_threads() { static_cast<void>(socket_.get(zmq::sockopt::events)); }
  Door door() const { return door_; }
  std::uint64_t number() const { return number_; }
  Outboxes& outboxes() { return outboxes_; }

  // Takes the next message, if there is one.
  enum class Taken : std::uint8_t { nothing, dropped, message };
  Taken receive(Incoming& out);

  // Kept by the transport.
  bool pending = false;  // to be looked at before the next wait,
  bool hot = false;      // since more was there to be read
  bool waiting = false;  // something is in its outboxes
  bool closed = false;

 private:
  void arrived(std::uint16_t event, std::uint32_t value);
  std::size_t read(zmq::message_t& first);
  void finish(Incoming& message) const;
  std::uint64_t peer_of(std::string_view routing_id);
  bool routing_id_of(std::uint64_t peer, std::string& out) const;
  Outcome transmit(std::uint64_t peer, std::string_view envelope, std::string_view body,
                   const Payload& payload);
  Outcome push(zmq::message_t&& frame, bool more);

  const bool listener_;
  bool enveloped_;  // messages have envelopes
  const Door door_;
  const std::uint64_t number_;
  const TransportLimits limits_;
  const GateRule rule_;
  Doorkeeper& doorkeeper_;
  const std::string domain_;
  zmq::socket_t socket_;
  zmq::socket_t monitor_;
  Credentials credentials_;                     // of a connection
  bool up_ = false;                             // it stands
  bool failed_ = false;                         // its last handshake went wrong: libzmq may have given it up
  bool lost_ = false;
  bool came_ = false;
  EntryCounts broken_{};                        // handshakes with a listener that nobody was asked about
  std::shared_ptr<const AllowedKeys> allowed_;  // of a listener
  Connections connections_;                     // of a listener
  PublicKey key_;                               // that the message which is read came under
  int descriptor_ = -1;                         // that it came by, on a listener that encrypts
  std::uint64_t dropped_ = 0;
  OwnedPath path_;
  Outboxes outboxes_;
  std::array<std::string, 64> strangers_;  // routing ids of the newest, to answer them
  std::uint32_t strangers_seen_ = 0;
  std::string routing_id_;     // reused
  std::vector<Frame> frames_;  // of the message that is read, without the routing id; reused
};

Line::Taken Line::receive(Incoming& out) {
  zmq::message_t first;
  while (zmq_msg_recv(first.handle(), socket_.handle(), ZMQ_DONTWAIT) < 0) {
    if (zmq_errno() != EINTR) return Taken::nothing;
  }
  const std::uint64_t peer = listener_ ? peer_of(view(first)) : number_;
  const std::size_t seen = read(first);
  // A key that was taken away, or that nobody proved: nobody looks at what it sent.
  if (rule_.secured && (key_.none() || judge_key(rule_, allowed_.get(), key_) != Entry::admitted)) {
    ++dropped_;
    frames_.clear();
    return Taken::dropped;
  }
  if (rule_.secured && !rule_.strangers) connections_.heard(descriptor_, key_);
  out = understand({.door = door_, .peer = peer}, frames_, seen, limits_);
  frames_.clear();
  finish(out);
  return Taken::message;
}

// The frames of one message, without the routing id, and the key that it came under. Returns how many there
// were.
std::size_t Line::read(zmq::message_t& first) {
  bool more = first.more();
  frames_.clear();
  key_ = credentials_.own ? credentials_.server : PublicKey{};
  if (!listener_) frames_.push_back(adopt(std::move(first)));
  std::size_t seen = frames_.size();
  // The rest of a message is there when its first frame is.
  while (more) {
    zmq::message_t frame;
    if (zmq_msg_recv(frame.handle(), socket_.handle(), 0) < 0) {
      if (zmq_errno() == EINTR) continue;
      break;
    }
    more = frame.more();
    // Not of the routing id's frame: libzmq loses it there when it was polled for.
    if (seen == 0 && rule_.secured) {
      const char* proved = zmq_msg_gets(frame.handle(), "User-Id");
      if (proved != nullptr) key_ = key_from_z85(proved).value_or(PublicKey{});
      descriptor_ = zmq_msg_get(frame.handle(), ZMQ_SRCFD);
    }
    ++seen;
    if (frames_.size() < frames_max) frames_.push_back(adopt(std::move(frame)));
  }
  return seen;
}

void Line::monitor(Context& context) {
  const std::string where = "inproc://" + domain_;
  constexpr int broken = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
  const int events = ZMQ_EVENT_DISCONNECTED | broken |
                     (listener_ ? ZMQ_EVENT_ACCEPTED : ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
  if (zmq_socket_monitor(socket_.handle(), where.c_str(), events) != 0) throw zmq::error_t();
  monitor_ = zmq::socket_t(context.zmq, zmq::socket_type::pair);
  monitor_.set(zmq::sockopt::linger, 0);
  monitor_.set(zmq::sockopt::rcvhwm, 0);  // or libzmq's thread would wait for us when there are many
  monitor_.connect(where);
}

std::optional<Handshake> Line::handshake() {
  zmq::message_t head, where;
  while (zmq_msg_recv(head.handle(), monitor_.handle(), ZMQ_DONTWAIT) >= 0) {
    if (!head.more() || zmq_msg_recv(where.handle(), monitor_.handle(), 0) < 0 || head.size() < 6) continue;
    std::uint16_t event = 0;
    std::uint32_t value = 0;
    std::memcpy(&event, head.data(), sizeof event);
    std::memcpy(&value, static_cast<const char*>(head.data()) + sizeof event, sizeof value);
    if (listener_) {
      arrived(event, value);
      continue;
    }
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) up_ = true;
    if (event == ZMQ_EVENT_DISCONNECTED) lost_ |= std::exchange(up_, false);
    if (auto told = read_handshake(number_, event, value, credentials_)) {
      failed_ = told->result != Handshake::Result::done;
      return told;
    }
  }
  return std::nullopt;
}

// What libzmq's monitor says of a listener.
void Line::arrived(std::uint16_t event, std::uint32_t value) {
  const auto broke = [this](Entry how) { ++broken_[static_cast<std::size_t>(how)]; };
  switch (event) {
    case ZMQ_EVENT_ACCEPTED:
      came_ = true;
      connections_.opened(static_cast<int>(value));
      break;
    case ZMQ_EVENT_DISCONNECTED: connections_.closed(static_cast<int>(value)); break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      broke(value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH ? Entry::mechanism : Entry::broken);
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: broke(Entry::broken); break;
    default: break;
  }
}

// What understand() cannot know.
void Line::finish(Incoming& message) const {
  auto* received = std::get_if<Received>(&message);
  (received != nullptr ? received->key : std::get<Garbled>(message).key) = key_;
  Address& from = received != nullptr ? received->from : std::get<Garbled>(message).from;
  // Most connections have one peer, which knows the way.
  if (!enveloped_) from.envelope.clear();
  if (received != nullptr && (from.peer & stranger) != 0) {
    message = Garbled{std::move(from),
                      {.code = Code::bad_message,
                       .reason = "the socket has a routing id (identity) of its own choice; leave it unset"},
                      key_};
  }
}

// Automatic routing ids are a zero byte and a number: the handle needs no table, and never names another
// connection. Ids of a peer's own choice would need one, and bring libzmq's trap that a second peer with the
// same id is never heard; so such peers are told not to.
std::uint64_t Line::peer_of(std::string_view routing_id) {
  if (routing_id.size() == 5 && routing_id[0] == '\0') {
    std::uint64_t number = 0;
    for (const char byte : routing_id.substr(1)) number = number << 8 | static_cast<unsigned char>(byte);
    return number_ | number;
  }
  strangers_[strangers_seen_ % strangers_.size()] = routing_id;
  return stranger | number_ | strangers_seen_++;
}

bool Line::routing_id_of(std::uint64_t peer, std::string& out) const {
  const auto number = static_cast<std::uint32_t>(peer);
  if (peer & stranger) {
    if (strangers_seen_ - number > strangers_.size()) return false;
    out = strangers_[number % strangers_.size()];
    return true;
  }
  out.assign(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<unsigned char>(number >> shift));
  return true;
}

// All frames of one message. Where libzmq says no to a later frame, since the connection broke meanwhile, it
// has forgotten the frames before and drops those behind, but only if it gets them.
Outcome Line::transmit(std::uint64_t peer, std::string_view envelope, std::string_view body,
                       const Payload& payload) {
  std::vector<std::string_view> around;
  if (enveloped_) around = unpack_envelope(envelope);
  std::size_t next = 0;
  std::string_view head;
  if (listener_) {
    if (!routing_id_of(peer, routing_id_)) return Outcome::gone;
    head = routing_id_;
  } else if (!around.empty()) {
    head = around[next++];
  }
  const Outcome first = push({head.data(), head.size()}, true);
  if (first != Outcome::sent) return first;

  bool whole = true;
  for (; next < around.size(); ++next) push({around[next].data(), around[next].size()}, true);
  whole &= push({body.data(), body.size()}, !payload.empty()) == Outcome::sent;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    whole &= push(lend(payload[i]), i + 1 < payload.size()) == Outcome::sent;
  }
  return whole ? Outcome::sent : Outcome::full;
}

Outcome Line::push(zmq::message_t&& frame, bool more) {
  for (;;) {
    if (zmq_msg_send(frame.handle(), socket_.handle(), ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0) {
      return Outcome::sent;
    }
    if (zmq_errno() == EAGAIN) return Outcome::full;
    if (zmq_errno() == EHOSTUNREACH || zmq_errno() == ETERM) return Outcome::gone;
    MUST(zmq_errno() == EINTR);
  }
}

std::string problem_of(const std::string& endpoint, const zmq::error_t& error) {
  std::string text = "endpoint '" + endpoint + "': " + error.what();
  switch (error.num()) {
    case EADDRINUSE:
      return text + "; stop what listens there, or choose another one";
    case EADDRNOTAVAIL:
      return text + "; choose an address of this machine";
    case EACCES:
      return text + "; choose a port above 1023, or a folder that you may write to";
    case ENOENT:
      return text + "; make the folder first";
    case EMFILE:
      return text + "; raise `ulimit -n`";
    default:
      return text;
  }
}

}  // namespace

TransportLimits direct_limits() {
  TransportLimits direct;
  direct.payload_frames = limits::payload_frames;
  direct.payload_bytes = limits::payload_bytes;
  direct.message_bytes = limits::payload_bytes + limits::body_bytes;
  direct.outbox_bytes = 2 * limits::payload_bytes;
  direct.send_queue = 32;
  direct.receive_queue = 32;
  return direct;
}

struct Transport::Inside {
  explicit Inside(int io_threads) : context(process_context(io_threads)) {}

  std::shared_ptr<Context> context;
  Poller poller;
  std::atomic<bool> turned{false};  // somebody was, since it was last told
  std::unordered_map<std::uint64_t, std::shared_ptr<Line>> lines;
  std::vector<Doorstep> doorsteps;  // of the listeners
  std::uint64_t listeners = 0;
  std::uint64_t connections = 0;
  std::vector<std::uint64_t> pending;  // lines to look at before the next wait
  std::vector<std::uint64_t> waiting;  // lines with something in their outboxes
  Instant last_flush{};
  std::vector<std::uint64_t> visited;  // reused
  std::vector<Gone> gone;              // to be told
  std::vector<Handshake> handshakes;   // to be told
  std::string body;                    // reused
  bool enough = false;                 // of messages, in this turn
  bool room = false;                   // an outbox was emptied; to be told by the end of a turn
  std::shared_ptr<const AllowedKeys> allowed;
  std::unordered_map<std::uint64_t, std::function<void(const Handshake&)>> on_handshake;  // by peer
  std::function<void(const Turned&)> on_turned;
  std::function<void()> on_newcomers;
  bool came = false;  // somebody did, since it was last told
  std::map<std::uint64_t, std::shared_ptr<Line>> guarded;  // the listeners that encrypt

  std::shared_ptr<Line> open(bool listener, Door door, std::uint64_t number, const TransportLimits& limits,
                             const GateRule& rule) {
    const auto ring = [this] {
      turned = true;
      poller.wake();
    };
    try {
      return std::make_shared<Line>(*context, listener, door, number, limits, rule, ring);
    } catch (const zmq::error_t& error) {
      throw TransportError(std::string("cannot make a socket: ") + error.what() + "; raise `ulimit -n`");
    }
  }

  void keep(const std::shared_ptr<Line>& line) {
    lines[line->number()] = line;
    poller.watch(line->descriptor(), [this, raw = line.get()] {
      raw->hot = true;
      mark(*raw);
    });
    mark(*line);
  }

  void watch_handshakes(const std::shared_ptr<Line>& line) {
    const auto look = [this, raw = line.get()] {
      while (auto told = raw->handshake()) handshakes.push_back(*std::move(told));
      if (raw->lost()) gone.push_back({raw->door(), raw->number()});
      came |= raw->came();
    };
    poller.watch(line->monitor_descriptor(), look);
    look();  // it says nothing of later events before somebody has looked once
  }

  // Those who came, those who shook hands, and those who were turned away.
  void tell_arrivals() {
    if (std::exchange(came, false) && on_newcomers) on_newcomers();
    for (const Handshake& told : std::exchange(handshakes, {})) {
      const auto found = on_handshake.find(told.peer);
      if (found == on_handshake.end()) continue;
      const auto tell = found->second;  // it may close its connection
      tell(told);
    }
    if (!turned.exchange(false)) return;
    for (const auto& [number, line] : guarded) {
      for (const Turned& told : context->doorkeeper.take(line->domain())) {
        if (on_turned) on_turned(told);
      }
    }
  }

  void mark(Line& line) {
    if (!line.pending) pending.push_back(line.number());
    line.pending = true;
  }

  std::shared_ptr<Line> find(std::uint64_t number) const {
    const auto found = lines.find(number);
    return found == lines.end() ? nullptr : found->second;
  }

  // The line that leads to a peer.
  std::shared_ptr<Line> towards(std::uint64_t peer) const {
    const std::uint64_t listener = (peer & ~stranger) >> listener_shift << listener_shift;
    return find(listener != 0 ? listener : peer);
  }

  // Looks at the pending lines. True if a message was there.
  bool visit(const std::function<void(Incoming&&)>& sink) {
    bool any = false;
    enough = false;
    std::swap(pending, visited);
    for (const std::uint64_t number : visited) {
      const auto line = find(number);
      if (!line) continue;
      if (enough) {
        pending.push_back(number);
        continue;
      }
      line->pending = line->hot = false;
      int count = 0;
      Incoming message;
      while (count < batch && !line->closed && !enough) {
        const Line::Taken taken = line->receive(message);
        if (taken == Line::Taken::nothing) break;
        ++count;
        if (taken == Line::Taken::message) sink(std::move(message));
      }
      any |= count > 0;
      if ((count < batch && !enough) || line->closed) continue;
      line->hot = true;
      mark(*line);
    }
    visited.clear();
    return any;
  }

  bool more_to_read() const {
    return std::any_of(pending.begin(), pending.end(), [this](std::uint64_t number) {
      const auto line = find(number);
      return line && line->hot;
    });
  }

  // Empties outboxes as far as they go; returns when to try again.
  Instant flush() {
    Instant next = never;
    if (waiting.size() > flush_few && now() < last_flush + flush_least) return last_flush + flush_least;
    last_flush = now();
    std::erase_if(waiting, [&](std::uint64_t number) {
      const auto line = find(number);
      if (!line) return true;
      if (line->connecting()) {  // nothing can leave before its handshake, which ends a turn
        next = std::min(next, line->outboxes().expire(now()));
        line->waiting = !line->outboxes().empty();
        return !line->waiting;
      }
      line->listen_to_threads();
      const std::size_t held = line->outboxes().peers();
      for (const std::uint64_t peer : line->outboxes().flush(now())) gone.push_back({line->door(), peer});
      room |= line->outboxes().peers() < held;
      mark(*line);
      next = std::min(next, line->outboxes().next_flush());
      line->waiting = !line->outboxes().empty();
      return !line->waiting;
    });
    return next;
  }
};

Transport::Transport(int io_threads) : inside_(std::make_unique<Inside>(io_threads)) {}
Transport::~Transport() = default;

std::string Transport::listen(Door door, const std::string& endpoint, const TransportLimits& limits,
                              bool insecure, const Guard& guard) {
  const bool secured = guard.own != nullptr;
  const std::string wanted = bindable(endpoint, insecure || secured);
  raise_descriptor_limit();
  const auto line = inside_->open(true, door, ++inside_->listeners << listener_shift, limits,
                                  {.secured = secured, .strangers = guard.strangers, .roles = guard.roles});
  try {
    if (secured) {
      line->secure(guard);
      line->allow(inside_->allowed);
      if (!guard.strangers) line->count_connections();
    }
    if (door != Door::direct) line->monitor(*inside_->context);
    if (wanted.find('[') != std::string::npos) line->socket().set(zmq::sockopt::ipv6, true);
    line->socket().bind(wanted);
  } catch (const zmq::error_t& error) {
    throw TransportError(problem_of(endpoint, error));
  }
  inside_->keep(line);
  if (secured) inside_->guarded.emplace(line->number(), line);
  if (line->monitor_descriptor() >= 0) inside_->watch_handshakes(line);
  const std::string bound = line->socket().get(zmq::sockopt::last_endpoint);
  if (wanted != "ipc://*") line->owns(bound);  // that one libzmq removes by itself
  inside_->doorsteps.emplace_back(bound);
  return bound;
}

void Transport::hold_newcomers(bool hold) {
  for (Doorstep& doorstep : inside_->doorsteps) hold ? doorstep.hold() : doorstep.release();
}

void Transport::turn_newcomers_away() {
  for (const Doorstep& doorstep : inside_->doorsteps) doorstep.turn_away();
}

void Transport::on_newcomers(std::function<void()> told) { inside_->on_newcomers = std::move(told); }

std::uint64_t Transport::connect(Door door, const std::string& endpoint, const TransportLimits& limits,
                                 const Credentials& credentials, bool enveloped) {
  const std::string wanted = connectable(endpoint);
  const auto line = inside_->open(false, door, ++inside_->connections, limits, {});
  if (enveloped) line->keep_envelopes();
  try {
    line->secure(credentials);
    if (door == Door::broker) line->monitor(*inside_->context);
    if (wanted.find('[') != std::string::npos) line->socket().set(zmq::sockopt::ipv6, true);
    line->socket().connect(wanted);
  } catch (const zmq::error_t& error) {
    throw TransportError(problem_of(endpoint, error));
  }
  inside_->keep(line);
  if (line->monitor_descriptor() >= 0) inside_->watch_handshakes(line);
  return line->number();
}

void Transport::disconnect(std::uint64_t peer) {
  const auto line = inside_->find(peer);
  if (!line) return;
  line->closed = true;
  inside_->poller.unwatch(line->descriptor());
  if (const int monitor = line->monitor_descriptor(); monitor >= 0) inside_->poller.unwatch(monitor);
  inside_->lines.erase(peer);
  inside_->on_handshake.erase(peer);
}

bool Transport::still_connecting(std::uint64_t peer) {
  const auto line = inside_->find(peer);
  if (!line || !line->connecting()) return false;
  line->outboxes().drop(peer);
  return true;
}

void Transport::allow(std::shared_ptr<const AllowedKeys> allowed) {
  inside_->allowed = std::move(allowed);
  for (const auto& [number, line] : inside_->guarded) line->allow(inside_->allowed);
}

void Transport::on_handshake(std::uint64_t peer, std::function<void(const Handshake&)> told) {
  if (inside_->lines.contains(peer)) inside_->on_handshake[peer] = std::move(told);
}

void Transport::on_turned(std::function<void(const Turned&)> told) { inside_->on_turned = std::move(told); }

EntryCounts Transport::entries(Door door) const {
  EntryCounts sum{};
  for (const auto& [number, line] : inside_->lines) {
    if (line->door() != door) continue;
    const EntryCounts asked = line->secured() ? inside_->context->doorkeeper.counts(line->domain()) : EntryCounts{};
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += asked[i] + line->broken()[i];
  }
  return sum;
}

std::uint64_t Transport::dropped() const {
  std::uint64_t sum = 0;
  for (const auto& [number, line] : inside_->guarded) sum += line->dropped();
  return sum;
}

bool Transport::turn(Instant until, const std::function<void(Incoming&&)>& sink, Helm::Lock* lock) {
  Inside& in = *inside_;
  std::vector<Gone> told;
  std::swap(told, in.gone);
  for (const Gone& gone : told) sink(gone);

  const Instant next = in.flush();
  const bool room = std::exchange(in.room, false);
  // A handshake may have been over before anybody waited for it.
  const bool busy = in.visit(sink) || room || !told.empty() || !in.gone.empty() || !in.handshakes.empty();
  in.poller.wait(busy ? Instant{} : std::min(until, next), lock);
  in.tell_arrivals();
  if (!busy) in.visit(sink);
  return !in.gone.empty() || in.more_to_read();
}

void Transport::enough() { inside_->enough = true; }

void Transport::catch_up(const std::function<void(Incoming&&)>& sink) {
  inside_->visit(sink);
  // What is left is for whoever waits, who does not know of it: the descriptors of lines that were used here are silent.
  if (!inside_->pending.empty() || !inside_->gone.empty() || !inside_->waiting.empty() ||
      !inside_->handshakes.empty()) {
    wake();
  }
}

void Transport::send(const Send& action) {
  Inside& in = *inside_;
  const auto line = in.towards(action.to.peer);
  if (!line) return;
  encode(action.message, action.to.codec, in.body);
  const Outcome outcome = line->outboxes().send(now(), action.to, in.body, action.payload);
  in.mark(*line);
  if (outcome == Outcome::gone) in.gone.push_back({line->door(), action.to.peer});
  if (outcome == Outcome::full && !line->waiting) {
    line->waiting = true;
    in.waiting.push_back(line->number());
  }
}

bool Transport::congested(const Address& to) const {
  const auto line = inside_->towards(to.peer);
  return line && line->outboxes().holds(to.peer);
}

bool Transport::idle() const {
  return std::none_of(inside_->waiting.begin(), inside_->waiting.end(), [this](std::uint64_t number) {
    const auto line = inside_->find(number);
    return line && !line->outboxes().empty();
  });
}

void Transport::watch(int descriptor, std::function<void()> handler) {
  inside_->poller.watch(descriptor, std::move(handler));
}

void Transport::unwatch(int descriptor) {
  inside_->poller.unwatch(descriptor);
}

void Transport::wake() {
  inside_->poller.wake();
}

}  // namespace pointsman
