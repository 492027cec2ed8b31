// The two kinds of workers that a load test brings: those of the worker library, which answer calls, and stand-ins:
// worker machines without listeners, whose sessions nobody comes to and which close them when they have been held.

#include "clients/program/load/host.hpp"

#include <csignal>
#include <mutex>
#include <queue>
#include <set>
#include <thread>

#include "clients/program/load/errand.hpp"
#include "clients/program/load/generator.hpp"
#include "clients/program/output.hpp"
#include "clients/program/signals.hpp"
#include "protocol/envelope.hpp"
#include "protocol/handshake.hpp"
#include "protocol/system.hpp"
#include "protocol/transport.hpp"
#include "workers/core/worker.hpp"
#include "workers/worker.hpp"

namespace pointsman::load {
namespace {

std::string name_of(const HostCommand& command, std::size_t worker) {
  return command.prefix + std::to_string(worker);
}

const std::string& service_of(const HostCommand& command, std::size_t worker) {
  return command.services[worker % command.services.size()];
}

void say(const Tally& tally) {
  program::write_out("served " + std::to_string(tally.count) + " " + std::to_string(tally.digest) + "\n");
}

// Many machines on one thread, each with a connection of its own.
class StandIns {
 public:
  explicit StandIns(const HostCommand& command)
      : command_(command),
        law_(parse_law(command.time).value_or(Law{})),
        chance_(command.seed),
        credentials_(broker_credentials(command.key, command.broker_key)) {
    for (std::size_t i = 0; i < command.workers; ++i) {
      Machine machine;
      machine.core = std::make_unique<workers::WorkerCore>(
          workers::WorkerSettings{.name = name_of(command, i),
                                  .instance = random_name(),
                                  .offers = {{.service = service_of(command, i)}},
                                  .slots = command.slots,
                                  .endpoint = "tcp://127.0.0.1:9",
                                  .direct = Direct::own,
                                  .key = credentials_.own ? to_z85(credentials_.own->key) : std::string(),
                                  .seed = random_number(),
                                  .retry = std::chrono::milliseconds(200),
                                  .retry_max = std::chrono::seconds(1)});
      machines_.push_back(std::move(machine));
    }
    if (command.together) {
      TransportLimits limits;
      limits.outbox = 16 * machines_.size();
      limits.outbox_bytes = limits.outbox * 1024;
      shared_ = transport_.connect(Door::broker, command.broker, limits, credentials_, true);
    }
    begin_more();
  }

  // Until the descriptor is readable.
  void run(int descriptor) {
    transport_.watch(descriptor, [this] { over_ = true; });
    while (!over_) {
      Instant until = alarms_.begin()->first;
      if (!held_.empty()) until = std::min(until, held_.top().until);
      transport_.turn(until, [this](Incoming&& incoming) { take(std::move(incoming)); });
      const Instant at = now();
      while (!held_.empty() && held_.top().until <= at) {
        const Held held = held_.top();
        held_.pop();
        release(held.machine, held.session);
      }
      while (alarms_.begin()->first <= at) step(alarms_.begin()->second, Elapsed{});
    }
    transport_.unwatch(descriptor);
  }

  const Tally& tally() const { return tally_; }

 private:
  struct Machine {
    std::unique_ptr<workers::WorkerCore> core;
    std::uint64_t peer = 0;
    Instant due;
    std::uint64_t rounds = 0;  // that it was registered in
  };
  struct Held {
    Instant until;
    std::size_t machine = 0;
    std::uint64_t session = 0;
    bool operator<(const Held& other) const { return until > other.until; }
  };

  // A crowd that comes at once would take the time of the broker that it wants to be let in by, where both are on one
  // machine: so many at a time come for the first time.
  void begin_more() {
    constexpr std::size_t at_a_time = 32;
    for (; begun_ < machines_.size() && begun_ < registered_ + at_a_time; ++begun_) {
      Machine& machine = machines_[begun_];
      machine.peer = shared_ != 0 ? shared_ : connect(begun_);
      machine.due = machine.core->deadline();
      alarms_.insert({machine.due, begun_});
    }
  }

