// Supervision: messages by which people and programs look into a supervisor and let it replace workers.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/fields.hpp"
#include "protocol/limits.hpp"
#include "protocol/words.hpp"

namespace pointsman {

// What a supervised process is to its supervisor.
enum class ProcessKind : std::uint8_t { broker, worker, program, count_ };
template <>
struct Words<ProcessKind> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(ProcessKind::count_)> list{
      "broker", "worker", "program"};
};

enum class ProcessState : std::uint8_t {
  waiting,     // for the broker to be ready
  starting,    // it runs, but has not said that it is ready
  ready,
  stopping,    // it was asked to end
  back_off,    // it failed and is started again soon
  crash_loop,  // it failed again and again and is started once in a while
  stopped,     // nobody needs it now
  failed,      // it cannot run as it is configured, and is not started again
  count_
};
template <>
struct Words<ProcessState> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(ProcessState::count_)> list{
      "waiting", "starting", "ready", "stopping", "back-off", "crash-loop", "stopped", "failed"};
};

// ---------------------------------------------------------------------------------------------------
// Program -> supervisor

// Asks for the processes. Answered by Processes.
struct Ps {
  static constexpr std::string_view op = "ps";

  static constexpr auto fields() { return listed(); }
  friend bool operator==(const Ps&, const Ps&) = default;
};

// Replaces all processes of a service, new ones first. Answered by Rolled after each step; the last is `over`.
struct Roll {
  static constexpr std::string_view op = "roll";
  std::string service;
  std::uint64_t at_once = 1;

  static constexpr auto fields() {
    return listed(need("service", &Roll::service, 1, limits::name),
                  may("at_once", &Roll::at_once, 1, limits::processes));
  }
  friend bool operator==(const Roll&, const Roll&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Supervisor -> program

struct ProcessRow {
  std::string process;
  ProcessKind kind = ProcessKind::program;
  std::string service;
  std::uint64_t pid = 0;  // 0: it does not run
  ProcessState state = ProcessState::stopped;
  bool ready = false;
  std::uint64_t restarts = 0;
  Milliseconds up_ms{0};    // since it was started
  std::string exit;         // how it ended the last time, and why
  Milliseconds next_ms{0};  // until it is started again
  std::uint64_t memory = 0; // bytes, of it and all that it started
  std::string status;       // what it says of itself
  std::vector<std::string> workers;  // names under which it is registered

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return listed(need("process", &ProcessRow::process, 1, limits::name),
                  may("kind", &ProcessRow::kind, 0, 0),
                  may("service", &ProcessRow::service, 0, limits::name),
                  may("pid", &ProcessRow::pid, 0, any),
                  may("state", &ProcessRow::state, 0, 0),
                  flag("ready", &ProcessRow::ready),
                  may("restarts", &ProcessRow::restarts, 0, any),
                  may("up_ms", &ProcessRow::up_ms, 0, any),
                  may("exit", &ProcessRow::exit, 0, limits::text),
                  may("next_ms", &ProcessRow::next_ms, 0, any),
                  may("memory", &ProcessRow::memory, 0, any),
                  may("status", &ProcessRow::status, 0, limits::text),
                  may("workers", &ProcessRow::workers, 0, limits::names_of_process));
  }
  friend bool operator==(const ProcessRow&, const ProcessRow&) = default;
};

struct Processes {
  static constexpr std::string_view op = "processes";
  std::vector<ProcessRow> rows;
  Milliseconds up_ms{0};  // the supervisor
  bool stopping = false;  // all of it

  static constexpr auto fields() {
    return listed(may("rows", &Processes::rows, 0, limits::rows),
                  may("up_ms", &Processes::up_ms, 0, limits::number),
                  flag("stopping", &Processes::stopping));
  }
  friend bool operator==(const Processes&, const Processes&) = default;
};

// How far a replacement is.
struct Rolled {
  static constexpr std::string_view op = "rolled";
  std::string service;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::string step;         // what has just happened, in words
  bool over = false;
  Code code = Code::none;   // over, and why not all were replaced
  std::string reason;

  static constexpr auto fields() {
    return listed(need("service", &Rolled::service, 1, limits::name),
                  may("done", &Rolled::done, 0, limits::number),
                  may("total", &Rolled::total, 0, limits::number),
                  may("step", &Rolled::step, 0, limits::text),
                  flag("over", &Rolled::over),
                  may("code", &Rolled::code, 0, 0),
                  may("reason", &Rolled::reason, 0, limits::text));
  }
  friend bool operator==(const Rolled&, const Rolled&) = default;
};

}  // namespace pointsman
