// The relay: one connection to a broker for all the workers of a machine.
//
// A broker pays for each connection, about 30 KB and a file descriptor, more than for the worker itself. Workers
// connect to a relay as they would to the broker, and it passes their messages on with a return envelope around them
// (PROTOCOL.md, "Relays"). It holds no state: a worker behind it has its own name and lease, and a relay that was started
// again goes on where the one before stopped. To the broker all of them have the relay's key. Clients and what they say
// to workers never pass it.

#pragma once

#include <string>

#include "protocol/messages.hpp"

namespace pointsman::workers {

struct RelayOptions {
  std::string listen;        // for workers of this machine: ipc, or tcp on a loopback address
  std::string broker;        // the workers' listener of one broker
  std::string key;           // file of its key pair; empty: $POINTSMAN_KEY, else no encryption to the broker
  std::string broker_key;    // the broker's public key, or a file that has it
  Milliseconds patience{0};  // for the first connection; 0: for ever
  bool trace = false;
  bool quiet = false;
};

// Blocks until SIGTERM or SIGINT (handled inside). Returns the program's exit code, as documented in `pointsman help
// exit-codes`. Throws TransportError if it cannot listen, KeyError for keys that cannot be read.
int run_relay(const RelayOptions& options);

}  // namespace pointsman::workers
