// What is compared with what, and how much is asked.

#pragma once

#include "test/peers/contest.hpp"

namespace pointsman::peers {

struct Pace {
  double seconds = 1;    // of each measurement
  double warm_up = 0.2;  // before it
  bool tiny = false;     // the smallest loads only
};

std::vector<Contest> handoff_contests(const Pace& pace);
std::vector<Contest> job_contests(const Pace& pace);

std::vector<Contest> all_contests(const Pace& pace);

}  // namespace pointsman::peers