  std::uint64_t connect(std::size_t i) {
    const std::uint64_t peer = transport_.connect(Door::broker, command_.broker, {}, credentials_);
    by_peer_[peer] = i;
    return peer;
  }

  // By a connection of all its answers come in the envelope of the machine that asked. That it was lost each machine
  // notices by its heartbeats, as behind a relay, and libzmq makes it anew.
  void take_shared(Incoming&& incoming) {
    auto* received = std::get_if<Received>(&incoming);
    const auto hop = received ? take_hop(received->from.envelope) : std::nullopt;
    if (!hop || hop->peer >= machines_.size()) return;
    received->from.envelope = hop->envelope;
    step(hop->peer, std::move(*received));
  }

  void take(Incoming&& incoming) {
    if (shared_ != 0) return take_shared(std::move(incoming));
    const std::uint64_t peer = std::visit(
        [](const auto& what) {
          if constexpr (requires { what.from; }) {
            return what.from.peer;
          } else {
            return what.peer;
          }
        },
        incoming);
    const auto found = by_peer_.find(peer);
    if (found == by_peer_.end()) return;  // of a connection that was replaced
    const std::size_t i = found->second;
    std::visit([&](auto&& what) { step(i, std::move(what)); }, std::move(incoming));
  }

  void step(std::size_t i, workers::Event event) {
    Machine& machine = machines_[i];
    workers::Actions actions;
    machine.core->step(now(), std::move(event), actions);
    std::vector<std::uint64_t> over;
    for (workers::Action& action : actions) {
      if (auto* send = std::get_if<Send>(&action)) {
        send->to.peer = machine.peer;
        if (shared_ != 0) send->to.envelope = *add_hop({i, {}});
        transport_.send(*send);
      } else if (const auto* began = std::get_if<workers::SessionBegan>(&action)) {
        tally_.add(began->session);
        const Nanos hold = law_.draw(chance_);
        if (hold == 0) {
          over.push_back(began->session);
        } else {
          held_.push({now() + std::chrono::microseconds((hold + 999) / 1000), i, began->session});
        }
      } else if (std::holds_alternative<workers::Enrolled>(action)) {
        enrolled(machine);
      } else if (std::holds_alternative<workers::Reconnect>(action) && shared_ == 0 &&
                 !transport_.still_connecting(machine.peer)) {
        by_peer_.erase(machine.peer);
        transport_.disconnect(machine.peer);
        machine.peer = connect(i);
      }
    }
    if (const Instant due = machine.core->deadline(); due != machine.due) {
      alarms_.erase({machine.due, i});
      machine.due = due;
      alarms_.insert({due, i});
    }
    for (const std::uint64_t session : over) release(i, session);
  }

  // When all are registered, which is once, and once more for each new broker, the test is told.
  void enrolled(Machine& machine) {
    if (machine.rounds == round_) return;
    machine.rounds = round_;
    ++registered_;
    if (round_ == 1) begin_more();
    if (registered_ < machines_.size()) return;
    program::write_out("registered " + std::to_string(clock_now()) + "\n");
    registered_ = 0;
    ++round_;
  }

  // As if its client had said so.
  void release(std::size_t i, std::uint64_t session) {
    step(i, Received{.from = {.door = Door::broker}, .message = Release{.session = session}, .payload = {}});
  }

