// Shrinking: a failing seed again and again with less of everything, for as long as the same invariant fails.

#pragma once

#include <cstdint>
#include <string>

#include "test/sim/trouble.hpp"

namespace pointsman::sim {

struct Shrunk {
  Cut cut;
  int invariant = 0;
  std::string what;
  std::string left;  // who still takes part and what still goes wrong
  int runs = 0;
};

// Within about so many seconds.
Shrunk shrink(std::uint64_t seed, double seconds);

// The story of a cut run in at most `lines` lines, the violation last.
std::string story_of(std::uint64_t seed, const Cut& cut, std::size_t lines);

}  // namespace pointsman::sim
