// The broker core alone: a hand-off from request to close, leases, and what a record costs in memory.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "protocol/must.hpp"
#include "test/bench/fleet.hpp"
#include "test/bench/ledger.hpp"

namespace pointsman::bench {

namespace {

constexpr std::size_t million = 1'000'000;
constexpr std::size_t batch = 2560;

// A fleet is made once for all the runs of one benchmark; only one is kept.
Fleet& fleet_of(const FleetOptions& options) {
  static std::unique_ptr<Fleet> fleet;
  static FleetOptions made;
  if (!fleet || !(made == options)) {
    fleet.reset();
    fleet = std::make_unique<Fleet>(options);
    made = options;
    fleet->churn(
        std::max<std::size_t>(20'000, 2 * options.workers));  // the caches and the remembered requests
  }
  return *fleet;
}

// Time and allocations of one hand-off.
void hand_off(benchmark::State& state, const FleetOptions& options) {
  Fleet& fleet = fleet_of(options);
  for (auto _ : state) state.SetIterationTime(fleet.churn(batch) / batch);
  const auto before = ledger().allocations;
  fleet.churn(batch);
  // Those of the messages that the fleet says are counted, too.
  state.counters["allocations"] = static_cast<double>(ledger().allocations - before) / batch;
}

void renewal(benchmark::State& state, std::size_t workers) {
  Fleet& fleet = fleet_of({.workers = workers});
  for (auto _ : state) state.SetIterationTime(fleet.renew(batch) / batch);
}

void expiry(benchmark::State& state) {
  for (auto _ : state) {
    Fleet fleet({.workers = 100'000, .sessions = 100'000});
    const double longest = fleet.expire(1000);
    state.SetIterationTime(longest);
  }
}

double held() { return static_cast<double>(ledger().bytes); }

// A record that has grown is to be noticed: `bench: bytes` runs these three.
double within(double bytes, double most) {
  MUST(bytes <= most);
  return bytes;
}

// Bytes of the core for each record, all that belongs to it included.
void bytes_of_worker(benchmark::State& state) {
  constexpr std::size_t count = 100'000;
  for (auto _ : state) {
    const double bare = held();
    Fleet none({.workers = 1, .sessions = 0});
    const double before = held();
    Fleet many({.workers = count + 1, .sessions = 0});
    // The fleet's own notes: its vector of workers and its table of leases.
    const double notes = static_cast<double>(many.notes());
    state.counters["bytes"] = within((held() - before - (before - bare) - notes) / count, 960);
  }
}

void bytes_of_waiting(benchmark::State& state) {
  for (auto _ : state) {
    Fleet fleet({.workers = 1, .sessions = 0});
    fleet.ask_aside(1000);
    const double before = held();
    fleet.ask_aside(million);
    state.counters["bytes"] = within((held() - before) / million, 200);
  }
}

// A session that is open: with the request that it answers, which its client may still repeat.
void bytes_of_session(benchmark::State& state) {
  for (auto _ : state) {
    Fleet fleet({.workers = 10'000, .slots = 200, .sessions = 1000});
    const double before = held() - static_cast<double>(fleet.notes());
    fleet.open_sessions(million);
    state.counters["bytes"] =
        within((held() - static_cast<double>(fleet.notes()) - before) / million, 300);
  }
}

// What the broker holds more after many sessions came and went: 1,000,000, or POINTSMAN_BENCH_SESSIONS.
void growth(benchmark::State& state) {
  const char* wanted = std::getenv("POINTSMAN_BENCH_SESSIONS");
  const std::size_t sessions = wanted ? std::strtoull(wanted, nullptr, 10) : million;
  for (auto _ : state) {
    Fleet fleet({.workers = 1000, .sessions = 10'000});
    fleet.churn(300'000);  // as many requests as are remembered, and the buffers
    const double before = held() - static_cast<double>(fleet.notes());
    fleet.churn(sessions);
    state.counters["sessions"] = static_cast<double>(sessions);
    state.counters["bytes"] = held() - static_cast<double>(fleet.notes()) - before;
  }
}

[[maybe_unused]] const bool registered = [] {
  const auto add = [](const std::string& name, auto&& run) {
    return benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->Iterations(40);
  };
  for (std::size_t i = 0; i < static_cast<std::size_t>(Policy::count_); ++i) {
    const auto policy = static_cast<Policy>(i);
    const std::string name(word(policy));
    for (const std::size_t workers : {10U, 100U, 1000U, 10'000U, 100'000U}) {
      const FleetOptions options{.policy = policy, .workers = workers, .sessions = 4 * workers};
      add("hand_off/" + name + "/" + std::to_string(workers),
          [=](benchmark::State& s) { hand_off(s, options); });
    }
    const FleetOptions full{.policy = policy, .workers = 100'000, .sessions = million, .waiting = million};
    add("hand_off_full/" + name + "/100000", [=](benchmark::State& s) { hand_off(s, full); });
    const FleetOptions line{.policy = policy,
                            .workers = 100'000,
                            .slots = 10,
                            .sessions = million,
                            .waiting = million,
                            .aside = false};
    add("hand_off_through_line/" + name + "/100000", [=](benchmark::State& s) { hand_off(s, line); });
  }
  // 100,000 workers that differ in one attribute of 1,000 values; a condition that ten of these meet, half of them, or all.
  for (const Policy policy : {Policy::weighted_round_robin, Policy::least_connections, Policy::two_choices}) {
    FleetOptions classes{.policy = policy, .workers = 100'000, .sessions = 10'000, .classes = 1000};
    const std::string name(word(policy));
    add("hand_off_classes/" + name + "/any", [=](benchmark::State& s) { hand_off(s, classes); });
    classes.when = "class < 10";
    add("hand_off_classes/" + name + "/ten", [=](benchmark::State& s) { hand_off(s, classes); });
    classes.when = "class < 500";
    add("hand_off_classes/" + name + "/half", [=](benchmark::State& s) { hand_off(s, classes); });
    classes.prefer = "+class";
    add("hand_off_classes/" + name + "/half_liked", [=](benchmark::State& s) { hand_off(s, classes); });
  }
  for (const std::size_t workers : {1000U, 100'000U}) {
    add("renewal/" + std::to_string(workers), [=](benchmark::State& s) { renewal(s, workers); });
  }
  add("expiry_longest_step/100000", expiry)->Iterations(1)->Unit(benchmark::kMillisecond);
  for (const auto& [name, run] :
       {std::pair{"bytes/worker", &bytes_of_worker}, std::pair{"bytes/waiting", &bytes_of_waiting},
        std::pair{"bytes/session", &bytes_of_session}, std::pair{"growth", &growth}}) {
    benchmark::RegisterBenchmark(name, run)->Iterations(1)->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace

}  // namespace pointsman::bench
