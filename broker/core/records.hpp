// The records that a broker keeps: workers, services, requests, sessions. Plain data; the Broker alone writes them.

#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/core/heap.hpp"
#include "broker/core/line.hpp"
#include "broker/core/links.hpp"
#include "broker/core/matching.hpp"
#include "broker/core/options.hpp"
#include "broker/core/pace.hpp"
#include "broker/core/policies.hpp"
#include "broker/core/pool.hpp"
#include "broker/core/seat.hpp"
#include "broker/core/text.hpp"
#include "protocol/machine.hpp"
#include "protocol/ticket.hpp"

namespace pointsman::broker {

struct Asked;
struct Aside;
struct Principal;
struct Service;

// A day at most.
using Short = std::chrono::duration<std::uint32_t, std::milli>;
inline Short in_short(Duration duration) {
  const auto ms = std::chrono::duration_cast<Milliseconds>(duration).count();
  return Short(static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, limits::day_ms)));
}

// Where an answer goes: an Address, as small as it can be kept.
class Origin {
 public:
  Origin() = default;
  explicit Origin(const Address& from)
      : peer_(from.peer), envelope_(from.envelope), door_(from.door), codec_(from.codec) {}
  std::uint64_t peer() const { return peer_; }
  Address address() const { return {.door = door_, .codec = codec_, .peer = peer_, .envelope = envelope_.str()}; }

 private:
  std::uint64_t peer_ = 0;
  ShortText envelope_;
  Door door_ = Door::clients;
  Codec codec_ = Codec::msgpack;
};

// A client by the name that it gives, for as long as a request or session is of it: so that its name is kept, and
// its fingerprint taken, once.
struct Client {
  std::uint32_t number = 0;    // in the pool
  std::uint32_t hash = 0;      // of owner and name
  Principal* owner = nullptr;  // two keys do not see each other's, whatever their clients are called
  Text name;
  std::uint64_t holder = 0;  // the fingerprint, in tickets
  std::uint64_t uses = 0;    // requests and sessions
  std::uint32_t waiting = 0;   // of these: requests in a line
  std::uint32_t sessions = 0;  // of these
};

// One client on one worker, from grant to close.
struct Session {
  std::uint64_t id = 0;
  std::uint32_t number = 0;  // in the pool
  Place lapse_place = 0;
  Seat* seat = nullptr;  // the worker, and the service that it is for
  Client* client = nullptr;
  Asked* asked = nullptr;  // the request that it answers; none: `request`, if any, was answered otherwise
  std::unique_ptr<Text> request;
  std::uint64_t assignment = 0;  // its number under the worker's lease; 0: adopted
  Instant granted;
  Short term{0};
  bool open = false;      // false: reserved
  bool failed = false;    // its client has reported that it could not use it
  bool released = false;  // its worker is to close it
  PoolLink of_worker;     // in Worker::sessions
  PoolLink releasing;     // in Worker::releasing
  PoolLink of_all;        // in order of arrival here, for listings
  PoolLink of_owner;      // in the same order

  Worker* worker() const { return seat ? seat->worker : nullptr; }
  std::string_view request_id() const;
};

// How many codes about_ticket().
constexpr std::size_t ticket_codes =
    static_cast<std::size_t>(Code::used_ticket) - static_cast<std::size_t>(Code::bad_ticket) + 1;

using RefusedByCode = std::array<std::uint64_t, ticket_codes>;  // from bad_ticket on

// A registered worker: its lease and what it holds.
struct Worker {
  explicit Worker(Pool<Session>& pool) : sessions(pool), releasing(pool) {}

  Text name;
  Text instance;
  std::uint64_t lease = 0;
  Origin from;
  Principal* owner = nullptr;  // whose key it registered with
  Link<Worker> of_owner;
  Link<Worker> of_peer;  // that came by the same connection
  Seats seats;           // one a service
  std::uint32_t slots = 1;
  std::uint32_t used = 0;  // sessions reserved and open
  std::string endpoint;
  std::shared_ptr<const Profile> profile;
  std::unique_ptr<const Attributes> said;  // what it says of itself, where other attributes count; none: the profile's
  Direct direct = Direct::pointsman;
  Text key;
  std::array<char, limits::key_bytes> ticket_key{};
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

