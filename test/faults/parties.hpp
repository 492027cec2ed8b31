// A client and a worker that write histories. checker.hpp lists what they write.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pointsman::faults {

// `key=value` arguments.
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}
  std::string text(const std::string& key, const std::string& otherwise = {}) const;
  std::uint64_t number(const std::string& key, std::uint64_t otherwise) const;

 private:
  std::vector<std::string> words_;
};

struct PartyOptions {
  std::string broker;   // the listener
  std::string history;  // the file
  std::string name;
  Words words;
};

// Blocks SIGTERM and SIGINT for this thread and those that it starts; returns a descriptor that tells of them.
int stop_signals();

// These run until SIGTERM and return the exit code. The service is `echo`. With $POINTSMAN_KEY and
// $POINTSMAN_BROKER_KEY they encrypt.
int run_worker(const PartyOptions& options);
int run_client(const PartyOptions& options);
int run_watch(const PartyOptions& options);  // writes what the broker tells its watchers

// Writes down what the broker lists, and prints `workers=… used=… waiting=…`.
int run_list(const PartyOptions& options);

}  // namespace pointsman::faults
