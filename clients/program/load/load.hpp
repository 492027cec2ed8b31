// pointsman load: what it was told, and the functions that do it.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clients/program/context.hpp"

namespace pointsman::load {

// Times are words as words.hpp reads them.
struct LoadCommand {
  std::string kind = "hand-offs";  // calls, streams, renewals, registrations
  // Pace. Without a rate the loop is closed: clients x depth sessions or requests at a time.
  std::uint64_t clients = 16;
  std::uint64_t depth = 1;
  std::string rate;
  std::string arrivals = "poisson";  // or even
  std::uint64_t burst = 1;
  std::string search;                // a bound
  std::string bound;
  std::string warmup = "500ms";
  std::string duration = "5s";
  std::uint64_t repeat = 1;
  std::uint64_t seed = 1;
  // Work.
  std::uint64_t connections = 0;  // of ours to the broker; 0: by the kind
  std::uint64_t workers = 4;
  std::uint64_t slots = 0;  // of each; 0: by the kind
  std::uint64_t services = 1;
  std::uint64_t hosts = 0;  // processes of workers; 0: 1, or with faults up to 4
  bool together = false;    // those of a host share a connection
  std::string time = "0";   // a law
  std::uint64_t session = 1;
  std::string request = "100";  // sizes
  std::string answer = "100";
  std::uint64_t parts = 0;  // 0: by the kind
  std::uint64_t leases = 1000;
  std::string wait = "5s";
  std::string limit = "30s";
  // Ground.
  std::string service;     // of workers that are there
  std::string workers_at;  // the workers' listener of a broker that is there
  bool ipc = false;
  bool encrypt = false;
  std::string lease = "10s";
  std::vector<std::string> faults;
  // Results.
  std::string output, csv, svg;
};
inline constexpr int missed = 7;  // exit code: a bound was; see `pointsman help exit-codes`
int load_command(LoadCommand command, const program::Context& context);

struct CompareCommand {
  std::string a, b;
};
int compare_command(const CompareCommand& command, const program::Context& context);

// A process of a load test's workers; see host.hpp.
int host_command(const std::vector<std::string>& words, const program::Context& context);

// Bounds. Outstanding requests of an open loop, past which arrivals wait, counted from when they were due.
inline constexpr std::uint64_t outstanding_max = 100'000;
inline constexpr std::uint64_t sessions_max = 4'000;  // the same, for the client library
inline constexpr std::uint64_t library_workers_max = 256;

}  // namespace pointsman::load
