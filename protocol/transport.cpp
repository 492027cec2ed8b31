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
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "protocol/codec.hpp"
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
constexpr int farewell_ms = 100;        // for what was sent to leave when a socket is closed
constexpr Duration broker_age = std::chrono::seconds(2);  // of what waits for a broker
constexpr std::size_t copied_bytes = 4096;                // payload frames up to this are copied, not lent
constexpr std::size_t frames_max = limits::envelope_frames + 1 + limits::payload_frames;

// A peer number is `counter` for a connection, `listener << 32 | automatic routing id` for a peer of a
// listener, and the same with `stranger` and a running number for one that chose its own routing id.
constexpr std::uint64_t stranger = 1ULL << 62;
constexpr int listener_shift = 32;

// One context a process, for all its transports: libsodium's clean-up when a context ends disturbs others.
std::shared_ptr<zmq::context_t> process_context() {
  static std::mutex mutex;
  static std::weak_ptr<zmq::context_t> shared;
  const std::lock_guard lock(mutex);
  auto context = shared.lock();
  if (!context) {
    // ROUTER takes its first automatic routing id from rand(), and whoever can guess it can squat on it.
    std::srand(static_cast<unsigned>(random_number()));
    context = std::make_shared<zmq::context_t>(1);
    context->set(zmq::ctxopt::max_sockets, sockets_max);
    shared = context;
  }
  return context;
}

std::string_view view(const zmq::message_t& message) {
  return {static_cast<const char*>(message.data()), message.size()};
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

// One zmq socket.
class Line {
 public:
  Line(zmq::context_t& context, bool listener, Door door, std::uint64_t number, const TransportLimits& limits)
      : listener_(listener),
        door_(door),
        number_(number),
        limits_(limits),
        socket_(context, listener ? zmq::socket_type::router : zmq::socket_type::dealer),
        outboxes_({limits.outbox, limits.outbox_bytes, door == Door::broker ? broker_age : Duration::max()},
                  [this](std::uint64_t peer, std::string_view envelope, std::string_view body,
                         const Payload& payload) { return transmit(peer, envelope, body, payload); }) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limits.message_bytes));
    socket_.set(zmq::sockopt::sndhwm, limits.send_queue);
    socket_.set(zmq::sockopt::rcvhwm, limits.receive_queue);
    socket_.set(zmq::sockopt::handshake_ivl, limits.handshake_ms);
    socket_.set(zmq::sockopt::zap_domain, "pointsman");  // so that ZMTP 1 and 2 are not spoken
    socket_.set(zmq::sockopt::tcp_keepalive, 1);
    socket_.set(zmq::sockopt::tcp_keepalive_idle, 10);
    socket_.set(zmq::sockopt::tcp_keepalive_intvl, 5);
    socket_.set(zmq::sockopt::tcp_keepalive_cnt, 3);
    if (listener) {
      socket_.set(zmq::sockopt::router_mandatory, true);
      socket_.set(zmq::sockopt::backlog, 4096);
    } else {
      socket_.set(zmq::sockopt::immediate, true);  // nothing is kept for a broker that is not there
      socket_.set(zmq::sockopt::reconnect_ivl, static_cast<int>(50 + random_number() % 200));
      socket_.set(zmq::sockopt::reconnect_ivl_max, 2000);
    }
  }
  ~Line() { socket_.set(zmq::sockopt::linger, farewell_ms); }  // bounded, so nothing ever hangs on it
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  zmq::socket_t& socket() { return socket_; }
  void owns(const std::string& endpoint) { path_ = OwnedPath(endpoint); }
  int descriptor() const { return socket_.get(zmq::sockopt::fd); }
  Door door() const { return door_; }
  std::uint64_t number() const { return number_; }
  Outboxes& outboxes() { return outboxes_; }

  // The next message, if there is one.
  bool receive(Incoming& out);

  // Kept by the transport.
  bool pending = false;  // to be looked at before the next wait,
  bool hot = false;      // since more was there to be read
  bool waiting = false;  // something is in its outboxes
  bool closed = false;

 private:
  void finish(Incoming& message) const;
  std::uint64_t peer_of(std::string_view routing_id);
  bool routing_id_of(std::uint64_t peer, std::string& out) const;
  Outcome transmit(std::uint64_t peer, std::string_view envelope, std::string_view body,
                   const Payload& payload);
  Outcome push(zmq::message_t&& frame, bool more);

  const bool listener_;
  const Door door_;
  const std::uint64_t number_;
  const TransportLimits limits_;
  zmq::socket_t socket_;
  OwnedPath path_;
  Outboxes outboxes_;
  std::array<std::string, 64> strangers_;  // routing ids of the newest, to answer them
  std::uint32_t strangers_seen_ = 0;
  std::string routing_id_;     // reused
  std::vector<Frame> frames_;  // of the message that is read, without the routing id; reused
};

