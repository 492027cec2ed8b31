// The simulator: broker, supervisor, workers and clients in one process, in virtual time, with everything that can go
// wrong.
//
// One seed draws a world: who takes part, which network, which of the kinds of trouble (trouble.hpp) and how often. One
// in seven is quiet: hours of few clients with long leases; the others are minutes of many. One in eleven has no trouble
// at all. One in four thousand is vast: thousands of workers at tens of brokers. After the trouble comes calm, in which
// everything has to become right again (run.cpp).
// Every step of every party is checked against the invariants (invariants.txt). What costs most is sampled: the cores'
// own check() and the reading of lists are done after every step, or every fifth, in one seed of five, and after every
// eighth, or fiftieth, in the others; the reference (reference.hpp) accompanies the broker in two seeds of three.

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "test/sim/campaign.hpp"
#include "test/sim/invariants.hpp"
#include "test/sim/shrink.hpp"

namespace {

using namespace pointsman::sim;

constexpr const char* usage =
    "usage: pointsman_sim [--seeds A..B | --file FILE | --fresh TEXT [--count N]] [--hours H] [--jobs N]\n"
    "  --seeds A..B   these seeds (default 1..300)\n"
    "  --file FILE    the first number of each line\n"
    "  --fresh TEXT   seeds made from a text, for example a commit; --count of them (default 20000)\n"
    "  --hours H      further seeds until so many hours are simulated\n"
    "  --jobs N       processes (default 1)\n"
    "  --twice        each seed twice: the same story\n"
    "  --most N       ends after so many failures (default 20)\n"
    "  --shrink S     shrinks the first failing seed for so many seconds (default 60; 0: not at all)\n"
    "  --story FILE   writes its story there, too\n"
    "  --trace SEED   one seed, and everything that is said in it\n"
    "  --invariants   prints the table of what is checked\n"
    "  --kinds        prints the kinds of trouble\n"
    "  --verbose      a line for each seed\n"
    "Exits with 0 if every seed passed, 1 if not, 64 if it was called wrongly.\n";

struct Wish {
  Orders orders;
  double shrink = 60;
  std::string story;
  std::uint64_t trace = 0;
};

[[noreturn]] void wrong(const std::string& what) {
  std::cerr << "pointsman_sim: " << what << "\n" << usage;
  std::exit(64);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) wrong("'" + std::string(text) + "' is no number");
  return value;
}

void add_range(Orders& orders, std::string_view range) {
  const auto dots = range.find("..");
  const auto first = number(range.substr(0, dots));
  const auto last = dots == std::string_view::npos ? first : number(range.substr(dots + 2));
  for (auto seed = first; seed <= last; ++seed) orders.seeds.push_back(seed);
}

void add_file(Orders& orders, const std::string& path) {
  std::ifstream in(path);
  if (!in) wrong("cannot read " + path);
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line.front() != '#') orders.seeds.push_back(number(std::string_view(line).substr(0, line.find(' '))));
}

// A text gives a range of its own: FNV-1a, below a million millions, times a million.
std::uint64_t range_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash % 1'000'000'000'000ULL * 1'000'000ULL;
}

void print_invariants() {
  for (const auto& invariant : invariants()) {
    std::printf("I%-3d %-5s %s\n", invariant.number, invariant.calm ? "calm" : "", std::string(invariant.text).c_str());
  }
}

Wish read(int argc, char** argv) {
  Wish wish;
  std::string fresh;
  std::uint64_t count = 20'000;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) wrong(std::string(arg) + " needs a value");
      return argv[++i];
    };
    if (arg == "--seeds" || arg == "--seed") add_range(wish.orders, value());
    else if (arg == "--file") add_file(wish.orders, value());
    else if (arg == "--fresh") fresh = value();
    else if (arg == "--count") count = number(value());
    else if (arg == "--hours") wish.orders.hours = static_cast<double>(number(value()));
    else if (arg == "--jobs") wish.orders.jobs = static_cast<int>(std::clamp<std::uint64_t>(number(value()), 1, 256));
    else if (arg == "--twice") wish.orders.twice = true;
    else if (arg == "--most") wish.orders.most_failures = number(value());
    else if (arg == "--shrink") wish.shrink = static_cast<double>(number(value()));
    else if (arg == "--story") wish.story = value();
    else if (arg == "--trace") wish.trace = number(value());
    else if (arg == "--verbose") wish.orders.verbose = true;
    else if (arg == "--invariants") print_invariants(), std::exit(0);
    else if (arg == "--kinds") {
      for (std::size_t kind = 0; kind < troubles; ++kind) std::puts(std::string(name_of(static_cast<Trouble>(kind))).c_str());
      std::exit(0);
    } else if (arg == "--help") std::cout << usage, std::exit(0);
    else wrong("there is no option " + std::string(arg));
  }
  if (!fresh.empty())
    for (std::uint64_t i = 1; i <= count; ++i) wish.orders.seeds.push_back(range_of(fresh) + i);
  if (wish.orders.seeds.empty()) add_range(wish.orders, "1..300");
  wish.orders.more = *std::max_element(wish.orders.seeds.begin(), wish.orders.seeds.end()) + 1;
  return wish;
}

void print(const Report& report) {
  const auto& total = report.total;
  const double hours = static_cast<double>(total.simulated.count()) / 3.6e9;
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%.1f simulated hours in %.1f s (%.2f hours a second), %llu events, %llu grants, %llu sessions, %llu calls answered\n",
              hours, report.seconds, hours / report.seconds, n(total.events), n(total.grants), n(total.sessions), n(total.answered));
  std::printf("trouble, %zu kinds:", troubles);
  for (std::size_t i = 0; i < troubles; ++i) std::printf(" %s %llu", std::string(name_of(static_cast<Trouble>(i))).c_str(), n(total.met[i]));
  std::printf("\n%zu invariants\n", invariants().size());
}

void tell(const Failure& failure, const Wish& wish) {
  std::printf("shrinking seed %llu ...\n", static_cast<unsigned long long>(failure.seed));
  std::fflush(stdout);
  const auto shrunk = shrink(failure.seed, wish.shrink);
  std::string text = "seed " + std::to_string(failure.seed) + ": " + failure.what + "\nafter " + std::to_string(shrunk.runs) +
                     " runs there are left: " + shrunk.left + "\n" + story_of(failure.seed, shrunk.cut, 45);
  std::printf("%s", text.c_str());
  if (wish.story.empty()) return;
  std::ofstream(wish.story) << text;
  std::printf("written to %s\n", wish.story.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const Wish wish = read(argc, argv);
  if (wish.trace != 0) {
    Story story(Story::Telling::all, false);
    const auto outcome = run(wish.trace, story);
    std::cout << outcome.violation.value_or("all holds") << "\n" << outcome.cast << "\n";
    return outcome.violation ? 1 : 0;
  }
  const auto report = carry_out(wish.orders);
  print(report);
  if (!report.failures.empty() && wish.shrink > 0) tell(report.failures.front(), wish);
  std::printf("%llu passed, %zu failed\n", static_cast<unsigned long long>(report.passed), report.failures.size());
  return report.failures.empty() ? 0 : 1;
}
