// What one seed draws: who takes part, what they do, and what goes wrong.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/core/options.hpp"
#include "clients/core/settings.hpp"
#include "test/sim/chance.hpp"
#include "test/sim/fleet.hpp"
#include "test/sim/trouble.hpp"
#include "workers/core/settings.hpp"

namespace pointsman::sim {

// The network: one that fails as ZeroMQ fails (a connection keeps its order and loses a suffix), or one that does
// anything to any message.
enum class Network : std::uint8_t { faithful, hostile };

struct WorkerPlan {
  workers::WorkerSettings settings;  // without instance and endpoint
  bool moves = false;                // to another endpoint at every start
  bool resizes = false;              // has other slots to offer now and then, or none
  bool changes = false;              // is led to another broker now and then
};

// Any of the policies. The last one came later than the others, and kept seeds mean those by their numbers.
Policy any_policy(Chance& chance);

struct Profile {
  std::uint64_t seed = 0;
  Network network = Network::faithful;
  bool quiet = false;     // hours of few clients with long leases, instead of minutes of many
  bool vast = false;      // a fleet of tens of brokers and thousands of workers
  bool faultless = false; // no trouble at all
  bool supervised = false;  // a supervisor starts broker and workers
  bool reference = false; // the broker is accompanied by a reference
  bool conditional = false;  // workers and clients have attributes, and conditions on each other
  bool deep = false;      // every check after every step, instead of a sample of the expensive ones
  Duration chaos{};       // how long things go wrong
  Duration heal{};        // then: what any lease, pause or term takes to be over
  Duration calm{};        // and until everything must be right again

  broker::Options broker;
  std::vector<WorkerPlan> workers;
  std::vector<clients::ClientSettings> clients;
  std::vector<std::string> services;
  Fleet fleet;

  // Workload.
  Duration think{};    // between the sessions of one client
  Duration work{};     // of one call
  static constexpr Milliseconds limit{20'000};  // of one call, at most
  std::uint64_t calls = 1;     // of one session, at most
  std::uint64_t parallel = 1;  // sessions of one client at a time
  Milliseconds wait{};
  Duration delay{};    // of a message, usually
  Duration hold{};     // of a session after its calls, sometimes
  Duration outage{};   // a usual pause, partition or time until a process is back

  std::array<double, troubles> weight{};  // as usual() counts
  double of(Trouble trouble) const { return weight[static_cast<std::size_t>(trouble)]; }
};

Profile draw(std::uint64_t seed, const Cut& cut = {});

}  // namespace pointsman::sim
