// Loops over the C interface of libzmq.
#include "test/peers/floors.hpp"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <stdexcept>

#include "protocol/ticket.hpp"
#include "test/peers/samples.hpp"

namespace pointsman::peers {
namespace {

constexpr int batch = 16;          // messages of one socket before the other has its turn
constexpr int queue_small = 1000;  // messages that libzmq keeps, as it does unless told otherwise
constexpr int queue_big = 32;      // messages of 64 KB and more

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

// One frame, kept and used again.
class Part {
 public:
  Part() { zmq_msg_init(&message_); }
  ~Part() { zmq_msg_close(&message_); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  // False if nothing is there, and `flags` say not to wait.
  bool receive(void* socket, int flags = 0) {
    while (zmq_msg_recv(&message_, socket, flags) < 0) {
      if (errno == EAGAIN) return false;
      if (errno != EINTR) fail("receive");
    }
    return true;
  }
  bool more() { return zmq_msg_more(&message_) != 0; }
  std::string_view view() {
    return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }
  // Sends the same bytes without copying them, and keeps them.
  void share(void* socket) {
    zmq_msg_t twin;
    zmq_msg_init(&twin);
    zmq_msg_copy(&twin, &message_);
    if (zmq_msg_send(&twin, socket, 0) < 0) fail("send");
  }
  void pass(void* socket, bool more) {
    if (zmq_msg_send(&message_, socket, more ? ZMQ_SNDMORE : 0) < 0) fail("send");
  }

 private:
  zmq_msg_t message_;
};

void send(void* socket, std::string_view bytes, bool more = false) {
  if (zmq_send(socket, bytes.data(), bytes.size(), more ? ZMQ_SNDMORE : 0) < 0) fail("send");
}

class Context {
 public:
  ~Context() { zmq_ctx_term(context_); }
  // A ROUTER waits where there is no room, rather than dropping what it sends.
  void* socket(int type, int queue) {
    void* socket = zmq_socket(context_, type);
    const int none = 0, yes = 1;
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &queue, sizeof queue);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &queue, sizeof queue);
    if (type == ZMQ_ROUTER) zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &yes, sizeof yes);
    return socket;
  }
  // Bound to a port of the loopback, which is put into `endpoint`. With a secret key it speaks CURVE.
  void* bound(int type, int queue, std::string& endpoint, const std::string& secret = {}) {
    void* socket = this->socket(type, queue);
    if (!secret.empty()) {
      const int yes = 1;
      zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes);
      if (zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret.c_str(), secret.size() + 1) != 0)
        fail("secret key");
    }
    char at[256];
    std::size_t size = sizeof at;
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0) fail("bind");
    zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, at, &size);
    endpoint = at;
    return socket;
  }

 private:
  void* context_ = zmq_ctx_new();
};

void ready(const std::string& what) {
  std::printf("ready %s\n", what.c_str());
  std::fflush(stdout);
}

int echo() {
  Context context;
  std::string endpoint;
  void* socket = context.bound(ZMQ_ROUTER, queue_small, endpoint);
  ready("clients=" + endpoint);
  Part part;
  for (;;) {
    part.receive(socket);
    do {
      const bool more = part.more();
      part.pass(socket, more);
      if (!more) break;
      part.receive(socket);
    } while (true);
  }
}

int handoff(const std::string& secret) {
  Context context;
  std::string clients_at, workers_at;
  void* clients = context.bound(ZMQ_ROUTER, queue_small, clients_at, secret);
  void* workers = context.bound(ZMQ_ROUTER, queue_small, workers_at, secret);
  ready("clients=" + clients_at + " workers=" + workers_at);
  struct Seat {
    std::string id;
    Sample assign, granted;
  };
  std::vector<Seat> seats;
  // The same ticket for all: made once, for what a floor does costs nothing but libzmq.
  const std::string ticket = seal(Ticket{.session = first_session}, std::string(32, 'k')).data;
  const std::string key = secret.empty() ? "" : std::string(40, 'z');
  std::uint64_t session = first_session;
  std::size_t next = 0;
  Part id, body;
  const auto from_worker = [&] {
    if (!id.receive(workers, ZMQ_DONTWAIT)) return false;
    body.receive(workers);
    if (op_in(body.view()) == "register") {
      const std::string at(id.view()), worker(text_in(body.view(), "worker"));
      seats.push_back({at, sample_assign(seats.size() + 1), sample_granted(worker, ticket, key)});
      send(workers, at, true);
      send(workers, sample_registered(worker, seats.size()));
    }
    return true;
  };
  const auto from_client = [&] {
    if (!id.receive(clients, ZMQ_DONTWAIT)) return false;
    body.receive(clients);
    Seat& seat = seats.at(next++ % seats.size());
    seat.granted.set_id(body.view().substr(body.view().find("\xa2id\xd9\x20") + 5, id_size));
    seat.granted.set_session(++session);
    seat.assign.set_session(session);
    id.pass(clients, true);
    send(clients, seat.granted.bytes());
    send(workers, seat.id, true);
    send(workers, seat.assign.bytes());
    return true;
  };
  zmq_pollitem_t items[] = {{workers, 0, ZMQ_POLLIN, 0}, {clients, 0, ZMQ_POLLIN, 0}};
  for (;;) {
    zmq_poll(items, 2, -1);
    if (items[0].revents != 0) {
      for (int i = 0; i < batch && from_worker(); ++i) {
      }
    }
    if (items[1].revents != 0) {
      for (int i = 0; i < batch && from_client(); ++i) {
      }
    }
  }
}

