// The records that a broker keeps: workers, services, requests, sessions. Plain data; the Broker alone writes them.

#pragma once

#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/core/heap.hpp"
#include "broker/core/links.hpp"
#include "broker/core/options.hpp"
#include "broker/core/policies.hpp"
#include "broker/core/pool.hpp"
#include "broker/core/seat.hpp"
#include "protocol/machine.hpp"
#include "protocol/ticket.hpp"

namespace pointsman::broker {

struct Asked;
struct Principal;

// One client on one worker, from grant to close.
struct Session {
  std::uint64_t id = 0;
  std::uint32_t number = 0;  // in the pool
  Worker* worker = nullptr;
  Seat* seat = nullptr;    // the service that it is for
  Asked* asked = nullptr;  // the request that it answers, while that is remembered
  std::string client;
  std::string request;
  Principal* owner = nullptr;    // whose client it is
  std::uint64_t assignment = 0;  // its number under the worker's lease; 0: adopted
  bool open = false;             // false: reserved
  bool failed = false;           // its client has reported that it could not use it
  bool released = false;         // its worker is to close it
  Place lapse_place = 0;
  Instant granted;
  Duration term{0};
  Instant lapses = never;  // when a reservation that nobody uses ends
  Link<Session> of_worker;  // in Worker::sessions
  Link<Session> releasing;  // in Worker::releasing
  Link<Session> of_all;     // in order of arrival here, for listings
  Link<Session> of_owner;   // in the same order
};

// How many codes about_ticket().
constexpr std::size_t ticket_codes =
    static_cast<std::size_t>(Code::used_ticket) - static_cast<std::size_t>(Code::bad_ticket) + 1;

// A registered worker: its lease and what it holds.
struct Worker {
  std::string name;
  std::string instance;
  std::uint64_t lease = 0;
  Address address;
  Principal* owner = nullptr;  // whose key it registered with
  Link<Worker> of_owner;
  Link<Worker> of_peer;  // that came by the same connection
  std::vector<std::unique_ptr<Seat>> seats;  // one a service
  std::uint64_t slots = 1;
  std::uint64_t used = 0;  // sessions reserved and open
  std::string endpoint;
  Direct direct = Direct::pointsman;
  std::string key;
  Bytes ticket_key;
  Instant registered;

  // The lease. Instants on the lease clock, which stands still while the broker itself stalls.
  Duration term{0};  // zero: forever
  Duration heartbeat{0};
  Instant ends = never;        // alive until then, grace included
  Instant struck_off = never;  // silent: struck off then
  Instant probe_ends = never;  // answers the probe until then
  Instant hang_ends = never;   // shows progress until then
  Instant timer = never;       // key in the heap; may be earlier than what is really due next
  Place timer_place = 0;

  // Why it gets no sessions; all false: it is alive.
  bool silent = false;      // its lease ran out
  bool probing = false;     // a client reported it, it has not answered yet
  bool unanswered = false;  // it did not answer a probe
  bool hung = false;        // no progress
  bool draining = false;
  DrainMode mode = DrainMode::resume;

  // Accounts.
  std::uint64_t assigned = 0;  // number of the newest assignment
  Instant assigned_at;
  std::vector<Assignment> untold;  // the newest of them, which it has not been told of
  Instant told_at = Instant::min();  // when it was last told of any
  Instant tell_at;                   // when it is told of those
  Link<Worker> untelling;            // workers with untold assignments, by that
  std::uint64_t applied = 0;   // session events applied
  std::uint64_t progress = 0;
  std::uint64_t completed = 0;
  Milliseconds busy{0};
  std::uint64_t charge = 0;       // least-busy: microseconds of work, a newcomer's start included
  std::uint64_t granted = 0;
  std::uint64_t last_done = 0;    // rank of its last completion
  std::uint64_t digest = 0;       // of its sessions
  int differs = 0;                // heartbeats in a row whose figures differed
  std::array<std::uint64_t, ticket_codes> refused_tickets{};  // by code from bad_ticket on, as it says
  Chain<Session, &Session::of_worker> sessions;
  Chain<Session, &Session::releasing> releasing;  // of these, that it has not reported closed though told to

  bool suspect() const { return silent || unanswered || hung; }
  bool available() const { return !suspect() && !probing && !draining; }
};

// A request from when it is asked until its session is over and it is forgotten.
struct Asked {
  enum class Stage : std::uint8_t { waiting, granted, ended };

  Principal* owner = nullptr;  // with its client and id it is this request's name
  std::uint32_t number = 0;    // in the pool
  std::uint32_t hash = 0;      // of its name
  std::string client;
  std::string id;
  Address from;
  bool updates = false;
  Stage stage = Stage::waiting;
  Code ending = Code::ended;  // how it ended
  bool released = false;      // its session is not wanted any more
  Service* service = nullptr; // while it waits
  std::string service_name;
  std::uint64_t priority = 0;
  Duration term{0};
  std::vector<std::string> exclude;
  Instant arrived;
  Instant deadline;
  Place deadline_place = 0;
  std::pair<std::int64_t, std::uint64_t> key;  // in the queue
  Session* session = nullptr;                  // while granted
  std::uint64_t session_id = 0;
  // Of the answer, what is not the session's; the ticket is sealed anew for a repetition.
  Milliseconds term_told{0};
  Milliseconds waited{0};
  Policy policy = Policy::weighted_round_robin;
  bool adopted = false;          // its worker held the session before this broker knew
  std::size_t candidates = 0;    // with a free slot, when its worker was chosen; 0: none was
  std::uint64_t told_position = 0;
  Duration told_wait{0};
  Instant tell;          // when to look whether its position is worth telling again
  Link<Asked> telling;   // waiting requests that want updates, by `tell`
  Instant forget;
  Link<Asked> ended;     // ended ones, by `forget`
  Link<Asked> of_peer;   // waiting ones of one connection
  Link<Asked> of_owner;  // waiting ones of one key
};

// What names a request: two keys do not see each other's, whatever their clients are called.
std::uint32_t hash_of(const Principal& owner, std::string_view client, std::string_view id);

// A waiting line: priority is worth a fixed head start, so a key never changes and the order needs no aging.
// An order-statistics tree (GNU pb_ds) tells positions in O(log n).
using Line = __gnu_pbds::tree<std::pair<std::int64_t, std::uint64_t>, Asked*,
                              std::less<std::pair<std::int64_t, std::uint64_t>>, __gnu_pbds::rb_tree_tag,
                              __gnu_pbds::tree_order_statistics_node_update>;

struct Service {
  Service(std::string service, const ServiceSettings& set, std::uint64_t seed)
      : name(std::move(service)), fingerprint(service_of(name)), settings(set), chooser(set.policy, seed) {}

  std::string name;
  std::uint64_t fingerprint;  // in tickets
  ServiceSettings settings;
  bool kept = false;  // configured by name: stays when nobody offers it
  Chooser chooser;    // the free seats
  std::vector<Seat*> seats;  // all seats, in order of registration
  Line line;
  std::uint64_t excluding = 0;  // waiting requests that exclude workers
  std::uint64_t slots = 0;      // of the seats whose worker is available
  std::uint64_t used = 0;
  std::uint64_t granted = 0;
  std::uint64_t refused = 0;
  double mean_session = 0;  // microseconds, exponentially weighted over about 16 sessions
  std::uint64_t sessions_done = 0;
};

}  // namespace pointsman::broker
