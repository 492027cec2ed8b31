// Invocation: one use of the program, as its command line said it, and the doing of it.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "clients/program/commands.hpp"

namespace pointsman::program {

struct Invocation {
  std::string name;  // of the command, "config check"
  std::function<int(const Context&)> action;

  // What every command may be told; empty: not.
  std::string broker;
  std::string key;
  std::string broker_key;
  std::string realm;
  std::string timeout;
  std::string config;
  bool json = false;
  bool trace = false;
  std::vector<Flag> flags;  // settings, by options of one command
};

// Reads the settings and runs the action. Returns the status to leave with; throws what the action throws.
int perform(Invocation invocation);

}  // namespace pointsman::program
