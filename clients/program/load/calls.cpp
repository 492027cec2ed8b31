// Calls: sessions of the client library, each with so many calls one after another, and answers that are checked.
//
// Of a session the first call was due when the session was, so it carries the hand-off; the others are due when the
// one before is answered, as for a user who comes at a time of his own and then waits for each answer. Everything
// happens in the library's callbacks, under the lock: no other thread stands between an answer and the next call.

#include <sys/prctl.h>

#include <optional>
#include <thread>
#include <utility>

#include "clients/client.hpp"
#include "clients/program/load/errand.hpp"
#include "clients/program/load/generator.hpp"

namespace pointsman::load {
namespace {

class Calls : public Generator {
 public:
  explicit Calls(const Aim& aim) : aim_(aim) {
    ::prctl(PR_SET_TIMERSLACK, 1000UL);  // a sleep until an arrival is due ends when it is
    for (std::uint64_t i = 0; i < aim.connections; ++i) {
      clients_.push_back(std::make_unique<Client>(ClientOptions{.broker = aim.clients,
                                                                .name = aim.prefix + "c" + std::to_string(i),
                                                                .key = aim.key,
                                                                .broker_key = aim.broker_key}));
    }
  }

  ~Calls() override {
    {
      const std::lock_guard lock(mutex_);
      refill_ = false;
      over_ = true;
    }
    clients_.clear();  // ends all that is under way, by callbacks
  }

  void arrive(Nanos due) override {
    const std::uint64_t number = ledger_->begin(due, clock_now());
    ++sessions_;
    const auto visit = std::make_shared<Visit>(Visit{.number = number, .due = due});
    clients_[number % clients_.size()]->acquire_async(
        aim_.services[number % aim_.services.size()],
        [this, visit](std::optional<Session> session, std::optional<Error> error) {
          const Nanos now = clock_now();
          const std::lock_guard lock(mutex_);
          if (over_) return;
          if (error) {
            const bool refused = error->code != Code::unreachable && error->code != Code::failed;
            ledger_->end(visit->number, refused ? End::refused : End::failed, word(error->code), now);
            return leave();
          }
          visit->session = std::move(*session);
          counted_.granted.add(visit->session.grant().session);
          handoff_.add(now - std::min(now, visit->due));
          call(visit);
        },
        {.wait = aim_.wait});
  }

  void wait(Nanos until) override {
    const Nanos now = clock_now();
    if (until > now)
      std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(until - now, 100 * millisecond)));
  }

  std::size_t open() const override { return sessions_; }

 private:
  struct Visit {
    std::uint64_t number = 0;  // of the present call
    std::uint64_t calls = 0;   // that were made before
    Nanos due = 0;
    Session session;
  };

  void call(const std::shared_ptr<Visit>& visit) {
    visit->session.call_async(
        write_errand({visit->number, aim_.parts, aim_.answer_bytes}, aim_.request_bytes),
        [this, visit](std::optional<Payload> answer, std::optional<Error> error) {
          const Nanos now = clock_now();
          const std::lock_guard lock(mutex_);
          if (over_) return;
          answered(visit, answer, error, now);
        },
        {.limit = aim_.limit});
  }

  void answered(const std::shared_ptr<Visit>& visit, const std::optional<Payload>& answer,
                const std::optional<Error>& error, Nanos now) {
    if (error) {
      ledger_->end(visit->number, error->code == Code::failed ? End::failed : End::refused, word(error->code),
                   now);
      visit->session.release();
      return leave();
    }
    const std::uint64_t bytes = bytes_of(*answer);
    if (aim_.ours && !is_answer(*answer, {visit->number, aim_.parts, aim_.answer_bytes})) ++counted_.wrong;
    counted_.bytes += bytes;
    counted_.answered.add(visit->number);
    ledger_->end(visit->number, End::answered, {}, now);
    if (++visit->calls < aim_.session) {
      visit->number = ledger_->begin(now, now);
      return call(visit);
    }
    visit->session.release();
    leave();
  }

  void leave() {
    --sessions_;
    freed(clock_now());
  }

  const Aim aim_;
  std::size_t sessions_ = 0;
  bool over_ = false;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace

std::unique_ptr<Generator> make_calls(const Aim& aim) { return std::make_unique<Calls>(aim); }

}  // namespace pointsman::load
