// Trouble: everything that can go wrong in a simulation, kind by kind.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>

namespace pointsman::sim {

enum class Trouble : std::uint8_t {
  // The hostile network only: ZeroMQ does none of these to a message.
  loss,       // a message is lost
  duplicate,  // and comes twice
  reorder,    // and overtakes others
  burst,      // everything on one connection is lost for a while
  garble,     // bits flip, or the end is cut off: what arrives is no message
  // Both networks.
  delay,      // a message comes late, and all behind it
  stale,      // what was sent to one who is gone waits for its successor for long
  reset,      // a connection breaks: what was under way is lost from some point on, the next has a new handle
  reset_all,  // all of them at once
  half_open,  // a connection swallows everything until somebody notices
  slow_peer,  // an outbox overflows: what was under way is lost, and the sender is told
  one_way,    // a partition in which one direction is dead
  two_way,    // and one in which both are
  bridge,     // the broker sees everybody, clients and workers do not see each other
  clog,       // many are cut off, one after the other, and come back in another order
  flap,       // a connection comes and goes
  edge,       // a worker's word arrives at the very end of its lease, a millisecond more or less
  // Processes.
  broker_crash,   // a new one with a larger epoch comes up, and knows nothing
  broker_cut,     // and one in the middle of what it was saying
  broker_stop,    // it is told to stop, and tells everybody
  broker_pause,   // stopped for a while
  broker_freeze,  // for longer than leases
  worker_crash,   // a new instance comes up
  worker_cut,
  worker_pause,
  worker_freeze,  // stopped for longer than its lease: it comes back as one who was given up
  worker_loop,    // it crashes again and again
  worker_stop,    // it drains and leaves, and comes back
  twin,           // a second process has its name
  supervisor_crash,  // and all that it has started with it
  supervisor_pause,
  client_crash,
  client_pause,
  suspend,        // a machine sleeps, and its clock with it
  slow_cpu,       // each turn takes a while
  // Time.
  late_timer,
  coarse_timer,   // timers come at multiples of something only
  drift,          // clocks run at different speeds
  jump,           // a clock leaps ahead
  // Those who take part.
  hang,       // a call is never answered
  failure,    // a call fails
  spam,       // a client asks for very much at once
  operator_,  // somebody drains, resumes and forgets workers and changes policies
  liar,       // a worker tells false figures, and reports that nobody waits for
  replay,     // a ticket is shown by somebody else, or at another worker
  forge,      // an altered ticket is shown
  nonsense,   // a stranger talks nonsense on every door
  reuse,      // a ticket whose session is over is shown again, in the name of its client
  blackout,   // the broker is cut off from everybody for longer than leases, and soon after once more
  // The hostile network again.
  echo,       // a message of before comes once more, of each kind as often
  // Tiers.
  uplink_crash,  // what registers a broker above ends, and comes back
  uplink_pause,
  tier_cut,      // all brokers above, or all below, are cut off from everybody
  count_
};
inline constexpr auto troubles = static_cast<std::size_t>(Trouble::count_);
std::string_view name_of(Trouble trouble);

// How often a kind usually strikes: of messages, calls and timers how likely; of the others how many in an hour. Of
// drift millionths, of coarse_timer how likely a party has such a clock.
double usual(Trouble trouble);
bool hostile_only(Trouble trouble);
bool by_the_hour(Trouble trouble);

// What of a seed's run is left out, for a shorter story with the same end (shrink.hpp). Each time that trouble strikes
// has a number within its kind; the sessions that clients begin are counted as one more kind.
struct Cut {
  static constexpr std::size_t sessions = troubles;
  std::set<std::size_t> off;  // kinds
  std::set<std::pair<std::size_t, std::uint64_t>> skip;
  std::size_t workers = ~std::size_t{0};  // at most
  std::size_t clients = ~std::size_t{0};
  std::int64_t chaos = INT64_MAX;         // microseconds, at most
};

}  // namespace pointsman::sim
