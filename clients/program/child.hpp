// Child: one command that runs beside us, and what its end means for our own exit code.

#pragma once

#include <sys/types.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "clients/program/problem.hpp"

namespace pointsman::program {

class Child {
 public:
  // Starts it with `environment` ("NAME=value") added to ours and the signal mask `mask`. The problem has
  // Exit::not_found_command or Exit::not_executable.
  static Or<Child> start(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                         const sigset_t& mask);

  // Its exit code, or 128 + n if signal n ended it; nothing while it runs. Does not wait.
  std::optional<int> ended();

  void send(int signal) const;

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

}  // namespace pointsman::program
