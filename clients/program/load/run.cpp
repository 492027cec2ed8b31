// A load test: ground, generator, phases, checks.

#include "clients/program/load/run.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "clients/client.hpp"
#include "clients/program/load/search.hpp"
#include "clients/program/output.hpp"

namespace pointsman::load {
namespace {

constexpr Nanos step_time = 2 * second;           // of one rate that a search tries
constexpr Nanos step_warmup = 300 * millisecond;  // or as long as the bound, if that is longer
constexpr double keeping_up = 0.95;  // share of what is due in a time that has to be answered in it
constexpr int final_tries = 5;  // lower rates, if the one that was found does not hold for the whole time
constexpr double final_factor = 0.9;
constexpr Nanos settle = 15 * second;  // for the broker's counts to come to rest

double own_cpu() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto micros = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return micros(used.ru_utime) + micros(used.ru_stime);
}

std::unique_ptr<Generator> generator_for(const Setup& setup) {
  switch (setup.kind) {
    case Kind::handoffs: return make_handoffs(setup.aim);
    case Kind::calls:
    case Kind::streams: return make_calls(setup.aim);
    case Kind::renewals: return make_renewals(setup.aim);
    case Kind::registrations: return make_registrations(setup.aim);
  }
  return nullptr;
}

class Run {
 public:
  Run(Setup setup, Signals& signals, program::Clock::time_point deadline)
      : setup_(std::move(setup)),
        signals_(signals),
        deadline_(deadline),
        ground_(setup_.ground, setup_.aim),
        terminal_(::isatty(STDERR_FILENO) == 1) {
    result_ = setup_.result;
  }

  Result go() {
    if (setup_.ground.hosts > 0) await_workers();
    generator_ = generator_for(setup_);
    generator_->prepare();
    if (setup_.search) {
      search();
    } else {
      for (std::uint64_t i = 0; i < setup_.repeat && !result_.cut_short; ++i) phase(setup_.pace, true);
    }
    show_progress("");
    finish();
    return std::move(result_);
  }

 private:
  using Service = ServiceRow;

  // What the broker says of our services, added up; throws Error.
  Service services() {
    if (!observer_) {
      observer_ = std::make_unique<Client>(ClientOptions{
          .broker = setup_.aim.clients, .key = setup_.aim.key, .broker_key = setup_.aim.broker_key});
    }
    Service sum;
    List question{.of = Subject::services, .limit = limits::rows};
    for (;;) {
      const Message answer = observer_->ask(question);
      const auto* listing = std::get_if<Listing>(&answer);
      if (listing == nullptr) return sum;
      for (const Service& row : listing->services) {
        if (std::find(setup_.aim.services.begin(), setup_.aim.services.end(), row.service) ==
            setup_.aim.services.end()) {
          continue;
        }
        sum.workers += row.workers;
        sum.used += row.used;
        sum.waiting += row.waiting;
        sum.granted += row.granted;
      }
      if (listing->next.empty()) return sum;
      question.after = listing->next;
    }
  }

