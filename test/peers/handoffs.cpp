// Clients and workers of the hand-off as small state machines on raw connections.
#include "test/peers/handoffs.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <vector>

#include "protocol/ticket.hpp"
#include "test/peers/samples.hpp"
#include "test/peers/zmtp.hpp"

namespace pointsman::peers {
namespace {

constexpr std::uint64_t slots = 1024;  // of a worker: nobody ever waits

std::string numbered(const char* what, unsigned number) {
  char text[32];
  std::snprintf(text, sizeof text, "%s-%03u", what, number);
  return text;
}

[[noreturn]] void unexpected(std::string_view body) {
  const std::string_view reason = text_in(body, "reason");
  throw Broken("unexpected " + std::string(op_in(body)) + (reason.empty() ? "" : ": " + std::string(reason)));
}

class Handoffs : public Driver {
 public:
  Handoffs(const Load& load, const std::string& clients, const std::string& workers);
  ~Handoffs() override;

  // Waits until all are there.
  void gather() {
    if (!loop().run(20, [this] { return connected(); })) throw Broken("not everybody could connect in time");
  }

  struct Counts {
    std::uint64_t requests = 0, grants = 0, notices = 0, closings = 0, calls = 0, replies = 0;
  };

 protected:
  bool connected() override;
  void begin() override;
  bool settled() override;
  void prove() override;

 private:
  class Client;
  class Worker;
  class NearEnd;
  class FarEnd;
  Load load_;
  Counts counts_;
  std::uint64_t next_id_ = 0;
  const std::string payload_ = std::string(64, 'p');
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<FarEnd>> far_ends_;
};

// A worker's own connection to the broker.
class Handoffs::Worker : public Zmtp {
 public:
  Worker(Handoffs& owner, unsigned number, const std::string& at)
      : Zmtp(owner.loop(), connect_to(port_of(at)), "DEALER",
             owner.load_.keys ? &owner.load_.keys->curve : nullptr),
        owner_(owner),
        name_(numbered("worker", number)) {}

  // False until the broker has registered it.
  bool is_there() {
    if (ready() && !asked_) {
      asked_ = true;
      frame(sample_register(name_, slots, owner_.load_.keys ? owner_.load_.keys->load_public : ""));
    }
    return lease_ != 0;
  }

  // Whether a session's ticket is right, as a worker checks it.
  bool admits(std::string_view ticket) const { return unseal({std::string(ticket)}, key_).has_value(); }

  void close(const std::vector<std::uint64_t>& sessions) {
    constexpr std::ptrdiff_t most = limits::events / 2;  // in one report: each session was opened, and is closed
    for (auto at = sessions.begin(); at != sessions.end();) {
      const auto end = at + std::min<std::ptrdiff_t>(most, sessions.end() - at);
      body_.clear();
      append_report(body_, lease_, event_ + 1, {at, end}, seen_);
      event_ += 2 * static_cast<std::uint64_t>(end - at);
      frame(body_);
      at = end;
    }
    owner_.counts_.closings += sessions.size();
  }

 protected:
  void received(std::string_view body, bool) override {
    const std::string_view op = op_in(body);
    if (op == "assign") {
      sessions_.clear();
      sessions_in(body, sessions_);
      seen_ += sessions_.size();
      owner_.counts_.notices += sessions_.size();
      if (owner_.load_.calls == 0) close(sessions_);
    } else if (op == "registered") {
      lease_ = number_in(body, "lease");
      key_ = {std::string(text_in(body, "key"))};
    } else {
      unexpected(body);
    }
  }

 private:
  Handoffs& owner_;
  std::string name_;
  bool asked_ = false;
  std::uint64_t lease_ = 0, event_ = 0, seen_ = 0;
  Bytes key_;
  std::string body_;
  std::vector<std::uint64_t> sessions_;
};

// The worker's end of a direct link: answers each call with its payload.
class Handoffs::FarEnd : public Zmtp {
 public:
  FarEnd(Handoffs& owner, Worker& worker, int socket)
      : Zmtp(owner.loop(), socket, "ROUTER"), owner_(owner), worker_(worker) {}

