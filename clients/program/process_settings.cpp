// What can be seen of a command without running it.
#include "clients/program/process_settings.hpp"

#include <algorithm>

#include "protocol/names.hpp"

namespace pointsman::program {

bool is_worker_command(const std::vector<std::string>& command) {
  return command.size() >= 2 && command[0] == program_name && command[1] == "worker";
}

std::string service_of_command(const std::vector<std::string>& command) {
  if (!is_worker_command(command)) return {};
  const std::string option = "--service";
  const auto end = std::find(command.begin(), command.end(), "--");
  for (auto word = command.begin(); word != end; ++word) {
    std::string value;
    if (*word == option && word + 1 != end) value = *(word + 1);
    else if (word->starts_with(option + "=")) value = word->substr(option.size() + 1);
    if (!value.empty()) return value.substr(0, value.find(':'));
  }
  return {};
}

}  // namespace pointsman::program
