// One run: a seed's world, first with trouble, then in calm.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "test/sim/profile.hpp"
#include "test/sim/story.hpp"

namespace pointsman::sim {

struct Outcome {
  std::optional<std::string> violation;
  std::string cast;  // who took part and what went wrong, in a line
  Duration simulated{};
  std::uint64_t events = 0;
  std::uint64_t grants = 0;
  std::uint64_t sessions = 0;
  std::uint64_t answered = 0;
  std::array<std::uint64_t, troubles> troubles_met{};
};

// `most` bounds the events of the troubled part; 0: as the seed says.
Outcome run(std::uint64_t seed, Story& story, std::uint64_t most = 0);

}  // namespace pointsman::sim
