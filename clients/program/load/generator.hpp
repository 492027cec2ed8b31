// Generator: what every kind of load is, to whoever paces it.
//
// The pacer calls arrive() for each arrival, and wait() between; the kind begins and ends requests in its ledger. In a
// closed loop a place that became free is filled at once, by the kind itself. ledger() and all that is counted may be
// touched by several threads, so they are used under the lock.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "clients/program/load/ledger.hpp"

namespace pointsman::load {

inline Nanos clock_now() {
  return static_cast<Nanos>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                std::chrono::steady_clock::now().time_since_epoch())
                                .count());
}

// A number of things whatever their order: how many, and a digest that two sides can compare.
struct Tally {
  std::uint64_t count = 0;
  std::uint64_t digest = 0;
  void add(std::uint64_t number) {
    ++count;
    digest += mix(number);
  }
  friend bool operator==(const Tally&, const Tally&) = default;
};

// What a kind counted beside its ledger, over all phases.
struct Counted {
  Tally granted;   // sessions
  Tally answered;  // calls, by number; only of workers that are ours
  std::uint64_t bytes = 0;
  std::uint64_t wrong = 0;  // answers that were not those of their requests
  std::uint64_t registered = 0, left = 0;
};

class Generator {
 public:
  virtual ~Generator() = default;

  // Whatever must be there first. Throws what the world or the broker refuses.
  virtual void prepare() {}

  // Under the lock: begins a request, or a session of them, that was due then.
  virtual void arrive(Nanos due) = 0;

  // Not under the lock: moves things on until then at the latest.
  virtual void wait(Nanos until) = 0;

  // Under the lock: sessions or requests under way.
  virtual std::size_t open() const { return ledger_->open(); }

  std::mutex& mutex() { return mutex_; }
  Ledger& ledger() { return *ledger_; }
  Histogram& handoff() { return handoff_; }
  const Counted& counted() const { return counted_; }

  // Under the lock: a new ledger, which goes on in numbers; the old one.
  std::unique_ptr<Ledger> turn_page() {
    auto next = std::make_unique<Ledger>(ledger_->last());
    std::swap(next, ledger_);
    return next;
  }
  void closed_loop(bool on) { refill_ = on; }

 protected:
  // A place is free: in a closed loop the next one comes.
  void freed(Nanos now) {
    if (refill_) arrive(now);
  }

  std::mutex mutex_;
  std::unique_ptr<Ledger> ledger_ = std::make_unique<Ledger>();
  Histogram handoff_;
  Counted counted_;
  bool refill_ = false;
};

// What a kind needs to know.
struct Aim {
  std::string clients;  // the broker's listeners
  std::string workers;
  std::vector<std::string> services;
  std::string prefix;  // of ids and names, so that no other test's are the same
  std::uint64_t connections = 1;
  bool release = false;       // sessions are released by the client, through the broker
  bool ours = true;           // the workers are
  std::uint64_t session = 1;  // calls
  std::uint64_t request_bytes = 0;
  std::uint64_t answer_bytes = 0;
  std::uint64_t parts = 1;
  std::uint64_t leases = 0;
  std::uint64_t burst = 1;  // renewals that come at once, by one connection if it has as many leases
  std::chrono::milliseconds wait{5000};
  std::chrono::milliseconds limit{30000};
  std::string key, broker_key;
};

std::unique_ptr<Generator> make_handoffs(const Aim& aim);
std::unique_ptr<Generator> make_calls(const Aim& aim);
std::unique_ptr<Generator> make_renewals(const Aim& aim);
std::unique_ptr<Generator> make_registrations(const Aim& aim);

}  // namespace pointsman::load