  // Accounts. Small ones first: they fill up what the flags leave.
  bool came = false;           // no history was told yet that it has come
  std::uint8_t differs = 0;    // heartbeats in a row whose figures differed
  Pace pace;
  std::uint32_t failures = 0;  // that no history was told of yet
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
  Link<Worker> doing;             // workers that a history has something to be told of
  std::unique_ptr<RefusedByCode> refused_tickets;  // as it says; none: it refused none
  PoolChain<Session, &Session::of_worker> sessions;
  PoolChain<Session, &Session::releasing>
      releasing;  // of these, that it has not reported closed though told to

  bool suspect() const { return silent || unanswered || hung; }
  bool available() const { return !suspect() && !probing && !draining; }
};

// A worker that is a broker, and what is kept of such workers alone.
struct BrokerBelow {
  const Worker* worker = nullptr;
  std::string workers;  // its listener for workers; empty: not said
};

// What only some requests have.
struct Aside {
  Asked* asked = nullptr;
  std::vector<std::string> exclude;  // workers that it does not want
  // If it wants updates: what it was told of its place in the line.
  std::uint64_t position = 0;
  Duration wait{0};
  Instant tell;         // when to look whether it is worth telling again
  Link<Aside> telling;  // waiting ones, by `tell`
};

// A request from when it is asked until its session is over and it is forgotten. What it has while it waits, and what is
// known of it since it was granted, have one place: Broker::bind() and end() write all of the latter.
struct Asked {
  enum class Stage : std::uint8_t { waiting, granted, ended };

  std::uint32_t number = 0;  // in the pool
  std::uint32_t hash = 0;    // of client and id
  Client* client = nullptr;  // with the id it is this request's name
  Text id;
  [[no_unique_address]] Origin from;  // the flags fill up what it leaves
  Stage stage = Stage::waiting;
  bool updates = false;
  bool absent = false;        // waits also when nobody offers the service
  bool released = false;      // its session is not wanted any more
  bool adopted = false;       // its worker held the session before this broker knew
  bool conditional = false;   // not any worker would have done
  bool linked = false;        // its client was connected to its worker, which was level with the best
  Code ending = Code::ended;  // how it ended
  Policy policy = Policy::weighted_round_robin;  // by which its worker was chosen
  std::uint8_t priority = 0;  // that counts
  std::uint8_t wished = 0;    // priority that it says
  Short term{0};  // that it wants, then that its session was granted for
  SharedText service_name;
  Instant arrived;
  std::unique_ptr<Aside> aside;

  union {
    Demand* demand = nullptr;  // waiting: what it wants, and of which service
    Session* session;          // granted: until that is over
  };
  union {
    std::uint64_t arrival = 0;  // waiting: its number among those that had to wait
    std::uint64_t session_id;   // granted, or ended
  };
  union {
    std::uint32_t line_place = 0;  // waiting: in its row of the line
    std::uint32_t candidates;      // that matched, with a free slot, when its worker was chosen; 0: none was
  };
  union {
    Place deadline_place = 0;  // waiting
    Short waited;
  };
  PoolLink of_owner;  // with others of its key that wait

  // While it waits, its deadline, and others of its connection; when it has ended, when it is forgotten, and all that
  // ended.
  Instant until;
  PoolLink beside;

  Service& service() const { return demand->of->service; }
  std::span<const std::string> exclude() const {
    return aside ? aside->exclude : std::span<const std::string>();
  }
};

std::uint32_t hash_of(const Principal& owner, std::string_view client);
std::uint32_t hash_of(const Client& client, std::string_view id);

inline std::string_view Session::request_id() const {
  if (asked) return asked->id;
  return request ? request->view() : std::string_view();
}

struct Service {
  Service(const std::string& service, const ServiceSettings& set, std::uint64_t seed)
      : shared_name(service), fingerprint(service_of(name)), settings(set), chooser(set.policy, seed) {}

  SharedText shared_name;  // requests bear it longer
  const std::string& name = shared_name.str();
  std::uint64_t fingerprint;  // in tickets
  ServiceSettings settings;
  bool kept = false;  // configured by name: stays when nobody offers it
  Chooser chooser;    // the free seats
  std::vector<Seat*> seats;  // all seats, in order of registration
  Matching matching{*this, settings.aging};  // the classes of their workers, and what requests want of them
  std::uint64_t waiting = 0;  // requests, in the lines of all demands
  std::uint64_t slots = 0;    // of the seats whose worker is available
  std::uint64_t used = 0;
  std::uint64_t granted = 0;
  std::uint64_t refused = 0;
  double mean_session = 0;  // microseconds, exponentially weighted over about 16 sessions
  std::uint64_t sessions_done = 0;
};

}  // namespace pointsman::broker
