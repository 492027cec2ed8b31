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
  int invariant = 0;  // that does not hold
  bool calm = false;  // it was so far when that came out
  std::string cast;   // who took part and what went wrong, in a line
  Duration simulated{};
  std::uint64_t events = 0;
  std::uint64_t grants = 0;
  std::uint64_t sessions = 0;
  std::uint64_t answered = 0;
  std::array<std::uint64_t, troubles> met{};       // how often trouble struck
  std::array<std::uint64_t, troubles + 1> asked{};  // and would have, were nothing cut; then sessions
};

Outcome run(std::uint64_t seed, Story& story, const Cut& cut = {});

}  // namespace pointsman::sim
