// Fleet: a broker core with workers, sessions and waiting requests, for measuring.
//
// It says what the shells of workers and clients would say, and remembers what the broker answers as far as it needs
// to go on: which session is whose. Everything happens in virtual time and is the same in every run.

#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/broker.hpp"

namespace pointsman::bench {

struct FleetOptions {
  Policy policy = Policy::weighted_round_robin;
  std::size_t workers = 100;
  std::size_t slots = 16;      // of each worker
  std::size_t weights = 1;     // weights run from 1 to this
  std::size_t sessions = 100;  // open from the start; the oldest is closed first
  std::size_t waiting = 0;     // requests that wait from the start
  bool aside = true;           // these wait for a service of their own, where nothing becomes free
  std::size_t classes = 1;     // of workers: the attribute `class` runs from 0 up to this
  std::string when;            // the condition of every request
  std::string prefer;
  friend bool operator==(const FleetOptions&, const FleetOptions&) = default;
};

class Fleet {
 public:
  explicit Fleet(const FleetOptions& options);

  // One client comes for each that goes. Prepares what the parties would say, then returns how many seconds the
  // broker took for it: the closing report, the request, and what it says to both, made and done away with.
  double churn(std::size_t hand_offs);
  // Requests that come to the line aside, and as many that are taken back out of the middle of it.
  double enter_and_cancel(std::size_t count);
  // Every worker renews its lease, one after the other, `renewals` in all.
  double renew(std::size_t renewals);
  // All leases run out at one moment, and `grants` clients come while the broker notices. The longest step, in
  // seconds.
  double expire(std::size_t grants);

  void register_workers(std::size_t count);
  void ask_aside(std::size_t count);  // requests that have to wait
  void open_sessions(std::size_t count);

  std::size_t sessions() const { return sessions_.size(); }
  std::uint64_t granted() const { return granted_; }
  std::size_t notes()
      const;  // bytes that the fleet itself holds, about, to be left out of what the broker holds
  const broker::Broker& broker() const { return broker_; }

 private:
  struct Worker {
    std::uint64_t lease = 0;
    std::uint64_t reported = 0;
    std::uint64_t completed = 0;
    std::vector<std::uint64_t> fresh;  // sessions that it holds and has not told of
  };
  struct Held {
    std::uint64_t session = 0;
    std::uint32_t worker = 0;
  };

  static broker::Options options_of(const FleetOptions& options);
  Received request(const std::string& service);
  static Received cancel(std::uint64_t asked);
  Received closing(const Held& held);
  Received opening(std::uint32_t worker);
  void step(const broker::Event& event);
  void take_note();

  FleetOptions options_;
  broker::Broker broker_;
  broker::Actions out_;
  Instant now_;
  std::vector<Worker> workers_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> told_;  // lease and session, not taken note of
  std::deque<Held> sessions_;
  std::uint64_t asked_ = 0;
  std::uint64_t granted_ = 0;
};

}  // namespace pointsman::bench
