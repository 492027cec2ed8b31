// Hand-offs: requests and grants and nothing else, over connections of one's own, with as little as can be between
// the clock and the wire.
//
// What is not answered is repeated under the same id after a second, as a client does; the broker answers it once more
// if the answer was lost. A repeat that gets a second session, of a new broker, gives it back.

#include <deque>
#include <unordered_map>

#include "clients/program/load/generator.hpp"
#include "clients/program/load/wires.hpp"
#include "protocol/handshake.hpp"

namespace pointsman::load {
namespace {

constexpr Nanos repeat_after = second;

class Handoffs : public Generator {
 public:
  explicit Handoffs(const Aim& aim)
      : aim_(aim), wires_(aim.clients, aim.connections, broker_credentials(aim.key, aim.broker_key)) {
    for (std::size_t i = 0; i < wires_.size(); ++i) names_.push_back(aim.prefix + "c" + std::to_string(i));
    give_up_ = static_cast<Nanos>(aim.wait.count()) * millisecond + 5 * second;
  }

  void arrive(Nanos due) override {
    const Nanos now = clock_now();
    const std::uint64_t number = ledger_->begin(due, now);
    send(number);
    sent_.push_back({number, now, now});
  }

  void wait(Nanos until) override {
    until = std::min(until, clock_now() + 100 * millisecond);
    wires_.turn(until, [this](std::size_t wire, Message&& message) {
      const std::lock_guard lock(mutex_);
      hear(wire, message);
    });
    const std::lock_guard lock(mutex_);
    repeat(clock_now());
  }

 private:
  struct Sent {
    std::uint64_t number;
    Nanos first;
    Nanos last;
  };

  std::size_t wire_of(std::uint64_t number) const { return number % wires_.size(); }

  void send(std::uint64_t number) {
    wires_.send(wire_of(number), Request{.id = aim_.prefix + std::to_string(number),
                                         .service = aim_.services[number % aim_.services.size()],
                                         .client = names_[wire_of(number)],
                                         .wait_ms = Milliseconds(aim_.wait.count())});
  }

  // In the order in which they were sent, so only the first ones are looked at.
  void repeat(Nanos now) {
    while (!sent_.empty()) {
      Sent sent = sent_.front();
      if (ledger_->is_open(sent.number)) {
        if (now < sent.last + repeat_after) return;
        if (now >= sent.first + give_up_) {
          ledger_->end(sent.number, End::failed, "unanswered", now);
          freed(clock_now());
        } else {
          repeated_.try_emplace(sent.number, 0);
          send(sent.number);
          sent.last = now;
          sent_.push_back(sent);
        }
      }
      sent_.pop_front();
    }
  }

  // 0: none of ours.
  std::uint64_t number_of(const std::string& id) const { return number_behind(aim_.prefix, id).value_or(0); }

  void hear(std::size_t wire, const Message& message) {
    if (const auto* granted = std::get_if<Granted>(&message)) return hear(wire, *granted);
    const auto* refused = std::get_if<Refused>(&message);
    if (refused == nullptr || refused->about != Request::op) return;
    const std::uint64_t number = number_of(refused->id);
    if (number == 0 || (repeated_.contains(number) && !ledger_->is_open(number))) return;
    if (ledger_->end(number, End::refused, word(refused->code), clock_now())) freed(clock_now());
  }

  void hear(std::size_t wire, const Granted& granted) {
    const std::uint64_t number = number_of(granted.id);
    if (number == 0) return;
    const auto repeated = repeated_.find(number);
    if (repeated != repeated_.end()) {
      if (!ledger_->is_open(number)) {  // a second answer, as was asked for: no doubling
        if (repeated->second != granted.session) release(wire, granted);
        return;
      }
      repeated->second = granted.session;
    }
    const bool late = ledger_->is_late(number);
    const bool first = ledger_->end(number, End::answered, {}, clock_now());
    if (first || late) counted_.granted.add(granted.session);
    if (aim_.release) release(wire, granted);
    if (first) freed(clock_now());
  }

  void release(std::size_t wire, const Granted& granted) {
    wires_.send(wire, Release{.session = granted.session, .client = names_[wire]});
  }

  const Aim aim_;
  Wires wires_;
  std::vector<std::string> names_;  // of the client on each wire
  Nanos give_up_;
  std::deque<Sent> sent_;
  std::unordered_map<std::uint64_t, std::uint64_t> repeated_;  // number -> session that it got
};

}  // namespace

std::unique_ptr<Generator> make_handoffs(const Aim& aim) { return std::make_unique<Handoffs>(aim); }

}  // namespace pointsman::load