  void await_workers() {
    const Nanos until = clock_now() + 60 * second;
    for (;;) {
      const std::uint64_t there = services().workers;
      if (there >= setup_.ground.crew.workers) return;
      ground_.look_after();
      if (stopped()) throw program::Interrupted{signal_};
      if (clock_now() > until) {
        throw std::runtime_error("only " + std::to_string(there) + " of " +
                                 std::to_string(setup_.ground.crew.workers) +
                                 " workers registered within a minute");
      }
      ::usleep(20'000);
    }
  }

  // A signal, or --timeout: once it ends the measured time, twice all of it.
  bool stopped() {
    if (const auto came = signals_.next()) {
      if (signal_ != 0) throw program::Interrupted{came->signal};
      signal_ = came->signal;
    }
    return signal_ != 0 || program::Clock::now() >= deadline_;
  }

  // One measured time. `keep`: it is (a part of) the result, not a try.
  struct Seen {
    bool complete = false;  // all that was due was answered, about as fast as it came
    Nanos at_share = 0;
    double answered = 0;
  };
  Seen phase(const Pace& pace, bool keep, double share = 0) {
    double own = 0, broker = 0, workers = 0;
    bool begun = false, ended = false;
    Nanos checked = 0;
    std::uint64_t bytes = 0;
    const auto sample = [&](double sign) {
      {
        const std::lock_guard lock(generator_->mutex());
        bytes = generator_->counted().bytes - bytes;  // the first time what was before, then the rest
      }
      own += sign * own_cpu();
      broker += sign * ground_.broker_cpu();
      workers += sign * ground_.workers_cpu();
    };
    const auto between = [&](const Paced& paced) -> std::optional<Nanos> {
      const Nanos now = clock_now();
      Nanos again = now < paced.begin ? paced.begin : UINT64_MAX;
      if (now >= paced.begin && !begun) {
        begun = true;
        sample(-1);
      }
      if (begun && now < paced.end)
        again = std::min(again, ground_.tend(paced.begin, now, result_.happenings));
      if (now >= paced.end && !ended) {
        ended = true;
        if (begun) sample(1);
        ground_.mend(paced.begin, result_.happenings);
      }
      if (now < checked + 100 * millisecond) return std::min(again, checked + 100 * millisecond);
      checked = now;
      ground_.look_after();
      if (begun) ground_.hear(paced.begin, result_.happenings);
      if (stopped()) {
        result_.cut_short = true;
        if (now < paced.end || twice_stopped_++ > 20) return std::nullopt;
      }
      if (terminal_) progress(paced, now);
      return std::min(again, now + 100 * millisecond);
    };
    Pacer pacer(*generator_, pace, clock_now);
    const Paced paced = pacer.run(between);
    if (!ended) {
      if (begun) sample(1);
      ground_.mend(paced.begin, result_.happenings);
    }
    std::unique_ptr<Ledger> ledger;
    Histogram handoff;
    {
      const std::lock_guard lock(generator_->mutex());
      generator_->ledger().close();
      ledger = generator_->turn_page();
      std::swap(handoff, generator_->handoff());
    }
    result_.account.add(ledger->account());
    const Histogram& latency = ledger->latency();
    const double seconds = static_cast<double>(paced.end - paced.begin) / 1e9;
    // All of it, and no fewer than came in the same time: else a queue grows that has not yet reached the bound.
    const auto due = static_cast<double>(paced.due);
    const bool keeps_up =
        static_cast<double>(ledger->answered_in_time()) >= keeping_up * due - 2 * std::sqrt(due);
    Seen seen{.complete = latency.count() >= paced.due && paced.behind == 0 && keeps_up,
              .at_share = latency.at(share),
              .answered = seconds > 0 ? static_cast<double>(ledger->answered_in_time()) / seconds : 0};
    if (!keep) return seen;
    behind_ += paced.behind;
    result_.seconds += seconds;
    result_.interval = static_cast<double>(pace.interval) / 1e9;
    result_.answered_in_time += ledger->answered_in_time();
    result_.bytes += begun ? bytes : 0;
    result_.repeats.push_back({seen.answered, latency.at(0.5), latency.at(0.99)});
    result_.latency.add(latency);
    result_.took.add(ledger->took());
    result_.handoff.add(handoff);
    const auto points = ledger->points(paced.end);
    result_.points.insert(result_.points.end(), points.begin(), points.end());
    add_cpu(result_.cpu.generator, begun ? own : -1);
    add_cpu(result_.cpu.broker, begun && setup_.ground.broker ? broker : -1);
    add_cpu(result_.cpu.workers, begun && setup_.ground.hosts > 0 ? workers : -1);
    return seen;
  }

  static void add_cpu(double& sum, double more) {
    if (more >= 0) sum = std::max(sum, 0.0) + more;
  }

  void search() {
    const Bound bound = *setup_.search;
    Search search(setup_.pace.rate->from);
    Pace pace = setup_.pace;
    pace.warmup = std::max(step_warmup, std::min(bound.limit, step_time));
    pace.duration = std::min(step_time, setup_.pace.duration);
    const auto attempt = [&](double rate, const Pace& how, bool keep) {
      Pace at = how;
      at.rate = Rate{rate, rate};
      at.seed += result_.steps.size();
      const Seen seen = phase(at, keep, bound.share);
      const bool held = seen.complete && seen.at_share <= bound.limit;
      result_.steps.push_back({rate, held, seen.at_share, seen.answered});
      return held;
    };
    while (!search.done() && !result_.cut_short) {
      const double rate = search.rate();
      search.tried(attempt(rate, pace, false));
    }
    double rate = search.best();
    result_.missed = true;
    for (int i = 0; i < final_tries && result_.missed && rate > 0 && !result_.cut_short;
         ++i, rate *= final_factor) {
      const Result before = result_;
      result_.missed = !attempt(rate, setup_.pace, true);
      if (!result_.missed || i + 1 == final_tries) break;
      // What was measured at a rate that did not hold is no result; its account and what was tried are.
      Result next = before;
      next.account = result_.account;
      next.steps = result_.steps;
      next.cut_short = result_.cut_short;
      result_ = std::move(next);
    }
  }

  void progress(const Paced& paced, Nanos now) {
    std::uint64_t answered = 0, others = 0, open = 0;
    {
      const std::lock_guard lock(generator_->mutex());
      const Account& account = generator_->ledger().account();
      answered = account.answered;
      open = generator_->open();
      others = account.total(account.refused) + account.total(account.failed);
    }
    if (now < shown_ + 200 * millisecond) return;
    const double rate =
        answered >= shown_answered_ && shown_ > 0
            ? static_cast<double>(answered - shown_answered_) * 1e9 / static_cast<double>(now - shown_)
            : 0;
    shown_ = now;
    shown_answered_ = answered;
    std::array<char, 160> text{};
    const double at = (static_cast<double>(now) - static_cast<double>(paced.begin)) / 1e9;
    std::snprintf(text.data(), text.size(), "%s %5.1f s  %8.0f answered/s  %llu under way  %llu not answered",
                  at < 0            ? "warm-up "
                  : now < paced.end ? "measured"
                                    : "ending  ",
                  at, rate, static_cast<unsigned long long>(open), static_cast<unsigned long long>(others));
    show_progress(text.data());
  }

  void show_progress(const std::string& text) const {
    if (terminal_) program::write_err("\r\033[K" + text);
  }

  void check(std::string what, bool holds, std::string seen) {
    result_.checks.push_back({std::move(what), holds, std::move(seen)});
  }

  // What has to hold of every load test, with what it can know.
  void finish() {
    const Counted counted = [&] {
      const std::lock_guard lock(generator_->mutex());
      return generator_->counted();
    }();
    const Account& account = result_.account;
    const bool disturbed = ground_.disturbed();
    check("every request is accounted for once", account.balanced(), std::to_string(account.made) + " made");
    check("nothing is answered twice", account.doubled == 0, std::to_string(account.doubled) + " doubled");
    if (!result_.cut_short) {
      check("everything ended", account.unfinished == 0, std::to_string(account.unfinished) + " unfinished");
    }
    if (behind_ > 0) {
      check("every arrival was begun", false,
            std::to_string(behind_) + " were due, but too many were under way");
    }
    const bool calls = setup_.kind == Kind::calls || setup_.kind == Kind::streams;
    if (calls && setup_.aim.ours) {
      check("every answer is that of its request", counted.wrong == 0,
            std::to_string(counted.wrong) + " wrong");
    }
    if (setup_.kind == Kind::handoffs || calls) check_sessions(counted, disturbed, calls);
    if (setup_.kind == Kind::registrations && !disturbed && !result_.cut_short) check_leavers();
    if (setup_.bound)
      result_.missed =
          result_.latency.at(setup_.bound->share) > setup_.bound->limit || result_.latency.count() == 0;
  }

  // What the broker and the workers count themselves.
  void check_sessions(const Counted& counted, bool disturbed, bool calls) {
    const Nanos until = clock_now() + settle;
    Service seen;
    bool rests = false, agrees = false;
    const bool exact = setup_.ground.broker && !ground_.broker_killed() && !disturbed;
    std::string problem;
    do {
      try {
        seen = services();
        problem.clear();
      } catch (const Error& error) {
        problem = error.what();
      }
      rests = problem.empty() && seen.used == 0 && seen.waiting == 0;
      agrees = !exact || seen.granted == counted.granted.count;
      if ((!rests || !agrees) && stopped() && twice_stopped_++ > 20) break;
      if (!rests || !agrees) ::usleep(20'000);
    } while ((!rests || !agrees) && clock_now() < until);
    if (setup_.aim.ours) {
      check("the broker counts no session and nobody waiting", rests,
            problem.empty()
                ? std::to_string(seen.used) + " used, " + std::to_string(seen.waiting) + " waiting"
                : problem);
    }
    if (exact && !result_.cut_short) {
      check("the broker granted what clients got", agrees,
            std::to_string(seen.granted) + " and " + std::to_string(counted.granted.count));
    }
    if (setup_.ground.hosts == 0) return;
    const auto served = ground_.dismiss();
    if (!served || disturbed || result_.cut_short) return;
    const Tally& ours = calls ? counted.answered : counted.granted;
    const bool all_answered = !calls || result_.account.answered == result_.account.made;
    check(calls ? "workers served exactly the calls that were answered"
                : "workers had exactly the sessions that clients got",
          all_answered ? *served == ours : served->count >= ours.count,
          std::to_string(served->count) + " and " + std::to_string(ours.count));
  }

  // Who registered is to have left.
  void check_leavers() {
    const Nanos until = clock_now() + settle;
    Counted counted;
    do {
      generator_->wait(clock_now() + 20 * millisecond);
      const std::lock_guard lock(generator_->mutex());
      counted = generator_->counted();
    } while (counted.left < counted.registered && clock_now() < until);
    check("whoever registered has left", counted.left == counted.registered,
          std::to_string(counted.registered) + " registered, " + std::to_string(counted.left) + " left");
  }

  Setup setup_;
  Signals& signals_;
  const program::Clock::time_point deadline_;
  Result result_;
  Ground ground_;
  std::unique_ptr<Generator> generator_;
  std::unique_ptr<Client> observer_;
  const bool terminal_;
  int signal_ = 0;
  int twice_stopped_ = 0;
  std::uint64_t behind_ = 0;
  Nanos shown_ = 0;
  std::uint64_t shown_answered_ = 0;
};

}  // namespace

Result run(Setup setup, Signals& signals, program::Clock::time_point deadline) {
  return Run(std::move(setup), signals, deadline).go();
}

}  // namespace pointsman::load
