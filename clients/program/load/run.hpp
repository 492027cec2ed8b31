// Run: one load test from its first process to its last check.

#pragma once

#include <optional>
#include <string>

#include "clients/program/context.hpp"
#include "clients/program/load/generator.hpp"
#include "clients/program/load/ground.hpp"
#include "clients/program/load/pacer.hpp"
#include "clients/program/load/result.hpp"
#include "clients/program/signals.hpp"

namespace pointsman::load {

enum class Kind : std::uint8_t { handoffs, calls, streams, renewals, registrations };

struct Setup {
  Kind kind = Kind::handoffs;
  Aim aim;
  Pace pace;
  GroundPlan ground;
  std::uint64_t repeat = 1;
  std::optional<Bound> search;
  std::optional<Bound> bound;
  Result result;  // its version, machine, parameters and bound
};

// Blocks. A signal ends it early, with what there is; a second one at once (Interrupted).
Result run(Setup setup, Signals& signals, program::Clock::time_point deadline);

}  // namespace pointsman::load