 protected:
  void received(std::string_view part, bool more) override {
    if (more) {
      if (!part.empty()) body_ = part;
      return;
    }
    if (body_.empty()) {
      body_ = part;
      part = {};
    }
    const std::string_view op = op_in(body_);
    const std::uint64_t session = number_in(body_, "session");
    frame({}, true);
    if (op == "call") {
      const std::string_view ticket = text_in(body_, "ticket");
      if (!ticket.empty() && !worker_.admits(ticket)) throw Broken("a ticket that is not right");
      reply_.set_session(session);
      frame(reply_.bytes(), true);
      frame(part);
    } else if (op == "release") {
      released_.set_session(session);
      frame(released_.bytes());
      worker_.close({session});
    } else {
      unexpected(body_);
    }
    body_.clear();
  }

 private:
  Handoffs& owner_;
  Worker& worker_;
  std::string body_;
  Sample reply_ = sample_reply(1), released_ = sample_released();
};

class Handoffs::NearEnd : public Zmtp {
 public:
  NearEnd(Handoffs& owner, Client& client, int socket)
      : Zmtp(owner.loop(), socket, "DEALER"), client_(client) {}

 protected:
  void received(std::string_view part, bool more) override;

 private:
  Client& client_;
  std::string body_;
};

// A client's own connection to the broker, and its direct links.
class Handoffs::Client : public Zmtp {
 public:
  Client(Handoffs& owner, unsigned number, const std::string& at)
      : Zmtp(owner.loop(), connect_to(port_of(at)), "DEALER",
             owner.load_.keys ? &owner.load_.keys->curve : nullptr),
        owner_(owner),
        name_(numbered("client", number)),
        request_(sample_request(name_)),
        release_(sample_release(name_)) {}

  std::vector<std::unique_ptr<NearEnd>> links;  // by worker
  bool busy = false;

  void ask() {
    busy = true;
    began_ = nanoseconds();
    write_id(id_, ++owner_.next_id_);
    request_.set_id(id_);
    frame(request_.bytes());
    ++owner_.counts_.requests;
  }

  // Of a call, on a direct link.
  void answered(std::string_view body, std::string_view payload) {
    if (op_in(body) == "released") return;
    if (op_in(body) != "reply" || number_in(body, "session") != session_ || payload != owner_.payload_)
      unexpected(body);
    ++owner_.counts_.replies;
    owner_.done(began_);
    if (--left_ > 0) {
      began_ = nanoseconds();
      call_.set_session(session_);
      send(call_.bytes());
      return;
    }
    release_.set_session(session_);
    link_->frame({}, true);
    link_->frame(release_.bytes());
    rest();
  }

 protected:
  void received(std::string_view body, bool) override {
    if (op_in(body) != "granted" || text_in(body, "id") != id_) unexpected(body);
    ++owner_.counts_.grants;
    if (owner_.load_.calls == 0) {
      owner_.done(began_);
      return rest();
    }
    session_ = number_in(body, "session");
    left_ = owner_.load_.calls;
    const std::string_view worker = text_in(body, "worker");
    link_ =
        links.at(static_cast<std::size_t>(std::stoul(std::string(worker.substr(worker.size() - 3))))).get();
    opening_.clear();
    append_opening_call(opening_, session_, text_in(body, "ticket"), name_);
    send(opening_);
  }

 private:
  void rest() {
    busy = false;
    if (owner_.going_on()) ask();
  }
  void send(std::string_view call) {
    ++owner_.counts_.calls;
    link_->frame({}, true);
    link_->frame(call, true);
    link_->frame(owner_.payload_);
  }

