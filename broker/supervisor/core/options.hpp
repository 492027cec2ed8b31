// What a supervisor core may be told: what is to run, and every time and bound of it, with its default.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::supervisor {

// One table of the file: processes of one command. What the command is only the shell knows.
struct Group {
  std::string name;     // its processes are NAME-1, NAME-2 …; NAME alone if there can only be one. 1 to 56 bytes
  ProcessKind kind = ProcessKind::program;
  std::string service;  // a worker's; empty for others
  std::uint64_t min = 1;  // processes at any time
  std::uint64_t max = 1;  // and while requests wait; at least min and 1
  Duration idle{std::chrono::minutes(1)};  // nobody used the service for so long: down to min
  bool notifies = true;   // it says when it is ready; else it is as soon as it runs
  Duration ready{std::chrono::seconds(30)};     // not ready after so long: hung
  Duration watchdog{std::chrono::seconds(10)};  // no sign of life for so long, once there was one: hung; 0: never
  Duration drain{std::chrono::minutes(1)};      // for its sessions to end before it is replaced, or not needed
};

struct Options {
  std::uint64_t seed = 1;     // of the jitter
  std::vector<Group> groups;  // at most one of kind broker; names are unique

  // Restarts. The first is at once; then after a random part of `pause`, which doubles with each failure up to
  // `pause_max` and is short again once a process was well for `healthy`.
  Duration pause{std::chrono::milliseconds(100)};
  Duration pause_max{std::chrono::seconds(30)};
  Duration healthy{std::chrono::seconds(60)};
  std::size_t loop_exits = 5;                      // so many ends
  Duration loop_within{std::chrono::seconds(60)};  // within this are a crash loop:
  Duration loop_retry{std::chrono::seconds(60)};   // then it is tried this seldom
  std::vector<int> final_exits{2, 64, 78, 126, 127};  // cannot run as it is configured: not started again

  // Ends.
  Duration abort{std::chrono::seconds(2)};  // for a hung process to write its core, between SIGABRT and SIGKILL
  Duration stop{std::chrono::seconds(10)};  // for everything to end in good order
  Duration last_share{std::chrono::seconds(3)};  // of that, kept for the broker; at most half of it

  // The broker.
  Duration look{std::chrono::milliseconds(200)};    // between two looks at services that are started on demand
  Duration repeat{std::chrono::milliseconds(500)};  // what was said to it is said again after this,
  int repeats = 4;                                  // so often
  Duration silence{std::chrono::seconds(2)};        // no answer for so long: a new connection

  // Bounds.
  std::size_t obituaries_max = 1024;  // dead workers that the broker has not been told of often enough
  Duration stall{std::chrono::milliseconds(500)};  // a later step than this is our own stall, and nobody else's
};

}  // namespace pointsman::supervisor
