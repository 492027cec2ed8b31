// Waiting in end-to-end tests: for a condition, with a bound.

#pragma once

#include <chrono>
#include <thread>

namespace pointsman {

// Whether `holds` becomes true in time; looks every few milliseconds.
template <class Condition>
bool eventually(std::chrono::milliseconds within, Condition holds) {
  const auto until = std::chrono::steady_clock::now() + within;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // between two looks
  }
  return true;
}

template <class Condition>
bool eventually(Condition holds) {
  return eventually(std::chrono::seconds(20), holds);
}

}  // namespace pointsman
