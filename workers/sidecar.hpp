// The side car: makes any command a worker, in three ways.
//
// `each`    one process per call: payload frames joined to its stdin, its stdout is the answer
// `filter`  one long-running process per slot, fed a line per call, answering a line each
// `server`  the command serves clients itself at $POINTSMAN_BIND, or `endpoint` exists already
//
// Blocks until stopped by SIGTERM or SIGINT (handled inside), drained away, or refused. Returns the program's
// exit code, as documented in `pointsman help exit-codes`.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/messages.hpp"

namespace pointsman::workers {

enum class Way : std::uint8_t { each, filter, server };

struct SidecarOptions {
  std::string broker;  // the workers' listener, or where to look for several
  std::vector<Offer> services;
  std::uint64_t slots = 1;
  std::uint64_t copies = 1;            // that many workers, each with a name of its own
  std::string name;                    // with copies, -1 -2 … are appended; empty: made up
  Way way = Way::each;
  std::vector<std::string> command;    // may be empty with `endpoint`
  std::string endpoint;                // server: exists already, for example http://127.0.0.1:8080
  std::string bind = "tcp://127.0.0.1:*";
  std::string advertise;
  bool insecure = false;               // allow plaintext on an address that is not loopback
  std::string key;                     // file of the worker's key pair; empty: $POINTSMAN_KEY, else no encryption
  std::string broker_key;              // the broker's public key, or a file that has it
  std::string realm;                   // file of the key by which answers to `auto` are known
  Attributes attributes;               // for the conditions of requests
  std::string accepts;                 // a condition on the client's attributes; empty: any
  Milliseconds lease{0};
  Milliseconds time_limit{0};          // each, filter: of one call; 0: the client's
  std::size_t output_bytes = 16 * 1024 * 1024;  // each, filter: of one answer
  Milliseconds grace{5000};            // after SIGTERM, before SIGKILL
  Milliseconds patience{0};            // for the first registration; 0: for ever
  bool trace = false;
  bool quiet = false;
};

int run_sidecar(const SidecarOptions& options);

}  // namespace pointsman::workers
