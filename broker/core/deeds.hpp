// Deeds: what a worker has done since it started, as it says itself, and how often it failed this broker: for a history.
//
// The figures are absolute, so that whoever writes them down may do so twice, and two brokers that had it one after the
// other add nothing up twice. Failures are the broker's own, and what is new of them.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "protocol/machine.hpp"

namespace pointsman::broker {

struct Deeds {
  std::string worker;
  std::string instance;  // another one of the same worker starts from nothing
  std::uint64_t jobs = 0;
  Milliseconds busy{0};
  // How often it became suspect, for it was silent, hung or did not answer: since it was told last.
  std::uint64_t failures = 0;
  bool came = false;  // it was registered since: what it did before is worth knowing (Recalled)
  friend bool operator==(const Deeds&, const Deeds&) = default;
};

}  // namespace pointsman::broker
