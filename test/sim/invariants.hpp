// The invariants: what must hold whatever goes wrong. Each has a number, and invariants.txt is this table.
//
// Most are checked after every step of a party; those marked calm only once trouble is over and things had time to
// become right again. `pointsman_sim --invariants` prints the table.

#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pointsman::sim {

struct Invariant {
  int number;
  bool calm;
  std::string_view text;
};

std::span<const Invariant> invariants();

// An invariant does not hold; what() says which, and of whom.
struct Violation : std::runtime_error {
  Violation(int number, const std::string& what)
      : std::runtime_error("I" + std::to_string(number) + ": " + what), invariant(number) {}
  int invariant;
};

}  // namespace pointsman::sim