  Handoffs& owner_;
  std::string name_, id_, opening_;
  Sample request_, release_, call_ = sample_call(2);
  NearEnd* link_ = nullptr;
  std::uint64_t began_ = 0, session_ = 0;
  unsigned left_ = 0;
};

void Handoffs::NearEnd::received(std::string_view part, bool more) {
  if (more) {
    if (!part.empty()) body_ = part;
    return;
  }
  if (body_.empty()) {
    client_.answered(part, {});
  } else {
    client_.answered(body_, part);
  }
  body_.clear();
}

Handoffs::Handoffs(const Load& load, const std::string& clients, const std::string& workers) : load_(load) {
  for (unsigned i = 0; i < load.workers; ++i) workers_.push_back(std::make_unique<Worker>(*this, i, workers));
  for (unsigned i = 0; i < load.clients; ++i) {
    clients_.push_back(std::make_unique<Client>(*this, i, clients));
    for (unsigned w = 0; w < load.workers && load.calls > 0; ++w) {
      const auto [near, far] = connected_pair();
      clients_.back()->links.push_back(std::make_unique<NearEnd>(*this, *clients_.back(), near));
      far_ends_.push_back(std::make_unique<FarEnd>(*this, *workers_[w], far));
    }
  }
}

Handoffs::~Handoffs() = default;

bool Handoffs::connected() {
  bool all = true;
  for (const auto& worker : workers_) all = worker->is_there() && all;
  for (const auto& client : clients_) {
    all = client->ready() && all;
    for (const auto& link : client->links) all = link->ready() && all;
  }
  for (const auto& end : far_ends_) all = end->ready() && all;
  return all;
}

void Handoffs::begin() {
  for (const auto& client : clients_) client->ask();
}

bool Handoffs::settled() {
  for (const auto& client : clients_) {
    if (client->busy) return false;
  }
  return counts_.notices >= counts_.grants && counts_.closings >= counts_.grants;
}

void Handoffs::prove() {
  const Counts& c = counts_;
  const bool equal = c.requests == c.grants && c.notices == c.grants && c.closings == c.grants &&
                     c.replies == c.calls && c.calls == c.grants * load_.calls;
  if (!equal) {
    throw Broken("counts differ: " + std::to_string(c.requests) + " requests, " + std::to_string(c.grants) +
                 " grants, " + std::to_string(c.notices) + " notices, " + std::to_string(c.closings) +
                 " closings, " + std::to_string(c.calls) + " calls, " + std::to_string(c.replies) +
                 " replies");
  }
}

// Asks without waiting for answers, then for the broker's figures: when these come, everything was read.
class Waiter : public Zmtp {
 public:
  Waiter(Loop& loop, const std::string& at) : Zmtp(loop, connect_to(port_of(at)), "DEALER") {}
  void ask(unsigned count) {
    Sample request = sample_waiting_request("client-000");
    std::string id;
    for (unsigned i = 0; i < count; ++i) {
      write_id(id, i + 1);
      request.set_id(id);
      frame(request.bytes());
    }
    frame(sample_status());
  }
  bool heard = false;

 protected:
  void received(std::string_view body, bool) override {
    if (op_in(body) != "stats") unexpected(body);
    heard = true;
  }
};

class Echo : public Driver {
 public:
  Echo(const Load& load, const std::string& endpoint) {
    for (unsigned i = 0; i < load.clients; ++i) clients_.push_back(std::make_unique<Client>(*this, endpoint));
  }

 protected:
  bool connected() override {
    return std::all_of(clients_.begin(), clients_.end(), [](const auto& c) { return c->ready(); });
  }
  void begin() override {
    for (const auto& client : clients_) client->ask();
  }
  bool settled() override {
    return std::none_of(clients_.begin(), clients_.end(), [](const auto& c) { return c->busy; });
  }

 private:
  class Client : public Zmtp {
   public:
    Client(Echo& owner, const std::string& at)
        : Zmtp(owner.loop(), connect_to(port_of(at)), "DEALER"), owner_(owner) {}
    bool busy = false;
    void ask() {
      busy = true;
      began_ = nanoseconds();
      frame(body_);
    }

   protected:
    void received(std::string_view body, bool) override {
      if (body != body_) throw Broken("another echo");
      owner_.done(began_);
      busy = false;
      if (owner_.going_on()) ask();
    }

   private:
    Echo& owner_;
    std::string body_ = std::string(64, 'e');
    std::uint64_t began_ = 0;
  };
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace

Figure drive_handoffs(const Load& load, const Server& server, const std::string& clients,
                      const std::string& workers) {
  return Handoffs(load, clients, workers).measure(load, server);
}

double idle_workers(const Server& server, const std::string& workers, unsigned count) {
  Loop pause;
  const double before = server.settled_memory(pause);
  Handoffs crowd({.clients = 0, .workers = count}, {}, workers);
  crowd.gather();
  return (server.settled_memory(crowd.loop()) - before) / count;
}

double waiting_requests(const Server& server, const std::string& clients, unsigned count) {
  Loop loop;
  Waiter waiter(loop, clients);
  if (!loop.run(20, [&] { return waiter.ready(); })) throw Broken("cannot connect");
  const double before = server.settled_memory(loop);
  waiter.ask(count);
  if (!loop.run(20, [&] { return waiter.heard; })) throw Broken("the broker does not take the requests");
  return (server.settled_memory(loop) - before) / count;
}

Figure drive_echo(const Load& load, const Server& server, const std::string& endpoint) {
  return Echo(load, endpoint).measure(load, server);
}

}  // namespace pointsman::peers