  const HostCommand& command_;
  const Law law_;
  Chance chance_;
  Credentials credentials_;
  Transport transport_;
  std::vector<Machine> machines_;
  std::unordered_map<std::uint64_t, std::size_t> by_peer_;
  std::set<std::pair<Instant, std::size_t>> alarms_;
  std::priority_queue<Held> held_;
  std::uint64_t shared_ = 0;    // the connection of all; 0: each has its own
  std::size_t begun_ = 0;       // machines that connected
  std::uint64_t round_ = 1;     // of registrations
  std::size_t registered_ = 0;  // in this round
  Tally tally_;
  bool over_ = false;
};

// Workers of the library, each on a thread of its own.
class Crew {
 public:
  explicit Crew(const HostCommand& command)
      : law_(parse_law(command.time).value_or(Law{})), chance_(command.seed) {
    for (std::size_t i = 0; i < command.workers; ++i) {
      crew_.push_back(
          std::make_unique<Worker>(WorkerOptions{.broker = command.broker,
                                                 .name = name_of(command, i),
                                                 .services = {{.service = service_of(command, i)}},
                                                 .slots = command.slots,
                                                 .key = command.key,
                                                 .broker_key = command.broker_key,
                                                 .patience = Milliseconds(0)}));
    }
    for (const auto& worker : crew_) {
      threads_.emplace_back([this, &worker] {
        try {
          worker->serve([this](Work& work) { serve(work); });
        } catch (const std::exception& error) {
          program::write_err(std::string("pointsman load: a worker had to stop: ") + error.what() + "\n");
        }
      });
    }
  }

  // Waits for what runs.
  Tally stop() {
    for (const auto& worker : crew_) worker->stop(std::chrono::milliseconds(500));
    for (auto& thread : threads_) thread.join();
    return tally_;
  }

 private:
  void serve(Work& work) {
    const auto errand = read_errand(work.request());
    if (!errand || errand->parts == 0) throw WorkFailed("this worker serves load tests only");
    Nanos time = 0;
    {
      const std::lock_guard lock(mutex_);
      tally_.add(errand->number);
      time = law_.draw(chance_);
    }
    if (time > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(time));
    const Frame part = part_of(*errand);
    for (std::uint64_t i = 0; i + 1 < errand->parts; ++i) {
      if (!work.part({part})) return;
    }
    work.answer({part});
  }

  const Law law_;
  std::mutex mutex_;
  Chance chance_;
  Tally tally_;
  std::vector<std::unique_ptr<Worker>> crew_;
  std::vector<std::thread> threads_;
};

}  // namespace

std::vector<std::string> words_of(const HostCommand& command) {
  std::vector<std::string> words{command.broker,
                                 command.prefix,
                                 !command.stand_in  ? "library"
                                 : command.together ? "together"
                                                    : "stand-in",
                                 std::to_string(command.workers),
                                 std::to_string(command.slots),
                                 command.time,
                                 std::to_string(command.seed),
                                 command.key,
                                 command.broker_key};
  words.insert(words.end(), command.services.begin(), command.services.end());
  return words;
}

bool from_words(const std::vector<std::string>& words, HostCommand& command) {
  constexpr std::size_t fixed = 9;
  if (words.size() <= fixed) return false;
  const auto workers = number_behind("", words[3]), slots = number_behind("", words[4]),
             seed = number_behind("", words[6]);
  if (!workers || !slots || !seed || *workers == 0 || *slots == 0 || !parse_law(words[5])) return false;
  command = {.broker = words[0],
             .prefix = words[1],
             .together = words[2] == "together",
             .stand_in = words[2] != "library",
             .workers = *workers,
             .slots = *slots,
             .services = {words.begin() + fixed, words.end()},
             .time = words[5],
             .seed = *seed,
             .key = words[7],
             .broker_key = words[8]};
  return true;
}

int run_host(const HostCommand& command) {
  raise_descriptor_limit();
  Signals signals{SIGTERM, SIGINT};
  if (command.stand_in) {
    StandIns workers(command);
    workers.run(signals.descriptor());
    say(workers.tally());
    return 0;
  }
  Crew crew(command);
  const program::Bell never_rung;
  program::wait_for(signals, never_rung, std::chrono::steady_clock::time_point::max());
  say(crew.stop());
  return 0;
}

}  // namespace pointsman::load
