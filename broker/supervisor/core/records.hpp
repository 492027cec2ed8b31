// The supervisor's records: one a process, a group, a replacement, a death.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/supervisor/core/events.hpp"

namespace pointsman::supervisor {

// What follows when a process that was asked to end has ended.
enum class After : std::uint8_t { restart, rest, removal };

struct Process {
  std::size_t group = 0;
  std::uint64_t index = 0;  // in its group, from 1; free ones are used again
  std::string name;

  ProcessState state = ProcessState::waiting;
  Run run = 0;              // 0: it does not run
  std::uint64_t pid = 0;
  bool was_ready = false;   // in this run
  bool ticked = false;      // in this run: so it has to go on
  After after = After::restart;
  bool aborted = false;     // SIGABRT was sent
  bool terminated = false;  // SIGTERM was sent
  std::string why;          // it was asked to end; empty: it was not

  Instant since;            // it was started
  Instant judge_at = never; // without another sign of life it is hung
  Instant next = never;     // it is started again
  Instant term_at = never;  // SIGTERM
  Instant kill_at = never;  // SIGKILL to its tree
  Instant leave_at = never;  // the broker is told again that it is to leave

  std::uint64_t restarts = 0;
  std::uint64_t failures = 0;  // in a row
  std::deque<Instant> ends;    // of late; at most Options::loop_exits
  bool looping = false;        // until it was well for Options::healthy
  std::string last_exit;
  std::string status;
  std::uint64_t memory = 0;
  std::vector<std::pair<std::string, std::string>> workers;  // names and instances of this run

  bool fresh = false;  // started to replace another
  Instant timer = never;
};

// Whose timer is due first; names decide between equal ones, so that runs are repeatable.
struct TimerOrder {
  bool operator()(const std::pair<Instant, Process*>& a, const std::pair<Instant, Process*>& b) const {
    if (a.first != b.first) return a.first < b.first;
    return std::pair(a.second->group, a.second->index) < std::pair(b.second->group, b.second->index);
  }
};

// The processes of one group.
struct Crowd {
  std::set<std::uint64_t> indexes;
  Instant unused_since = never;  // nobody used its service
  std::uint64_t granted = 0;     // sessions of its service so far, as the broker says
};

// A replacement of all processes of a service.
struct Rolling {
  std::string service;
  Address to;
  std::uint64_t at_once = 1;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::deque<Process*> old;                         // still to be replaced
  std::vector<std::pair<Process*, Process*>> pairs;  // old and fresh, while both are there
  std::vector<Process*> leaving;                     // old ones whose successor is ready
  Code code = Code::none;                            // given up: what is leaving still ends
  std::string reason;
};

// A worker whose process is dead, until the broker has been told often enough.
struct Obituary {
  std::string worker;
  std::string instance;
  Instant at;    // said next
  int left = 0;  // times
};

}  // namespace pointsman::supervisor
