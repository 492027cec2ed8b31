// Tenures: storms of registrations and of lease renewals, as many workers on few connections make them.

#include <deque>
#include <stdexcept>
#include <unordered_map>

#include "clients/program/load/generator.hpp"
#include "clients/program/load/wires.hpp"
#include "protocol/handshake.hpp"
#include "protocol/system.hpp"

namespace pointsman::load {
namespace {

constexpr Nanos patience = 5 * second;  // for the answer to anything
constexpr Milliseconds long_lease(3'600'000);
// Of stand-ins nobody is granted: their service is their own, and nobody listens there.
constexpr const char* nowhere = "tcp://127.0.0.1:9";

Register registration(const Aim& aim, const std::string& worker) {
  return {.worker = worker,
          .instance = worker,
          .services = {{.service = aim.services.front()}},
          .slots = 1,
          .endpoint = nowhere,
          .direct = Direct::own,
          .lease_ms = long_lease};
}

class Tenures : public Generator {
 public:
  explicit Tenures(const Aim& aim)
      : aim_(aim), wires_(aim.workers, aim.connections, broker_credentials(aim.key, aim.broker_key)) {}

  void wait(Nanos until) override {
    until = std::min(until, clock_now() + 100 * millisecond);
    wires_.turn(until, [this](std::size_t wire, Message&& message) {
      const std::lock_guard lock(mutex_);
      hear(wire, message);
    });
    const std::lock_guard lock(mutex_);
    const Nanos now = clock_now();
    while (!sent_.empty() &&
           (sent_.front().second + patience < now || !ledger_->is_open(sent_.front().first))) {
      const std::uint64_t number = sent_.front().first;
      sent_.pop_front();
      if (!ledger_->is_open(number)) continue;
      ledger_->end(number, End::failed, "unanswered", now);
      given_up(number);
      freed(clock_now());
    }
  }

 protected:
  virtual void hear(std::size_t wire, const Message& message) = 0;
  virtual void given_up(std::uint64_t number) = 0;

  const Aim aim_;
  Wires wires_;
  std::deque<std::pair<std::uint64_t, Nanos>> sent_;  // in their order
};

// A request is a registration; its worker leaves at once.
class Registrations : public Tenures {
 public:
  using Tenures::Tenures;

  void arrive(Nanos due) override {
    const Nanos now = clock_now();
    const std::uint64_t number = ledger_->begin(due, now);
    sent_.emplace_back(number, now);
    wires_.send(number % wires_.size(), registration(aim_, name_of(number)));
  }

 private:
  std::string name_of(std::uint64_t number) const { return aim_.prefix + "r" + std::to_string(number); }

  void hear(std::size_t wire, const Message& message) override {
    if (std::holds_alternative<Left>(message)) ++counted_.left;
    if (const auto* registered = std::get_if<Registered>(&message)) {
      const std::uint64_t number = number_behind(aim_.prefix + "r", registered->worker).value_or(0);
      if (number == 0) return;
      ++counted_.registered;
      wires_.send(wire, Leave{.lease = registered->lease, .reason = "a load test"});
      if (ledger_->end(number, End::answered, {}, clock_now())) freed(clock_now());
    } else if (const auto* refused = std::get_if<Refused>(&message);
               refused && refused->about == Register::op) {
      // It does not say whose, and connections keep order: the oldest on this wire.
      for (const auto& [number, when] : sent_) {
        if (number % wires_.size() != wire || !ledger_->is_open(number)) continue;
        ledger_->end(number, End::refused, word(refused->code), clock_now());
        return freed(clock_now());
      }
    }
  }

  void given_up(std::uint64_t) override {}
};

// A request is a heartbeat; all leases have their turn.
class Renewals : public Tenures {
 public:
  explicit Renewals(const Aim& aim) : Tenures(aim), leases_(aim.leases) {}

  void prepare() override {
    constexpr std::size_t at_once = 512;
    std::size_t asked = 0;
    Nanos heard = clock_now();
    std::uint64_t before = 0;
    while (held_ < leases_.size()) {
      while (asked < leases_.size() && asked < held_ + at_once) enroll(asked++);
      wait(clock_now() + 100 * millisecond);
      if (!refusal_.empty()) throw std::runtime_error("the broker refused a registration: " + refusal_);
      if (std::exchange(before, held_) != held_) heard = clock_now();
      if (clock_now() > heard + 2 * patience) {
        throw std::runtime_error("the broker did not answer registrations at " + aim_.workers);
      }
    }
    ready_ = true;
  }

  void arrive(Nanos due) override {
    const Nanos now = clock_now();
    const std::uint64_t number = ledger_->begin(due, now);
    sent_.emplace_back(number, now);
    const std::size_t worker = worker_of(number);
    wires_.send(wire_of(worker), Heartbeat{.lease = leases_[worker], .beat = number});
  }

 private:
  std::size_t worker_of(std::uint64_t number) const { return (number - 1) % leases_.size(); }
  std::size_t wire_of(std::size_t worker) const { return worker / aim_.burst % wires_.size(); }

  void enroll(std::size_t worker) {
    wires_.send(wire_of(worker), registration(aim_, aim_.prefix + "w" + std::to_string(worker)));
  }

  void hear(std::size_t, const Message& message) override {
    if (const auto* heard = std::get_if<Heard>(&message)) {
      if (ledger_->end(heard->beat, End::answered, {}, clock_now())) freed(clock_now());
    } else if (const auto* registered = std::get_if<Registered>(&message)) {
      const std::size_t worker =
          number_behind(aim_.prefix + "w", registered->worker).value_or(leases_.size());
      if (worker >= leases_.size()) return;
      if (leases_[worker] == 0) ++held_;
      if (leases_[worker] != 0) by_lease_.erase(leases_[worker]);
      leases_[worker] = registered->lease;
      by_lease_[registered->lease] = worker;
      ++counted_.registered;
    } else if (const auto* refused = std::get_if<Refused>(&message)) {
      if (!ready_) refusal_ = refused->reason;
      const auto found = by_lease_.find(refused->lease);
      if (refused->about == Heartbeat::op && found != by_lease_.end()) lost(found->second, refused->code);
    }
  }

  // A new broker does not know this lease: its heartbeats are refused, and it registers again.
  void lost(std::size_t worker, Code code) {
    for (const auto& [number, when] : sent_) {
      if (worker_of(number) != worker || !ledger_->is_open(number)) continue;
      ledger_->end(number, End::refused, word(code), clock_now());
      enroll(worker);
      return freed(clock_now());
    }
  }

  void given_up(std::uint64_t number) override { enroll(worker_of(number)); }

  std::vector<std::uint64_t> leases_;  // by worker; 0: none yet
  std::unordered_map<std::uint64_t, std::size_t> by_lease_;
  std::size_t held_ = 0;
  bool ready_ = false;
  std::string refusal_;
};

}  // namespace

std::unique_ptr<Generator> make_renewals(const Aim& aim) { return std::make_unique<Renewals>(aim); }
std::unique_ptr<Generator> make_registrations(const Aim& aim) { return std::make_unique<Registrations>(aim); }

}  // namespace pointsman::load
