// Shows that the supervisor's core keeps its promises whatever its processes, its broker and people do.
#include <doctest/doctest.h>

#include <csignal>
#include <map>
#include <set>

#include "broker/supervisor/core/supervisor.hpp"
#include "test/unit/protocol/random_messages.hpp"

using namespace pointsman;
using namespace pointsman::supervisor;
using namespace std::chrono_literals;

namespace {

const Address broker{.door = Door::broker};
constexpr Instant opening{1h};

Options options_of(std::uint64_t seed) {
  Options options;
  options.seed = seed;
  options.groups.push_back({.name = "broker", .kind = ProcessKind::broker});
  options.groups.push_back({.name = "zip", .kind = ProcessKind::worker, .service = "zip", .min = 2, .max = 4});
  options.groups.push_back(
      {.name = "rare", .kind = ProcessKind::worker, .service = "rare", .min = 0, .max = 3, .idle = 5s});
  options.groups.push_back({.name = "plain", .notifies = false});
  return options;
}

// Processes that do as the dice say, around a core that is checked after every step.
class World {
 public:
  explicit World(std::uint64_t seed) : core(options_of(seed)), dice(seed) { step(Elapsed{}); }

  void step(Event event) {
    Actions actions;
    core.step(now, std::move(event), actions);
    core.check();
    for (const Action& action : actions) std::visit([this](const auto& a) { on(a); }, action);
  }

  void pass(Duration time) {
    const Instant until = now + time;
    while (core.deadline() <= until) {
      now = std::max(now, core.deadline());
      step(Elapsed{});
      answer();
    }
    now = until;
  }

  // What a process that is well does, and one that was told to end.
  void answer() {
    while (!owed.empty()) {
      const Event event = std::move(owed.front());
      owed.erase(owed.begin());
      step(event);
    }
  }

  void mischief() {
    Run run = 0;
    if (!alive.empty()) run = std::next(alive.begin(), static_cast<std::ptrdiff_t>(dice.roll() % alive.size()))->first;
    switch (dice.roll() % 8) {
      case 0: return die(run, 0, SIGKILL);
      case 1: return die(run, static_cast<int>(dice.roll() % 3), 0);
      case 2: return step(Received{.from = broker, .message = listing()});
      case 3: return step(Received{.from = {.door = Door::supervisor, .peer = 7}, .message = Roll{.service = dice.one_in(2) ? "zip" : "rare", .at_once = 1 + dice.roll() % 3}});
      case 4: return step(Received{.from = {.door = Door::supervisor, .peer = 7}, .message = Ps{}});
      case 5: return step(Noticed{.run = run, .alive = true, .worker = "w" + std::to_string(run), .instance = "i"});
      case 6: if (!alive.contains(run)) return; return step(Noticed{.run = run, .stopping = true});
      default: return step(Noticed{.run = run + 1000, .ready = true});
    }
  }

  Listing listing() {
    return {.services = {{.service = dice.one_in(2) ? "zip" : "rare", .used = dice.roll() % 2, .waiting = dice.roll() % 3,
                          .granted = dice.roll() % 4}}};
  }

  void die(Run run, int code, int signal) {
    if (alive.erase(run) == 0) return;
    std::erase_if(owed, [&](const Event& e) { const auto* ready = std::get_if<Noticed>(&e); return ready && ready->run == run; });
    step(Exited{run, code, signal});
  }

  void on(const Start& start) {
    CHECK(!done);
    alive[start.run] = start.process;
    ++starts[start.process];
    owed.push_back(Started{start.run, 100 + start.run});
    if (!deaf && !(sick && dice.one_in(3))) {
      owed.push_back(Noticed{.run = start.run, .ready = true, .worker = "w" + std::to_string(start.run), .instance = "i"});
    }
  }
  void on(const Signal& signal) {
    CHECK(alive.contains(signal.run));
    if (!deaf && alive.erase(signal.run) > 0) owed.push_back(Exited{signal.run, 0, signal.number == SIGTERM ? 0 : signal.number});
  }
  void on(const KillTree& kill) {
    if (alive.erase(kill.run) > 0) owed.push_back(Exited{kill.run, 0, SIGKILL});
  }
  void on(const Send& send) {
    if (const auto* drain = std::get_if<Drain>(&send.message); drain && drain->mode == DrainMode::leave) {
      const Run run = std::stoull(drain->worker.substr(1));
      if (!deaf && alive.erase(run) > 0) owed.push_back(Exited{run, 0, 0});
    }
    if (std::holds_alternative<Processes>(send.message)) rows = std::get<Processes>(send.message).rows;
  }
  void on(const Done& end) { done = end; }
  template <class Other>
  void on(const Other&) {}

  std::size_t count(ProcessState state, std::string_view prefix = {}) {
    step(Received{.from = {.door = Door::supervisor, .peer = 7}, .message = Ps{}});
    std::size_t found = 0;
    for (const auto& row : rows) found += row.state == state && row.process.starts_with(prefix);
    return found;
  }

