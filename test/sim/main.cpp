// The simulator: broker, workers and clients in one process, in virtual time, with everything that can go wrong.
//
//   pointsman_sim [--seeds A..B] [--steps N] [--verbose]   runs seeds; ends with `N passed, N failed`
//   pointsman_sim --seed N [--trace]                       one seed; --trace prints every message as it goes
//   pointsman_sim --file test/sim/seeds.txt                the seeds that found bugs

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "test/sim/run.hpp"

namespace {

using namespace pointsman::sim;

struct Wish {
  std::vector<std::uint64_t> seeds;
  std::uint64_t steps = 0;
  bool trace = false;
  bool last = false;  // keep and print the last lines
  bool verbose = false;
};

// For the handler of SIGABRT: a MUST of a core ends the process in the middle of a seed.
std::uint64_t current_seed = 0;
Story* current_story = nullptr;
bool retelling = false;

void print_last(const Story& story) {
  for (const auto& line : story.last()) std::cout << line << "\n";
}

// Where the core broke its word is told by MUST. Which story led there is told by running the seed again.
void on_abort(int) {
  if (retelling) {
    print_last(*current_story);
    std::cout << "seed " << current_seed << ": a MUST of a core does not hold (see above)\n" << std::flush;
    std::_Exit(1);
  }
  const auto seed = std::to_string(current_seed);
  std::cout << std::flush;
  execl("/proc/self/exe", "pointsman_sim", "--seed", seed.c_str(), "--last", static_cast<char*>(nullptr));
  std::_Exit(1);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    std::cerr << "pointsman_sim: '" << text << "' is no number\n";
    std::exit(64);
  }
  return value;
}

void add_range(Wish& wish, std::string_view range) {
  const auto dots = range.find("..");
  const auto first = number(range.substr(0, dots));
  const auto last = dots == std::string_view::npos ? first : number(range.substr(dots + 2));
  for (auto seed = first; seed <= last; ++seed) wish.seeds.push_back(seed);
}

void add_file(Wish& wish, const std::string& path) {
  std::ifstream in(path);
  if (!in) {
    std::cerr << "pointsman_sim: cannot read " << path << "\n";
    std::exit(64);
  }
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line.front() != '#') wish.seeds.push_back(number(std::string_view(line).substr(0, line.find(' '))));
}

Wish read(int argc, char** argv) {
  Wish wish;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 < argc) return argv[++i];
      std::cerr << "pointsman_sim: " << arg << " needs a value\n";
      std::exit(64);
    };
    if (arg == "--seeds" || arg == "--seed") add_range(wish, value());
    else if (arg == "--file") add_file(wish, value());
    else if (arg == "--steps") wish.steps = number(value());
    else if (arg == "--trace") wish.trace = true;
    else if (arg == "--last") wish.last = true;
    else if (arg == "--verbose") wish.verbose = true;
    else {
      std::cerr << "usage: pointsman_sim [--seeds A..B | --seed N | --file FILE] [--steps N] [--trace] [--verbose]\n";
      std::exit(64);
    }
  }
  if (wish.seeds.empty()) add_range(wish, "1..300");
  return wish;
}

Outcome play(std::uint64_t seed, const Wish& wish, Story& story) {
  current_seed = seed;
  current_story = &story;
  return run(seed, story, wish.steps);
}

// A failed seed again, with its last lines kept.
void tell(std::uint64_t seed, const Wish& wish, const Outcome& failed) {
  retelling = true;
  Story story(Story::Telling::last, false);
  if (!wish.trace) {
    play(seed, wish, story);
    print_last(story);
  }
  retelling = false;
  std::cout << "seed " << seed << ": " << *failed.violation << "\n  " << failed.cast << "\n";
}

// The same seed gives the same run: every tenth is compared.
bool repeats(std::uint64_t seed, const Wish& wish) {
  Story one(Story::Telling::none, true);
  Story two(Story::Telling::none, true);
  play(seed, wish, one);
  play(seed, wish, two);
  if (one.hash() == two.hash()) return true;
  std::cout << "seed " << seed << ": two runs differ\n";
  return false;
}

void add(Outcome& total, const Outcome& one) {
  total.simulated += one.simulated;
  total.events += one.events;
  total.grants += one.grants;
  total.sessions += one.sessions;
  total.answered += one.answered;
  for (std::size_t i = 0; i < troubles; ++i) total.troubles_met[i] += one.troubles_met[i];
}

void print(const Outcome& total, double wall) {
  const double hours = static_cast<double>(total.simulated.count()) / 3.6e9;
  std::printf("%.1f simulated hours in %.1f s (%.2f hours a second), %llu events, %llu grants, %llu sessions, %llu calls answered\n",
              hours, wall, hours / wall, static_cast<unsigned long long>(total.events),
              static_cast<unsigned long long>(total.grants), static_cast<unsigned long long>(total.sessions),
              static_cast<unsigned long long>(total.answered));
  std::printf("trouble:");
  for (std::size_t i = 0; i < troubles; ++i)
    std::printf(" %s %llu", std::string(name_of(static_cast<Trouble>(i))).c_str(),
                static_cast<unsigned long long>(total.troubles_met[i]));
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const Wish wish = read(argc, argv);
  std::signal(SIGABRT, on_abort);
  retelling = wish.last;
  const auto began = std::chrono::steady_clock::now();
  Outcome total;
  std::uint64_t failed = 0;
  for (const auto seed : wish.seeds) {
    Story story(wish.trace ? Story::Telling::all : wish.last ? Story::Telling::last : Story::Telling::none, false);
    const auto outcome = play(seed, wish, story);
    add(total, outcome);
    if (wish.verbose) std::cout << "seed " << seed << ": " << outcome.events << " events, " << outcome.cast << std::endl;
    if (outcome.violation) {
      ++failed;
      if (wish.last) print_last(story);
      tell(seed, wish, outcome);
    } else if (seed % 10 == 0 && !repeats(seed, wish)) {
      ++failed;
    }
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
  print(total, wall.count());
  std::cout << wish.seeds.size() - failed << " passed, " << failed << " failed\n";
  return failed == 0 ? 0 : 1;
}
