// The reference: what a broker has to do, in sets and integers, without an index, a heap or a chain.
//
// It is told the same events as the broker and what the broker made of them, fact by fact, and says where the two differ.
// What follows from the events alone (who is granted, refused, closed, in which order) it works out itself by looking at
// everything; when a lease is over and what chance decides it takes from the broker, and checks that it may be so.
// One reference accompanies one broker, and knows nothing of former ones.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/broker.hpp"
#include "broker/core/pace.hpp"
#include "test/sim/invariants.hpp"

namespace pointsman::sim {

// The broker's own lists, asked for by an observer who is no part of the network.
struct Lists {
  std::vector<WorkerRow> workers;
  std::vector<SessionRow> sessions;
  std::vector<WaitingRow> waiting;
};

class Reference {
 public:
  explicit Reference(const broker::Options& options) : options_(options), services_(options.services) {}

  // The broker is about to be stepped; `deadline` is when it wanted to be.
  void woken(Instant now, Instant deadline);

  // It was stepped: with Elapsed whenever its deadline had come, then with the event itself.
  void stepped(Instant now, const broker::Event& event, const broker::Actions& actions);

  void compare(Instant now, const Lists& lists) const;

 private:
  using Name = std::pair<std::string, std::string>;  // of a request: client and id
  struct Seat {
    std::uint64_t weight = 1;
    std::uint64_t slots = 1;
    std::uint64_t used = 0;
    std::uint64_t order = 0;
    std::int64_t credit = 0;
  };
  struct Worker {
    std::string name;
    std::string instance;
    std::uint64_t lease = 0;
    std::uint64_t peer = 0;
    std::uint64_t slots = 1;
    std::uint64_t used = 0;
    std::map<std::string, Seat> seats;
    Duration term{0};  // 0: for ever
    Duration heartbeat{0};
    Instant registered;
    Instant heard;
    Duration forgiven_then{0};
    Duration overslept_then{0};
    Instant silent_since = never;
    Instant asked_since = never;  // for a sign of life
    bool probing = false;
    bool unanswered = false;
    bool hung = false;
    bool draining = false;
    Attributes attributes;
    std::string accepts;
    std::uint64_t completed = 0;
    Milliseconds busy{0};
    broker::Pace pace;  // if it is known
    std::uint64_t assigned = 0;
    Instant assigned_at;
    int differs = 0;  // heartbeats in a row whose figures did
    std::uint64_t applied = 0;
    std::uint64_t applied_before = 0;  // this step
    bool suspect() const { return silent_since != never || unanswered || hung; }
    bool available() const { return !suspect() && !probing && !draining; }
  };
  struct Session {
    std::uint64_t worker = 0;  // its lease; 0: it is being registered anew
    std::string service;
    Name request;
    std::string client;
    bool answers = false;  // the request's answer is this one
    bool open = false;
    bool failed = false;
    bool released = false;  // somebody has asked for it
    Instant granted;
    Instant lapses;
    std::uint64_t assignment = 0;
  };
  struct Asked {
    enum class Stage : std::uint8_t { waiting, granted, ended } stage = Stage::waiting;
    std::string service;
    std::set<std::string> exclude;
    std::set<std::string> linked;  // until it waits
    std::string when;
    std::string prefer;
    Attributes attributes;
    std::uint64_t priority = 0;
    std::uint64_t peer = 0;
    bool known_peer = true;
    Instant deadline;
    bool absent = false;
    std::pair<std::int64_t, std::uint64_t> key;
    std::uint64_t session = 0;
    bool released = false;
    Code ending = Code::ended;
    Instant forget;
  };
  struct Means {
    double session = 0;
    std::uint64_t done = 0;
  };

  // Events.
  void take(const Address& from, const Request& m);
  void take(const Address& from, const Cancel& m);
  void take(const Address& from, const Release& m);
  void take(const Address& from, const Register& m);
  void take(const Address& from, const Heartbeat& m);
  void take(const Address& from, const Report& m);
  void take(const Address& from, const Holding& m);
  void take(const Address& from, const Leave& m);
  void take(const Address& from, const Drain& m);
  void take(const Address& from, const Configure& m);
  template <class M>
  void take(const Address&, const M&) {}
  Worker* under_lease(const Address& from, std::uint64_t lease);
  static void did(Worker& worker, std::uint64_t completed, Milliseconds busy);
  std::optional<Code> refusal(const Request& m, const Asked& asked) const;