  Instant now = opening;
  Supervisor core;
  Dice dice;
  std::map<Run, std::string> alive;
  std::map<std::string, int> starts;
  std::vector<Event> owed;
  std::vector<ProcessRow> rows;
  std::optional<Done> done;
  bool deaf = false;  // signals and starts have no effect
  bool sick = false;  // some do not become ready
};

}  // namespace

TEST_CASE("a supervisor comes through any storm of deaths, and everything runs again afterwards") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    World world(seed);
    world.answer();
    world.sick = true;
    for (int i = 0; i < 300; ++i) {
      if (!world.dice.one_in(4)) world.answer();
      world.pass(Duration(static_cast<Duration::rep>(world.dice.roll() % 800'000)));
      if (!world.done) world.mischief();
    }
    world.sick = false;
    world.answer();
    // Crash loops end after a minute of health, and the tries are a minute apart.
    world.pass(5min);
    world.answer();
    if (world.done) {
      CHECK(world.done->code == 2);  // the broker was told that it is configured wrong
      continue;
    }
    const std::size_t failed = world.count(ProcessState::failed);
    CHECK(world.count(ProcessState::ready, "broker") == 1);
    CHECK(world.count(ProcessState::ready, "zip") + world.count(ProcessState::failed, "zip") >= 2);
    CHECK(world.count(ProcessState::ready, "plain") + failed >= 1);
    CHECK(world.count(ProcessState::starting) == 0);
    CHECK(world.count(ProcessState::waiting) == 0);
    world.step(Shutdown{});
    world.answer();
    REQUIRE(world.done);
    CHECK(world.done->code == 0);
    CHECK(world.alive.empty());
  }
}

TEST_CASE("a stop ends within its bound, whatever the processes do, and its code tells that they had to be killed") {
  World world(1);
  world.answer();
  world.deaf = true;
  world.step(Shutdown{});
  world.pass(9s);
  CHECK(!world.done);
  world.pass(1s);
  world.answer();
  REQUIRE(world.done);
  CHECK(world.done->code == 124);
}

TEST_CASE("pauses before restarts are random, grow, and have a bound") {
  std::set<std::int64_t> seconds;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Options options;
    options.seed = seed;
    options.loop_exits = 1000;
    options.groups.push_back({.name = "sick"});
    Supervisor core(options);
    Instant now = opening;
    Actions out;
    core.step(now, Elapsed{}, out);
    Duration longest{0};
    for (Run run = 1; run <= 40; ++run) {
      out.clear();
      core.step(now, Exited{run, 7, 0}, out);
      const Duration bound = run == 1 ? Duration{0} : run < 12 ? Duration(100'000LL << (run - 2)) : Duration(30s);
      const bool at_once = std::any_of(out.begin(), out.end(), [](const Action& a) { return std::holds_alternative<Start>(a); });
      if (at_once) continue;
      const Duration pause = core.deadline() - now;
      CHECK(pause <= std::min<Duration>(bound, 30s));
      longest = std::max(longest, pause);
      if (run == 40) seconds.insert(pause / 1s);
      now = core.deadline();
      core.step(now, Elapsed{}, out);
    }
    CHECK(longest > 5s);
  }
  CHECK(seconds.size() > 8);
}

TEST_CASE("no more processes run for a service than are configured, however long requests wait") {
  World world(3);
  world.answer();
  for (int i = 0; i < 100; ++i) {
    world.step(Received{.from = broker, .message = Listing{.services = {{.service = "rare", .waiting = 100}}}});
    world.answer();
    world.pass(200ms);
  }
  CHECK(world.count(ProcessState::ready, "rare") == 3);
  for (int i = 0; i < 40; ++i) {
    world.step(Received{.from = broker, .message = Listing{.services = {{.service = "rare"}}}});
    world.answer();
    world.pass(200ms);
  }
  CHECK(world.count(ProcessState::ready, "rare") == 0);
  CHECK(world.rows.size() == 5);
}

TEST_CASE("the rows of as many processes as there may be fit into one message") {
  Options options;
  for (std::size_t i = 0; i < limits::processes; ++i) {
    options.groups.push_back({.name = std::string(50, 'n') + std::to_string(i), .service = std::string(64, 's')});
  }
  Supervisor core(options);
  Actions out;
  core.step(opening, Elapsed{}, out);
  for (Run run = 1; run <= limits::processes; ++run) {
    for (int i = 0; i < 20; ++i) {
      core.step(opening, Noticed{.run = run, .ready = true, .status = std::string(1000, 'x'),
                                 .worker = std::string(60, 'w') + std::to_string(i), .instance = "i"}, out);
    }
  }
  out.clear();
  core.step(opening, Received{.from = {.door = Door::supervisor}, .message = Ps{}}, out);
  REQUIRE(out.size() == 1);
  const auto& rows = std::get<Processes>(std::get<Send>(out[0]).message).rows;
  CHECK(rows.size() == limits::processes);
  std::size_t bytes = 0;
  for (const auto& row : rows) {
    bytes += 120 + row.process.size() + row.service.size() + row.exit.size() + row.status.size();
    for (const auto& worker : row.workers) bytes += worker.size() + 2;
  }
  CHECK(bytes < limits::body_bytes);
}
