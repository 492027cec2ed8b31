// Uplink: registers a broker with others as their worker, so that clients of those are sent to it. PROTOCOL.md, "Tiers".

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "clients/client.hpp"
#include "clients/program/problem.hpp"
#include "protocol/handshake.hpp"
#include "protocol/machine.hpp"

namespace pointsman::uplink {

struct UplinkOptions {
  ClientOptions below;  // how the broker below is asked; it counts as gone when it is silent for its patience
  std::string endpoint;            // its listener for clients, as those who are sent there reach it
  std::string workers;             // its listener for workers, as those reach it; empty: not told
  std::string key;                 // its public key, Z85; empty: it does not encrypt
  std::string name;                // of the registrations
  std::vector<std::string> above;  // the listener for workers of each broker above: sources of brokers
  Credentials credentials;         // there
  Duration every{std::chrono::seconds(1)};  // between two looks at the workers below
  Duration patience{0};                     // until all is registered for the first time; 0: for ever
  bool trace = false;
  bool quiet = false;
};

// Until SIGTERM or SIGINT, or for good if a broker above refuses for good; then the problem is why. Throws Error, KeyError and
// TransportError for what is named and can never be a broker.
std::optional<program::Problem> run_uplink(const UplinkOptions& options);

}  // namespace pointsman::uplink
