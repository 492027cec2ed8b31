// What one seed draws: who takes part, what they do, and what goes wrong.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/options.hpp"
#include "clients/core/settings.hpp"
#include "test/sim/chance.hpp"
#include "workers/core/settings.hpp"

namespace pointsman::sim {

// Everything that can go wrong. Each seed switches some kinds off and weighs the others.
enum class Trouble : std::uint8_t {
  loss,              // a message is lost
  duplicate,         // and comes twice
  reorder,           // and overtakes others
  delay,             // and comes seconds late
  reset,             // a connection breaks: what was under way is lost from some point on, the next has a new handle
  slow_peer,         // an outbox overflows: what was under way is lost, and the sender is told
  one_way,           // a partition in which one direction is dead
  two_way,           // and one in which both are
  broker_crash,      // a new one with a larger epoch comes up, and knows nothing
  broker_pause,
  worker_crash,      // a new instance comes up
  worker_pause,
  worker_stop,       // it drains and leaves, and comes back
  client_crash,
  client_pause,
  hang,              // a call is never answered
  failure,           // a call fails
  late_timer,        // a timer fires late
  drift,             // clocks run at different speeds
  operator_,         // somebody drains, resumes and forgets workers and changes policies
  mischief,          // tickets replayed, forged and passed on; nonsense
  count_
};
inline constexpr auto troubles = static_cast<std::size_t>(Trouble::count_);
std::string_view name_of(Trouble trouble);

struct WorkerPlan {
  workers::WorkerSettings settings;  // without instance and endpoint
  bool moves = false;                // to another endpoint at every start
};

struct Profile {
  std::uint64_t seed = 0;
  Duration chaos{};  // how long things go wrong
  Duration calm{};   // how long they have to become right again

  broker::Options broker;
  std::vector<WorkerPlan> workers;
  std::vector<clients::ClientSettings> clients;
  std::vector<std::string> services;

  // Workload.
  Duration think{};    // between the sessions of one client
  Duration work{};     // of one call
  std::uint64_t calls = 1;     // of one session, at most
  std::uint64_t parallel = 1;  // sessions of one client at a time
  Milliseconds wait{};
  Duration delay{};    // of a message, usually

  // Of messages and calls: how likely. Of the others: how many in an hour, over all parties.
  std::array<double, troubles> weight{};
  double of(Trouble trouble) const { return weight[static_cast<std::size_t>(trouble)]; }
};

Profile draw(std::uint64_t seed);

}  // namespace pointsman::sim
