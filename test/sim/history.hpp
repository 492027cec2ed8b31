// What must hold, whatever goes wrong: the invariants that are checked after every step of every party.
//
// It believes nobody: what it knows comes from the messages that went in and out. A breach is a Violation.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/core/broker.hpp"
#include "test/sim/reference.hpp"
#include "test/sim/world.hpp"

namespace pointsman::sim {

// A session as its broker granted it.
struct Promise {
  std::string worker;
  std::string client;
  std::string service;
  std::string id;
  Direct direct = Direct::pointsman;
  Instant expires;  // of its newest ticket, in world time, but for what the broker has slept since
  Duration slept_then{};
  bool begun = false;
  bool ended = false;   // at its worker
  bool reported = false;  // closed at the broker, because its worker said so
  Instant tell_by = never;  // its worker has not been told of it, and is by then; on the broker's clock
  Duration late_then{};     // and the broker had overslept so much
  Instant given_up = never;  // when the broker closed it, the first time; on its clock
};

// A ticket as it was given, for those who want to misuse it.
struct Given {
  std::string endpoint;
  Bytes ticket;
  std::string client;
  std::uint64_t session = 0;
};

class History {
 public:
  History(World& world, const Profile& profile) : world_(world), profile_(profile) {}

  // The broker. `event` before the step, the rest after it.
  void broker_started(std::uint64_t epoch);
  void broker_slept(Duration time) { slept_ += time; }  // and its clock stood still: what it gave lives longer
  void before_broker(const broker::Event& event, Instant now, Instant deadline);
  void after_broker(const broker::Event& event, const broker::Actions& actions, Instant now);
  void watched(const Happened& event, Instant now);
  void inspected(const Lists& lists);

  // A session begins at a worker. `late` is how much its idea of the broker's clock may be behind, `asleep` for how long
  // its own clock stood still.
  void began(const std::string& worker, std::uint64_t lease, std::uint64_t session, const std::string& service,
             const std::string& client, Duration late, Duration asleep);

  // And is over there. Nobody opens it any more.
  void finished(std::uint64_t session);

  // A call is served, under this number of a session. `most` times may it be, in all.
  void served(const std::string& call, std::uint64_t session, std::uint64_t call_number, std::uint64_t most);

  // When the broker takes the lease of this worker for over, in world time; never if it has none that ends.
  Instant lease_end(const std::string& worker) const;

  const std::map<std::uint64_t, Promise>& promises() const { return promises_; }
  const std::deque<Given>& tickets() const { return tickets_; }  // the newest
  std::uint64_t grants() const { return grants_; }
  std::uint64_t sessions() const { return begun_; }
  std::uint64_t calls() const { return served_.size(); }

 private:
  struct Lease {
    std::string worker;
    Milliseconds term{};
    Instant heard;         // on the broker's clock
    Instant heard_global;  // in world time
    Duration late_then{};
    bool over = false;  // struck off
    Attributes attributes;
    std::string accepts;
  };
  struct Want {
    std::string service;
    std::string client;
    std::uint64_t priority = 0;
    std::uint64_t order = 0;
    Instant deadline;  // on the broker's clock
    std::set<std::string> exclude;
    std::string when;
    Attributes attributes;
  };

  static bool suits(const Lease& worker, const Want& want);
  void heard(std::uint64_t lease, Instant now);
  void wanted(const Request& request, Instant now);
  void assigned(const Assign& assign, Instant now);
  void granted(const Granted& m, Instant now);
  void registered(const Registered& registered, Instant now);
  void check_answers(const broker::Event& event, const broker::Actions& actions);

  World& world_;
  const Profile& profile_;
  std::map<std::uint64_t, Lease> leases_;
  std::map<std::string, Want> waiting_;          // by request id: unique in a simulation
  std::map<std::string, std::uint64_t> granted_; // the session of each request id, of this broker
  std::map<std::uint64_t, Promise> promises_;
  std::map<std::string, std::uint64_t> served_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> served_in_;  // sessions and numbers of their calls
  std::deque<Given> tickets_;
  std::optional<Request> asking_;  // in this step
  std::optional<Register> registering_;
  std::uint64_t epoch_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint64_t orders_ = 0;
  std::uint64_t grants_ = 0;
  std::uint64_t begun_ = 0;
  Duration slept_{};
  Duration late_{};  // by how much the broker's turns came too late, in all
};

}  // namespace pointsman::sim