bool Line::receive(Incoming& out) {
  zmq::message_t first;
  for (;;) {
    if (zmq_msg_recv(first.handle(), socket_.handle(), ZMQ_DONTWAIT) >= 0) break;
    if (zmq_errno() != EINTR) return false;
  }
  const std::uint64_t peer = listener_ ? peer_of(view(first)) : number_;
  bool more = first.more();
  frames_.clear();
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
    ++seen;
    if (frames_.size() < frames_max) frames_.push_back(adopt(std::move(frame)));
  }
  out = understand({.door = door_, .peer = peer}, frames_, seen, limits_);
  frames_.clear();
  finish(out);
  return true;
}

// What understand() cannot know.
void Line::finish(Incoming& message) const {
  auto* received = std::get_if<Received>(&message);
  Address& from = received != nullptr ? received->from : std::get<Garbled>(message).from;
  // An envelope is only for listeners to keep: a connection has one peer, which knows the way.
  if (!listener_) from.envelope.clear();
  if (received != nullptr && (from.peer & stranger) != 0) {
    message = Garbled{std::move(from),
                      {.code = Code::bad_message,
                       .reason = "the socket has a routing id (identity) of its own choice; leave it unset"}};
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
  std::string_view head;
  if (listener_) {
    if (!routing_id_of(peer, routing_id_)) return Outcome::gone;
    head = routing_id_;
  }
  const Outcome first = push({head.data(), head.size()}, true);
  if (first != Outcome::sent) return first;

  bool whole = true;
  if (listener_) {
    for (const std::string_view frame : unpack_envelope(envelope)) push({frame.data(), frame.size()}, true);
  }
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
  std::shared_ptr<zmq::context_t> context = process_context();
  Poller poller;
  std::unordered_map<std::uint64_t, std::shared_ptr<Line>> lines;
  std::uint64_t listeners = 0;
  std::uint64_t connections = 0;
  std::vector<std::uint64_t> pending;  // lines to look at before the next wait
  std::vector<std::uint64_t> waiting;  // lines with something in their outboxes
  std::vector<std::uint64_t> visited;  // reused
  std::vector<Gone> gone;              // to be told
  std::string body;                    // reused

  std::shared_ptr<Line> open(bool listener, Door door, std::uint64_t number, const TransportLimits& limits) {
    try {
      return std::make_shared<Line>(*context, listener, door, number, limits);
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
    std::swap(pending, visited);
    for (const std::uint64_t number : visited) {
      const auto line = find(number);
      if (!line) continue;
      line->pending = line->hot = false;
      int count = 0;
      Incoming message;
      while (count < batch && !line->closed && line->receive(message)) {
        ++count;
        sink(std::move(message));
      }
      any |= count > 0;
      if (count < batch || line->closed) continue;
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
    std::erase_if(waiting, [&](std::uint64_t number) {
      const auto line = find(number);
      if (!line) return true;
      for (const std::uint64_t peer : line->outboxes().flush(now())) gone.push_back({line->door(), peer});
      mark(*line);
      next = std::min(next, line->outboxes().next_flush());
      line->waiting = !line->outboxes().empty();
      return !line->waiting;
    });
    return next;
  }
};

Transport::Transport() : inside_(std::make_unique<Inside>()) {}
Transport::~Transport() = default;

std::string Transport::listen(Door door, const std::string& endpoint, const TransportLimits& limits,
                              bool insecure) {
  const std::string wanted = bindable(endpoint, insecure);
  raise_descriptor_limit();
  const auto line = inside_->open(true, door, ++inside_->listeners << listener_shift, limits);
  try {
    if (wanted.find('[') != std::string::npos) line->socket().set(zmq::sockopt::ipv6, true);
    line->socket().bind(wanted);
  } catch (const zmq::error_t& error) {
    throw TransportError(problem_of(endpoint, error));
  }
  inside_->keep(line);
  const std::string bound = line->socket().get(zmq::sockopt::last_endpoint);
  if (wanted != "ipc://*") line->owns(bound);  // that one libzmq removes by itself
  return bound;
}

std::uint64_t Transport::connect(Door door, const std::string& endpoint, const TransportLimits& limits) {
  const std::string wanted = connectable(endpoint);
  const auto line = inside_->open(false, door, ++inside_->connections, limits);
  try {
    if (wanted.find('[') != std::string::npos) line->socket().set(zmq::sockopt::ipv6, true);
    line->socket().connect(wanted);
  } catch (const zmq::error_t& error) {
    throw TransportError(problem_of(endpoint, error));
  }
  inside_->keep(line);
  return line->number();
}

void Transport::disconnect(std::uint64_t peer) {
  const auto line = inside_->find(peer);
  if (!line) return;
  line->closed = true;
  inside_->poller.unwatch(line->descriptor());
  inside_->lines.erase(peer);
}

bool Transport::turn(Instant until, const std::function<void(Incoming&&)>& sink) {
  Inside& in = *inside_;
  std::vector<Gone> told;
  std::swap(told, in.gone);
  for (const Gone& gone : told) sink(gone);

  const Instant next = in.flush();
  const bool busy = in.visit(sink) || !told.empty() || !in.gone.empty();
  in.poller.wait(busy ? Instant{} : std::min(until, next));
  if (!busy) in.visit(sink);
  return !in.gone.empty() || in.more_to_read();
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
