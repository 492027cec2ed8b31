// A campaign: many seeds, in several processes, and what came of them.
//
// Each seed runs in a child, so that a core that breaks its word (MUST ends the process) costs that seed only.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "test/sim/run.hpp"

namespace pointsman::sim {

struct Orders {
  std::vector<std::uint64_t> seeds;
  std::uint64_t more = 0;   // then seeds from here on, counting up,
  double hours = 0;         // until so many hours are simulated
  int jobs = 1;
  bool twice = false;       // each seed twice: the same story
  bool verbose = false;
  std::uint64_t most_failures = 20;  // then it ends
};

struct Failure {
  std::uint64_t seed = 0;
  int invariant = 0;
  std::string what;
  double seconds = 0;  // since the campaign began
};

struct Report {
  Outcome total;
  std::uint64_t passed = 0;
  std::vector<Failure> failures;
  double seconds = 0;
};

Report carry_out(const Orders& orders);

// One run in a child.
struct Verdict {
  int invariant = 0;  // 0: all hold
  std::string what;
  bool calm = false;
  Duration simulated{};
  std::array<std::uint64_t, troubles + 1> asked{};
};
Verdict judge(std::uint64_t seed, const Cut& cut);

}  // namespace pointsman::sim