// The frames of a message between client and worker, as the protocol has them: what is in front of the body goes back.
// The number of a call is how many replies it gets, all with the same payload.
int worker(bool big, const std::string& proxy) {
  Context context;
  std::string endpoint = proxy;
  void* socket = nullptr;
  if (proxy.empty()) {
    socket = context.bound(ZMQ_ROUTER, big ? queue_big : queue_small, endpoint);
  } else {
    socket = context.socket(ZMQ_DEALER, big ? queue_big : queue_small);
    if (zmq_connect(socket, proxy.c_str()) != 0) fail("connect");
  }
  ready("clients=" + endpoint);
  std::vector<std::string> envelope;
  const std::string reply = sample_reply(1).bytes();
  Part part, payload;
  for (;;) {
    envelope.clear();
    do {
      part.receive(socket);
      envelope.emplace_back(part.view());
    } while (!envelope.back().empty());
    part.receive(socket);
    const std::uint64_t parts = std::max<std::uint64_t>(number_in(part.view(), "number"), 1);
    payload.receive(socket);
    for (std::uint64_t i = 0; i < parts; ++i) {
      for (const std::string& frame : envelope) send(socket, frame, true);
      send(socket, reply, true);
      payload.share(socket);
    }
  }
}

// The broker of the guide: services, their requests and their workers that wait, by name.
int majordomo(const std::string& port) {
  Context context;
  void* socket = context.socket(ZMQ_ROUTER, queue_small);
  if (zmq_bind(socket, ("tcp://127.0.0.1:" + port).c_str()) != 0) fail("bind");
  ready("clients=tcp://127.0.0.1:" + port);
  using Frames = std::vector<std::string>;
  struct Service {
    std::deque<Frames> requests;  // client, body
    std::deque<std::string> waiting;
  };
  std::map<std::string, Service> services;
  std::map<std::string, std::string> service_of;  // by worker
  const auto say = [&](const Frames& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) send(socket, frames[i], i + 1 < frames.size());
  };
  const auto dispatch = [&](Service& service) {
    while (!service.requests.empty() && !service.waiting.empty()) {
      const Frames& request = service.requests.front();
      say({service.waiting.front(), "", "MDPW01", "\x02", request[0], "", request[1]});
      service.requests.pop_front();
      service.waiting.pop_front();
    }
  };
  Part part;
  for (;;) {
    Frames frames;
    do {
      part.receive(socket);
      frames.emplace_back(part.view());
    } while (part.more());
    const std::string& from = frames.at(0);
    if (frames.at(2) == "MDPC01") {  // sender, "", MDPC01, service, body
      Service& service = services[frames.at(3)];
      service.requests.push_back({from, frames.at(4)});
      dispatch(service);
    } else if (frames.at(3) == "\x01") {  // sender, "", MDPW01, ready, service
      service_of[from] = frames.at(4);
      services[frames[4]].waiting.push_back(from);
      dispatch(services[frames[4]]);
    } else {  // sender, "", MDPW01, reply, client, "", body
      const std::string& name = service_of.at(from);
      say({frames.at(4), "", "MDPC01", name, frames.at(6)});
      services[name].waiting.push_back(from);
      dispatch(services[name]);
    }
  }
}

int proxy(bool big) {
  Context context;
  std::string clients_at, workers_at;
  void* clients = context.bound(ZMQ_ROUTER, big ? queue_big : queue_small, clients_at);
  void* workers = context.bound(ZMQ_DEALER, big ? queue_big : queue_small, workers_at);
  ready("clients=" + clients_at + " workers=" + workers_at);
  zmq_proxy(clients, workers, nullptr);
  return 0;
}

}  // namespace

int run_floor(const std::vector<std::string>& words) {
  const std::string kind = words.empty() ? "" : words[0];
  const std::string word = words.size() > 1 ? words[1] : "";
  if (kind == "echo") return echo();
  if (kind == "handoff") return handoff(word);
  if (kind == "worker") return worker(word == "big", words.size() > 2 ? words[2] : "");
  if (kind == "proxy") return proxy(word == "big");
  if (kind == "majordomo") return majordomo(word);
  throw std::runtime_error("no floor is called " + kind);
}

}  // namespace pointsman::peers
