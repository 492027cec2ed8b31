// The supervisor's shell: starts processes through the spawner, hears what they say, drives the core, stops on
// signals. What `pointsman up` runs.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/supervisor/core/options.hpp"
#include "broker/supervisor/spawner.hpp"

namespace pointsman::supervisor {

struct Command {
  Launch launch;
  Duration hang{0};  // work of its that makes no progress for so long hangs; 0: work is not judged
};

struct ShellOptions {
  Options core;                   // the seed is set by the shell
  std::vector<Command> commands;  // one a group
  std::string folder;  // for its sockets; is made if it is not there; must be ours, and nobody else may enter
  std::string broker;  // the broker's listener for clients; empty: there is no broker
  std::string key, broker_key;  // for the connection to it; empty: no encryption. The broker calls it an admin's
  std::string told;    // behind `ready` on stdout
  bool trace = false;
  bool quiet = false;
};

// Where people and programs reach the supervisor that has this folder.
std::string control_endpoint(const std::string& folder);

// Prints `ready …` on stdout once the broker is ready. Blocks until SIGTERM, SIGINT or SIGHUP, which it handles, and
// returns the exit code: 0 in good order, 2 if the broker cannot run as it is configured, 124 if something had to
// be killed at the end, 125 if the spawner was lost. Throws TransportError, std::system_error; a supervisor that
// has the folder already is one of these.
int run_supervisor(const ShellOptions& options, Spawner& spawner);

}  // namespace pointsman::supervisor
