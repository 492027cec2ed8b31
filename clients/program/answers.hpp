// Answers of `pointsman call`: printed in the order of the requests, however they come.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "clients/program/commands.hpp"
#include "clients/program/output.hpp"
#include "clients/program/requests.hpp"

namespace pointsman::program {

// How one request ended.
struct Outcome {
  std::string worker;
  std::uint64_t session = 0;
  std::chrono::microseconds took{0};
  Payload payload;
  std::optional<Problem> problem;  // if it failed
};

class Answers {
 public:
  Answers(const CallCommand& command, const Context& context, const Requests& requests);

  // Each number once, in any order. Prints what is next in order. May throw OutputClosed.
  void add(std::uint64_t number, Outcome outcome);

  // Printed so far; those that came early wait for it.
  std::uint64_t printed() const { return next_; }

  // Part of the answer to the one request that streams. Its outcome follows without payload.
  void part(const Payload& payload);

  // After the last: what is left of the JSON document, and the summary. `sessions` were used; `lost` is why the
  // requests from printed() on were not made. Returns the status to leave with.
  int finish(std::uint64_t sessions, const std::optional<Problem>& lost);

 private:
  void print(std::uint64_t number, const Outcome& outcome);
  std::string json(std::uint64_t number, const Outcome& outcome) const;
  std::string summary(std::uint64_t sessions) const;
  void report(std::uint64_t number, Problem problem);

  const CallCommand& command_;
  const Context& context_;
  const Requests& requests_;
  const Screen screen_;
  const Clock::time_point start_ = Clock::now();
  std::map<std::uint64_t, Outcome> early_;
  std::uint64_t next_ = 0;
  std::uint64_t failed_ = 0;
  bool document_ = false;    // one JSON document for all
  bool line_open_ = false;   // the last byte printed ended no line
  std::optional<Exit> first_failure_;
  std::map<std::string, std::uint64_t> by_worker_;
  std::vector<std::chrono::microseconds> times_;  // of the calls that were answered
};

}  // namespace pointsman::program
