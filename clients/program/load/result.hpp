// Result: what one load test measured and checked, and its forms: table, JSON and CSV.
//
// The JSON is the whole of it, histograms by bucket, and is read back for comparisons and pictures. Pure but for the
// caller's files. Times are nanoseconds unless a name says otherwise.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "clients/program/load/histogram.hpp"
#include "clients/program/load/ledger.hpp"

namespace pointsman::load {

// One thing that has to be true of a load test, whatever it measured.
struct Check {
  std::string what;
  bool holds = false;
  std::string seen;  // the figures
};

struct Step {  // of a search
  double rate = 0;
  bool held = false;
  Nanos seen = 0;       // at the bound's percentile
  double answered = 0;  // a second
};

struct Sample {     // of one repeat
  double rate = 0;  // answered a second
  Nanos p50 = 0, p99 = 0;
};

struct Happening {
  double at = 0;  // seconds into the measured time
  std::string what;
};

struct Cpu {  // microseconds, user and system, in the measured time; -1: not known
  double generator = -1, broker = -1, workers = -1;
};

struct Result {
  std::string version;
  std::string machine;
  std::uint64_t started = 0;  // Unix seconds
  // How it was measured, in the order in which it is shown. Two results can be compared if all of it is the same.
  std::vector<std::pair<std::string, std::string>> parameters;
  double seconds = 0;   // measured, all repeats
  double interval = 0;  // seconds of a point
  Account account;
  std::uint64_t answered_in_time = 0;
  std::uint64_t bytes = 0;  // of answers, in the measured time
  Histogram latency, took,
      handoff;  // handoff: from due until the session was granted; empty where that is all
  std::vector<Point> points;
  std::vector<Sample> repeats;
  std::vector<Step> steps;
  std::vector<Happening> happenings;
  std::vector<Check> checks;
  std::string bound;  // as it was said; empty: none
  bool missed = false;
  bool cut_short = false;  // by a signal
  Cpu cpu;

  double rate() const { return seconds > 0 ? static_cast<double>(answered_in_time) / seconds : 0; }
  bool good() const;                                          // every check holds
  const std::string& parameter(std::string_view name) const;  // empty: it has none
};

inline constexpr double shares[] = {0.5, 0.9, 0.99, 0.999, 0.9999};

// For people. With a line end.
std::string table_of(const Result& result);

std::string json_of(const Result& result);

// A line a point: seconds, answered and not answered a second, p50, p99 and greatest in microseconds.
std::string csv_of(const Result& result);

// Or why it is none, as the end of a sentence that begins with the file's name.
std::variant<Result, std::string> result_from(std::string_view json);

}  // namespace pointsman::load
