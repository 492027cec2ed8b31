// What the configuration file says of one kind of process that `pointsman up` runs.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::program {

struct ProcessSettings {
  std::string name;
  std::vector<std::string> command;  // `pointsman` in front is this very program
  std::vector<std::pair<std::string, std::string>> environment;
  std::string service;
  std::uint64_t min = 1;
  std::uint64_t max = 0;  // as min
  Duration idle{std::chrono::minutes(1)};
  bool notify = false;
  Duration ready{std::chrono::seconds(30)};
  Duration watchdog{std::chrono::seconds(10)};
  Duration hang{0};
  Duration drain{std::chrono::minutes(1)};
};

// `pointsman worker …`: it says when it is ready, and offers the first service that its words name.
bool is_worker_command(const std::vector<std::string>& command);
std::string service_of_command(const std::vector<std::string>& command);

}  // namespace pointsman::program