  // Facts.
  void fact(const Address& to, const Registered& m);
  void fact(const Address& to, const Assign& m);
  void fact(const Address& to, const Granted& m);
  void fact(const Address& to, const Refused& m);
  void fact(const Address& to, const Queued& m);
  void fact(const Address& to, const Heard& m);
  void fact(const Address& to, const Release& m);
  void fact(const Address& to, const Sync& m);
  void fact(const Address& to, const Happened& m);
  template <class M>
  void fact(const Address&, const M&) {}
  void check_next_beat(const Address& to, const Worker& worker, Duration next);
  void suspected(Worker& worker, const std::string& why);
  void struck_off(const std::string& name, bool expired);
  void opened(std::uint64_t id);
  void closed(std::uint64_t id, const std::string& ending);
  void refused(const Name& name, const std::string& code);

  // What is so.
  std::uint64_t room(const Worker& worker, const std::string& service) const;
  std::optional<Code> unserved(const Asked& asked) const;
  bool is_free(const Worker& worker, const std::string& service) const;
  static bool suits(const Worker& worker, const Asked& asked);
  static bool wants_the_same(const Asked& a, const Asked& b);
  bool rivals(const Asked& a, const Asked& b) const;
  std::vector<Worker*> free_for(const Asked& asked);
  std::vector<const Asked*> line(const std::string& service, std::vector<Name>* names = nullptr) const;
  void check_choice(const Asked& asked, const Worker& chosen);
  void check_choice(const Asked& asked, const Worker& chosen, std::vector<Worker*> free);
  void adopt_brought();
  void adopt(Worker& worker, const Held& held);
  void let_go(const Release& m);
  bool was_let_go(const Held& held);
  void drop(std::uint64_t id);
  void end(const Name& name, Code how);
  void forget_oldest();
  void settle();
  bool many_silent() const;
  void check_times() const;
  Worker* by_name(const std::string& name);
  const broker::ServiceSettings& settings(const std::string& service) const;
  static std::string text(const Name& name) { return name.second; }

  broker::Options options_;
  std::map<std::string, broker::ServiceSettings> services_;
  std::map<std::string, Means> means_;
  std::map<std::uint64_t, Worker> workers_;  // by lease
  std::map<std::uint64_t, Session> sessions_;
  std::map<Name, Asked> asked_;
  std::map<std::pair<std::uint64_t, Duration>, Instant::duration> moments_;  // of the heartbeats of each connection, by how often
  std::map<Name, Asked*> waiting_;  // of these, who wait
  std::deque<Name> ended_;          // and whose requests are over, the oldest first
  // Sessions that were released while no worker held them here, the oldest first.
  struct Late {
    Instant until;
    std::uint64_t session = 0;
    std::string client;
  };
  std::deque<Late> late_;
  std::uint64_t orders_ = 0;
  std::uint64_t arrivals_ = 0;
  Instant now_;
  Instant started_ = never;
  Duration overslept_{0};  // what the broker has to give back, at least
  Duration forgiven_{0};   // and at most
  Instant protect_since_ = never;
  Duration protect_term_{0};
  Instant next_strike_;
  Instant braked_until_;  // most of the workers were silent then, the last time
  Duration longest_{0};   // of all terms

  // Of the current step.
  bool passing_ = false;  // time only
  std::optional<Heartbeat> beat_;
  std::optional<std::uint64_t> must_sync_;  // the lease whose worker has to be asked for its list
  std::optional<Address> from_;
  std::optional<Holding> brought_;  // a list whose sessions are still to be taken over, in this step
  std::optional<Register> registering_;
  std::optional<Worker> registered_before_;  // the same instance of that worker
  std::optional<Name> asking_;
  std::optional<Code> refuse_;  // the request, so
  bool enqueue_ = false;        // or put it in line
  std::optional<Asked> wanted_;
  std::set<std::string> may_leave_;
  std::set<std::string> gone_;
  std::set<std::uint64_t> may_release_;
  std::set<std::uint64_t> must_release_;
  std::set<std::uint64_t> lost_;  // leases, whose sessions were
  std::deque<std::pair<std::uint64_t, std::string>> expected_;  // openings and closings, in order
  std::set<Name> answer_;          // requests that must be granted now
};

}  // namespace pointsman::sim
