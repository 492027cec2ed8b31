// The policies and the waiting line, each for itself.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/core/policies.hpp"
#include "test/bench/fleet.hpp"

namespace pointsman::bench {

namespace {

using namespace broker;

// A seat is chosen and used, and another comes free: the choice among the free ones and the return of one.
void pick_and_return(benchmark::State& state, Policy policy, std::size_t count, std::uint64_t weights) {
  Chooser chooser(policy, 1);
  std::vector<std::unique_ptr<Seat>> seats;
  for (std::size_t i = 0; i < count; ++i) {
    auto seat = std::make_unique<Seat>();
    seat->order = i + 1;
    seat->weight = static_cast<std::uint32_t>(1 + i % weights);
    chooser.add(*seat);
    seats.push_back(std::move(seat));
  }
  std::vector<Seat*> busy(count / 2);  // a ring: half of the seats have somebody
  const auto take = [&] {
    Seat* seat = chooser.choose();
    ++seat->connections;
    seat->busy += 1000;
    chooser.touch(*seat);
    return seat;
  };
  for (Seat*& seat : busy) seat = take();
  std::uint64_t done = 0;
  std::size_t at = 0;
  for (auto _ : state) {
    Seat*& seat = busy[at];
    at = at + 1 == busy.size() ? 0 : at + 1;
    --seat->connections;
    seat->completed = ++done;
    chooser.touch(*seat);
    seat = take();
  }
}

// The choice alone, among some of the classes that so many workers fall into: each step chooses, and the chosen seat
// keeps its place.
void choose_among(benchmark::State& state, Policy policy, std::size_t count, std::size_t classes, std::size_t among) {
  Chooser chooser(policy, 1);
  std::vector<std::unique_ptr<Seat>> seats;
  for (std::size_t i = 0; i < count; ++i) {
    auto seat = std::make_unique<Seat>();
    seat->order = i + 1;
    seat->class_index = static_cast<std::uint32_t>(i % classes);
    chooser.add(*seat);
    seats.push_back(std::move(seat));
  }
  ClassSet set;
  for (std::size_t i = 0; i < among; ++i) set.add(i * (classes / among));
  for (auto _ : state) {
    Seat* seat = chooser.choose({}, &set);
    benchmark::DoNotOptimize(seat);
    seat->connections = (seat->connections + 1) % 8;
    chooser.touch(*seat);
  }
}

// One comes to the end of a line of so many, and one of those in the middle takes its request back.
void enter_and_cancel(benchmark::State& state, std::size_t waiting) {
  static std::unique_ptr<Fleet> fleet;
  static std::size_t made = 0;
  if (!fleet || made != waiting) {
    fleet.reset();
    fleet = std::make_unique<Fleet>(FleetOptions{.workers = 1, .sessions = 0, .waiting = waiting});
    made = waiting;
  }
  constexpr std::size_t batch = 500;
  for (auto _ : state) state.SetIterationTime(fleet->enter_and_cancel(batch) / batch);
}

[[maybe_unused]] const bool registered = [] {
  for (std::size_t i = 0; i < static_cast<std::size_t>(Policy::count_); ++i) {
    const auto policy = static_cast<Policy>(i);
    for (const std::size_t count : {10U, 1000U, 100'000U}) {
      for (const std::uint64_t weights : {1U, 100U}) {
        if (weights > count) continue;
        benchmark::RegisterBenchmark(
            ("policy/" + std::string(word(policy)) + "/" + std::to_string(count) +
             (weights > 1 ? "/weights" : ""))
                .c_str(),
            [=](benchmark::State& s) { pick_and_return(s, policy, count, weights); });
      }
    }
  }
  for (const Policy policy : {Policy::weighted_round_robin, Policy::least_connections, Policy::two_choices}) {
    for (const std::size_t among : {10U, 100U, 1000U}) {
      benchmark::RegisterBenchmark(
          ("choose_among/" + std::string(word(policy)) + "/100000/1000/" + std::to_string(among)).c_str(),
          [=](benchmark::State& s) { choose_among(s, policy, 100'000, 1000, among); });
    }
  }
  for (const std::size_t waiting : {1000U, 1'000'000U}) {
    benchmark::RegisterBenchmark(("line/enter_and_cancel/" + std::to_string(waiting)).c_str(),
                                 [=](benchmark::State& s) { enter_and_cancel(s, waiting); })
        ->UseManualTime()
        ->Iterations(40);
  }
  return true;
}();

}  // namespace

}  // namespace pointsman::bench
