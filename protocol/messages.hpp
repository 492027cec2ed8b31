// The vocabulary: one struct a message, its fields listed once. PROTOCOL.md says what each is for.
//
// Plain values. Durations are whole milliseconds. Ids that a broker makes (sessions, leases, events) are
// numbers that never repeat, over restarts either, and stay below 2^53.

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/fields.hpp"
#include "protocol/limits.hpp"

namespace pointsman {

using Milliseconds = std::chrono::duration<std::int64_t, std::milli>;

// As a duration: without end. On the wire -1; in the notation `forever`.
inline constexpr Milliseconds forever{-1};

// ---------------------------------------------------------------------------------------------------
// Words

// Why something was refused or went wrong. The list with causes and remedies is in PROTOCOL.md.
enum class Code : std::uint8_t {
  none,
  bad_message,      // the bytes are no message, or a field is missing, of a wrong type or out of bounds
  wrong_version,    // a protocol version that this party does not speak
  unknown_op,       // no such message
  wrong_role,       // a message that this party or listener does not take
  unknown_service,  // nobody offers it, and the request does not say to wait for it
  no_worker,        // no slot is free, and the request does not wait
  timed_out,        // waited as long as the request said
  queue_full,       // the service's queue is at its bound
  hopeless,         // the expected wait is longer than the request would wait
  cancelled,        // as its client asked
  ended,            // this request's session is over; a new one needs a new id
  unknown_request,
  unknown_session,
  unknown_worker,
  unknown_lease,  // not, or no longer, registered: register anew
  name_taken,     // another live instance holds this worker name
  bad_endpoint,
  bad_ticket,      // forged, altered or for somebody else
  expired_ticket,
  used_ticket,     // its session is over
  busy,            // the worker's slots, or a session's calls, are all in use
  draining,
  not_yours,       // a session or request of another client
  limit_reached,   // a bound of the receiver; the reason names it
  failed,          // the work itself failed; the reason says how
  shutting_down,
  unreachable,     // made up by a client: nobody answers there
  count_
};
template <>
struct Words<Code> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Code::count_)> list{
      "none",            "bad-message",    "wrong-version",   "unknown-op",      "wrong-role",
      "unknown-service", "no-worker",      "timed-out",       "queue-full",      "hopeless",
      "cancelled",       "ended",          "unknown-request", "unknown-session", "unknown-worker",
      "unknown-lease",   "name-taken",     "bad-endpoint",    "bad-ticket",      "expired-ticket",
      "used-ticket",     "busy",           "draining",        "not-yours",       "limit-reached",
      "failed",          "shutting-down",  "unreachable"};
};

enum class Policy : std::uint8_t {
  weighted_round_robin,
  least_connections,
  least_busy,
  least_recent,
  two_choices,
  random,
  count_
};
template <>
struct Words<Policy> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Policy::count_)> list{
      "weighted-round-robin", "least-connections", "least-busy", "least-recent", "two-choices", "random"};
};

// How clients talk to a worker's endpoint: the direct link of PROTOCOL.md, or the worker's own way.
enum class Direct : std::uint8_t { pointsman, own, count_ };
template <>
struct Words<Direct> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Direct::count_)> list{"pointsman",
                                                                                               "own"};
};

// Why a session is over.
enum class Ending : std::uint8_t {
  released,  // by its client
  expired,   // its term ended without renewal
  unused,    // nobody came with its ticket
  stopped,   // by its worker
  lost,      // its worker is gone
  count_
};
template <>
struct Words<Ending> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Ending::count_)> list{
      "released", "expired", "unused", "stopped", "lost"};
};

enum class DrainMode : std::uint8_t {
  drain,   // no new sessions
  resume,  // take sessions again
  leave,   // drain, then leave and stop
  forget,  // strike it from the list at once, sessions and all
  count_
};
template <>
struct Words<DrainMode> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(DrainMode::count_)> list{
      "drain", "resume", "leave", "forget"};
};

enum class Subject : std::uint8_t { services, workers, sessions, waiting, count_ };
template <>
struct Words<Subject> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Subject::count_)> list{
      "services", "workers", "sessions", "waiting"};
};

// State of a worker at the broker, or of a session.
enum class State : std::uint8_t { alive, suspect, draining, reserved, open, count_ };
template <>
struct Words<State> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(State::count_)> list{
      "alive", "suspect", "draining", "reserved", "open"};
};

// What a watcher is told of.
enum class Happening : std::uint8_t {
  registered,
  left,
  suspected,
  restored,
  expired,
  draining,
  resumed,
  granted,
  opened,
  closed,
  queued,
  refused,
  configured,
  protect,  // the brake on a mass expiry is on, or off again
  count_
};
template <>
struct Words<Happening> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Happening::count_)> list{
      "registered", "left",   "suspected", "restored", "expired", "draining",   "resumed",
      "granted",    "opened", "closed",    "queued",   "refused", "configured", "protect"};
};

// What is wrong with something received: a value, never an exception.
struct Fault {
  Code code = Code::none;
  std::string reason;  // names the problem, and the field if it is one
  // Of the message, as far as they could be read: so that its refusal can say what it is about.
  std::string op;
  std::string id;
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  friend bool operator==(const Fault&, const Fault&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Client -> broker

// Asks for a worker. Answered by Granted or Refused, once; with `updates` also by Queued before and Lost
// after. Repeating it with the same `client` and `id` gives the same answer.
struct Request {
  static constexpr std::string_view op = "request";
  std::string id;
  std::string service;
  std::string client;
  Milliseconds wait_ms{5000};
  std::uint64_t priority = 0;
  bool absent = false;  // wait also when nobody offers the service
  Milliseconds term_ms{0};
  std::uint64_t failed = 0;  // the session that failed and that this request is to replace
  std::vector<std::string> exclude;
  bool updates = false;

  static constexpr auto fields() {
    return std::tuple{need("id", &Request::id, 1, limits::name),
                      need("service", &Request::service, 1, limits::name),
                      may("client", &Request::client, 0, limits::name),
                      may("wait_ms", &Request::wait_ms, 0, limits::day_ms),
                      may("priority", &Request::priority, 0, limits::priority),
                      flag("absent", &Request::absent),
                      may("term_ms", &Request::term_ms, 0, limits::day_ms),
                      may("failed", &Request::failed, 0, limits::number),
                      may("exclude", &Request::exclude, 0, limits::exclude),
                      flag("updates", &Request::updates)};
  }
  friend bool operator==(const Request&, const Request&) = default;
};

// Takes a waiting request back. Answered by Cancelled; a grant that was quicker is released.
struct Cancel {
  static constexpr std::string_view op = "cancel";
  std::string id;
  std::string client;

  static constexpr auto fields() {
    return std::tuple{need("id", &Cancel::id, 1, limits::name),
                      may("client", &Cancel::client, 0, limits::name)};
  }
  friend bool operator==(const Cancel&, const Cancel&) = default;
};

// Ends a session. To the worker on the direct link, or to the broker, which passes it on.
struct Release {
  static constexpr std::string_view op = "release";
  std::uint64_t session = 0;
  std::string client;

  static constexpr auto fields() {
    return std::tuple{need("session", &Release::session, 1, limits::number),
                      may("client", &Release::client, 0, limits::name)};
  }
  friend bool operator==(const Release&, const Release&) = default;
};

// Gives a session a new term from now. To the worker, or to the broker, which passes it on. 0: the term
// that it had.
struct Renew {
  static constexpr std::string_view op = "renew";
  std::uint64_t session = 0;
  std::string client;
  Milliseconds term_ms{0};

  static constexpr auto fields() {
    return std::tuple{need("session", &Renew::session, 1, limits::number),
                      may("client", &Renew::client, 0, limits::name),
                      may("term_ms", &Renew::term_ms, 0, limits::day_ms)};
  }
  friend bool operator==(const Renew&, const Renew&) = default;
};

// Asks for rows, page by page: `after` is the `next` of the page before.
struct List {
  static constexpr std::string_view op = "list";
  Subject of = Subject::services;
  std::string service;
  std::string after;
  std::uint64_t limit = 100;

  static constexpr auto fields() {
    return std::tuple{need("of", &List::of, 0, 0), may("service", &List::service, 0, limits::name),
                      may("after", &List::after, 0, limits::name),
                      may("limit", &List::limit, 1, limits::rows)};
  }
  friend bool operator==(const List&, const List&) = default;
};

// Asks why: of a request (id and client), a session, a worker or a service.
struct Explain {
  static constexpr std::string_view op = "explain";
  std::string id;
  std::string client;
  std::uint64_t session = 0;
  std::string worker;
  std::string service;

  static constexpr auto fields() {
    return std::tuple{may("id", &Explain::id, 0, limits::name),
                      may("client", &Explain::client, 0, limits::name),
                      may("session", &Explain::session, 0, limits::number),
                      may("worker", &Explain::worker, 0, limits::name),
                      may("service", &Explain::service, 0, limits::name)};
  }
  friend bool operator==(const Explain&, const Explain&) = default;
};

// Changes whether a worker gets sessions. The broker passes it on to the worker.
struct Drain {
  static constexpr std::string_view op = "drain";
  std::string worker;
  DrainMode mode = DrainMode::drain;

  static constexpr auto fields() {
    return std::tuple{need("worker", &Drain::worker, 1, limits::name), may("mode", &Drain::mode, 0, 0)};
  }
  friend bool operator==(const Drain&, const Drain&) = default;
};

// Changes the settings of a service; what is left out stays. Answered by Configured with all of them.
struct Configure {
  static constexpr std::string_view op = "configure";
  std::string service;
  std::optional<Policy> policy;
  std::optional<std::uint64_t> queue_max;
  std::optional<Milliseconds> slow_start_ms;
  std::optional<Milliseconds> aging_ms;
  std::optional<Milliseconds> hang_ms;

  static constexpr auto fields() {
    return std::tuple{need("service", &Configure::service, 1, limits::name),
                      may("policy", &Configure::policy, 0, 0),
                      may("queue_max", &Configure::queue_max, 0, 1'000'000),
                      may("slow_start_ms", &Configure::slow_start_ms, 0, limits::day_ms),
                      may("aging_ms", &Configure::aging_ms, 0, limits::day_ms),
                      may("hang_ms", &Configure::hang_ms, 0, limits::day_ms)};
  }
  friend bool operator==(const Configure&, const Configure&) = default;
};

// Subscribes this connection to events, for `Watching::term_ms`; repeat it before then. Not for REQ.
struct Watch {
  static constexpr std::string_view op = "watch";
  std::string service;               // empty: all
  std::vector<Happening> kinds;      // empty: all
  bool stop = false;

  static constexpr auto fields() {
    return std::tuple{may("service", &Watch::service, 0, limits::name),
                      may("kinds", &Watch::kinds, 0, static_cast<std::size_t>(Happening::count_)),
                      flag("stop", &Watch::stop)};
  }
  friend bool operator==(const Watch&, const Watch&) = default;
};

// Asks for the broker's counters. Answered by Stats.
struct Status {
  static constexpr std::string_view op = "status";

  static constexpr auto fields() { return std::tuple<>{}; }
  friend bool operator==(const Status&, const Status&) = default;
};

// Asks who is there. Answered by Welcome. Never needed.
struct Hello {
  static constexpr std::string_view op = "hello";

  static constexpr auto fields() { return std::tuple<>{}; }
  friend bool operator==(const Hello&, const Hello&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Broker -> client

// The request waits: sent when it starts to and when its position or wait changed much.
struct Queued {
  static constexpr std::string_view op = "queued";
  std::string id;
  std::uint64_t position = 0;  // 1: next
  Milliseconds expected_ms{0};
  bool estimated = false;      // false: nothing is known yet, expected_ms says nothing

  static constexpr auto fields() {
    return std::tuple{need("id", &Queued::id, 1, limits::name),
                      need("position", &Queued::position, 1, limits::number),
                      may("expected_ms", &Queued::expected_ms, 0, limits::year_ms),
                      flag("estimated", &Queued::estimated)};
  }
  friend bool operator==(const Queued&, const Queued&) = default;
};

// A worker is yours: go to `endpoint` with `ticket` within `ttl_ms`. The session's term starts when the
// ticket is shown.
struct Granted {
  static constexpr std::string_view op = "granted";
  std::string id;
  std::uint64_t session = 0;
  std::string service;
  std::string worker;
  std::string endpoint;
  Direct direct = Direct::pointsman;
  Bytes ticket;
  Milliseconds ttl_ms{0};
  Milliseconds term_ms{0};
  Milliseconds waited_ms{0};
  Policy policy = Policy::weighted_round_robin;
  std::string key;  // the worker's public key, Z85; empty on a link without encryption

  static constexpr auto fields() {
    return std::tuple{need("id", &Granted::id, 1, limits::name),
                      need("session", &Granted::session, 1, limits::number),
                      need("service", &Granted::service, 1, limits::name),
                      need("worker", &Granted::worker, 1, limits::name),
                      need("endpoint", &Granted::endpoint, 1, limits::endpoint),
                      may("direct", &Granted::direct, 0, 0),
                      need("ticket", &Granted::ticket, 1, limits::ticket),
                      may("ttl_ms", &Granted::ttl_ms, 0, limits::day_ms),
                      may("term_ms", &Granted::term_ms, 0, limits::day_ms),
                      may("waited_ms", &Granted::waited_ms, 0, limits::day_ms),
                      may("policy", &Granted::policy, 0, 0), may("key", &Granted::key, 0, limits::key)};
  }
  friend bool operator==(const Granted&, const Granted&) = default;
};

// The answer to anything that is not done: to clients and workers, by brokers and workers.
struct Refused {
  static constexpr std::string_view op = "refused";
  std::string about;  // the op of what is refused; empty if it could not be read
  Code code = Code::none;
  std::string reason;
  std::string remedy;
  std::string id;               // of the request, if it is about one
  std::uint64_t session = 0;    // if it is about one
  std::uint64_t number = 0;     // of the call, if it is about one
  std::uint64_t lease = 0;      // if it is about one
  Milliseconds retry_ms{0};     // try again no sooner; 0: no hint

  static constexpr auto fields() {
    return std::tuple{may("about", &Refused::about, 0, limits::name),
                      need("code", &Refused::code, 0, 0),
                      may("reason", &Refused::reason, 0, limits::text),
                      may("remedy", &Refused::remedy, 0, limits::text),
                      may("id", &Refused::id, 0, limits::name),
                      may("session", &Refused::session, 0, limits::number),
                      may("number", &Refused::number, 0, limits::number),
                      may("lease", &Refused::lease, 0, limits::number),
                      may("retry_ms", &Refused::retry_ms, 0, limits::day_ms)};
  }
  friend bool operator==(const Refused&, const Refused&) = default;
};

// The worker that holds this session is gone, as far as the broker knows. Only after `updates`.
struct Lost {
  static constexpr std::string_view op = "lost";
  std::uint64_t session = 0;
  std::string id;
  std::string reason;

  static constexpr auto fields() {
    return std::tuple{need("session", &Lost::session, 1, limits::number),
                      may("id", &Lost::id, 0, limits::name),
                      may("reason", &Lost::reason, 0, limits::text)};
  }
  friend bool operator==(const Lost&, const Lost&) = default;
};

struct Cancelled {
  static constexpr std::string_view op = "cancelled";
  std::string id;
  std::uint64_t session = 0;  // the session that had been granted and is released now; 0: it still waited

  static constexpr auto fields() {
    return std::tuple{need("id", &Cancelled::id, 1, limits::name),
                      may("session", &Cancelled::session, 0, limits::number)};
  }
  friend bool operator==(const Cancelled&, const Cancelled&) = default;
};

struct Released {
  static constexpr std::string_view op = "released";
  std::uint64_t session = 0;

  static constexpr auto fields() {
    return std::tuple{need("session", &Released::session, 1, limits::number)};
  }
  friend bool operator==(const Released&, const Released&) = default;
};

struct Renewed {
  static constexpr std::string_view op = "renewed";
  std::uint64_t session = 0;
  Milliseconds term_ms{0};

  static constexpr auto fields() {
    return std::tuple{need("session", &Renewed::session, 1, limits::number),
                      may("term_ms", &Renewed::term_ms, 0, limits::day_ms)};
  }
  friend bool operator==(const Renewed&, const Renewed&) = default;
};

struct ServiceRow {
  std::string service;
  Policy policy = Policy::weighted_round_robin;
  std::uint64_t workers = 0;  // registered, in whatever state
  std::uint64_t slots = 0;    // of those that are alive and not draining
  std::uint64_t used = 0;     // sessions reserved or open
  std::uint64_t waiting = 0;
  std::uint64_t granted = 0;
  std::uint64_t refused = 0;
  Milliseconds oldest_ms{0};    // how long the first in the queue has waited
  Milliseconds expected_ms{0};  // wait of a request that came now, as estimated

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return std::tuple{need("service", &ServiceRow::service, 1, limits::name),
                      may("policy", &ServiceRow::policy, 0, 0),
                      may("workers", &ServiceRow::workers, 0, any),
                      may("slots", &ServiceRow::slots, 0, any),
                      may("used", &ServiceRow::used, 0, any),
                      may("waiting", &ServiceRow::waiting, 0, any),
                      may("granted", &ServiceRow::granted, 0, any),
                      may("refused", &ServiceRow::refused, 0, any),
                      may("oldest_ms", &ServiceRow::oldest_ms, 0, limits::year_ms),
                      may("expected_ms", &ServiceRow::expected_ms, 0, limits::year_ms)};
  }
  friend bool operator==(const ServiceRow&, const ServiceRow&) = default;
};

struct WorkerRow {
  std::string worker;
  std::vector<std::string> services;
  State state = State::alive;
  std::string why;  // it is not alive
  std::uint64_t slots = 0;
  std::uint64_t used = 0;
  std::uint64_t weight = 0;  // for its first service
  Milliseconds lease_ms{0};
  Milliseconds left_ms{0};  // of its lease
  std::string endpoint;
  Direct direct = Direct::pointsman;
  Milliseconds age_ms{0};  // since it registered
  std::uint64_t granted = 0;
  std::uint64_t completed = 0;
  Milliseconds busy_ms{0};  // total time of its sessions that are over
  std::uint64_t lease = 0;

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return std::tuple{need("worker", &WorkerRow::worker, 1, limits::name),
                      may("services", &WorkerRow::services, 0, limits::services),
                      may("state", &WorkerRow::state, 0, 0), may("why", &WorkerRow::why, 0, limits::text),
                      may("slots", &WorkerRow::slots, 0, any), may("used", &WorkerRow::used, 0, any),
                      may("weight", &WorkerRow::weight, 0, any),
                      endless(may("lease_ms", &WorkerRow::lease_ms, 0, limits::year_ms)),
                      endless(may("left_ms", &WorkerRow::left_ms, 0, limits::year_ms)),
                      may("endpoint", &WorkerRow::endpoint, 0, limits::endpoint),
                      may("direct", &WorkerRow::direct, 0, 0),
                      may("age_ms", &WorkerRow::age_ms, 0, any), may("granted", &WorkerRow::granted, 0, any),
                      may("completed", &WorkerRow::completed, 0, any),
                      may("busy_ms", &WorkerRow::busy_ms, 0, any),
                      may("lease", &WorkerRow::lease, 0, any)};
  }
  friend bool operator==(const WorkerRow&, const WorkerRow&) = default;
};

struct SessionRow {
  std::uint64_t session = 0;
  std::string service;
  std::string worker;
  std::string client;
  std::string id;
  State state = State::reserved;
  Milliseconds age_ms{0};  // since it was granted

  static constexpr auto fields() {
    return std::tuple{need("session", &SessionRow::session, 1, limits::number),
                      may("service", &SessionRow::service, 0, limits::name),
                      may("worker", &SessionRow::worker, 0, limits::name),
                      may("client", &SessionRow::client, 0, limits::name),
                      may("id", &SessionRow::id, 0, limits::name), may("state", &SessionRow::state, 0, 0),
                      may("age_ms", &SessionRow::age_ms, 0, limits::number)};
  }
  friend bool operator==(const SessionRow&, const SessionRow&) = default;
};

struct WaitingRow {
  std::string id;
  std::string client;
  std::string service;
  std::uint64_t priority = 0;
  std::uint64_t position = 0;
  Milliseconds waited_ms{0};
  Milliseconds left_ms{0};  // until it times out

  static constexpr auto fields() {
    return std::tuple{need("id", &WaitingRow::id, 1, limits::name),
                      may("client", &WaitingRow::client, 0, limits::name),
                      may("service", &WaitingRow::service, 0, limits::name),
                      may("priority", &WaitingRow::priority, 0, limits::priority),
                      may("position", &WaitingRow::position, 0, limits::number),
                      may("waited_ms", &WaitingRow::waited_ms, 0, limits::number),
                      may("left_ms", &WaitingRow::left_ms, 0, limits::number)};
  }
  friend bool operator==(const WaitingRow&, const WaitingRow&) = default;
};

// One page of rows of the one kind that was asked for.
struct Listing {
  static constexpr std::string_view op = "listing";
  Subject of = Subject::services;
  std::vector<ServiceRow> services;
  std::vector<WorkerRow> workers;
  std::vector<SessionRow> sessions;
  std::vector<WaitingRow> waiting;
  std::string next;  // ask with `after` this; empty: that was all

  static constexpr auto fields() {
    return std::tuple{need("of", &Listing::of, 0, 0),
                      may("services", &Listing::services, 0, limits::rows),
                      may("workers", &Listing::workers, 0, limits::rows),
                      may("sessions", &Listing::sessions, 0, limits::rows),
                      may("waiting", &Listing::waiting, 0, limits::rows),
                      may("next", &Listing::next, 0, limits::name)};
  }
  friend bool operator==(const Listing&, const Listing&) = default;
};

// One worker as a request saw it.
struct CandidateRow {
  std::string worker;
  bool free = false;
  std::string why;
  std::string remedy;

  static constexpr auto fields() {
    return std::tuple{need("worker", &CandidateRow::worker, 1, limits::name),
                      flag("free", &CandidateRow::free), may("why", &CandidateRow::why, 0, limits::text),
                      may("remedy", &CandidateRow::remedy, 0, limits::text)};
  }
  friend bool operator==(const CandidateRow&, const CandidateRow&) = default;
};

struct Explained {
  static constexpr std::string_view op = "explained";
  std::string subject;              // what was asked about, in words
  std::string verdict;              // what is the case, in one sentence
  std::vector<std::string> because; // what led to it
  std::string remedy;               // what would have to change
  std::vector<CandidateRow> candidates;
  std::uint64_t more = 0;           // candidates that are not listed

  static constexpr auto fields() {
    return std::tuple{may("subject", &Explained::subject, 0, limits::text),
                      may("verdict", &Explained::verdict, 0, limits::text),
                      may("because", &Explained::because, 0, limits::rows),
                      may("remedy", &Explained::remedy, 0, limits::text),
                      may("candidates", &Explained::candidates, 0, limits::rows),
                      may("more", &Explained::more, 0, limits::number)};
  }
  friend bool operator==(const Explained&, const Explained&) = default;
};

struct Drained {
  static constexpr std::string_view op = "drained";
  std::string worker;
  DrainMode mode = DrainMode::drain;
  std::uint64_t used = 0;  // sessions that it still holds

  static constexpr auto fields() {
    return std::tuple{need("worker", &Drained::worker, 1, limits::name),
                      may("mode", &Drained::mode, 0, 0), may("used", &Drained::used, 0, limits::number)};
  }
  friend bool operator==(const Drained&, const Drained&) = default;
};

struct Configured {
  static constexpr std::string_view op = "configured";
  std::string service;
  Policy policy = Policy::weighted_round_robin;
  std::uint64_t queue_max = 0;
  Milliseconds slow_start_ms{0};
  Milliseconds aging_ms{0};
  Milliseconds hang_ms{0};

  static constexpr auto fields() {
    return std::tuple{need("service", &Configured::service, 1, limits::name),
                      may("policy", &Configured::policy, 0, 0),
                      may("queue_max", &Configured::queue_max, 0, limits::number),
                      may("slow_start_ms", &Configured::slow_start_ms, 0, limits::day_ms),
                      may("aging_ms", &Configured::aging_ms, 0, limits::day_ms),
                      may("hang_ms", &Configured::hang_ms, 0, limits::day_ms)};
  }
  friend bool operator==(const Configured&, const Configured&) = default;
};

struct Watching {
  static constexpr std::string_view op = "watching";
  std::uint64_t last = 0;  // number of the newest event before the first that will be sent
  Milliseconds term_ms{0}; // repeat `watch` before this has passed

  static constexpr auto fields() {
    return std::tuple{may("last", &Watching::last, 0, limits::number),
                      may("term_ms", &Watching::term_ms, 0, limits::day_ms)};
  }
  friend bool operator==(const Watching&, const Watching&) = default;
};

// Something happened. Numbers count all events of the broker, so a watcher of everything sees gaps.
struct Happened {
  static constexpr std::string_view op = "event";
  std::uint64_t number = 0;
  Happening kind = Happening::registered;
  std::string service;
  std::string worker;
  std::string client;
  std::string id;
  std::uint64_t session = 0;
  std::string detail;

  static constexpr auto fields() {
    return std::tuple{need("number", &Happened::number, 1, limits::number),
                      need("kind", &Happened::kind, 0, 0),
                      may("service", &Happened::service, 0, limits::name),
                      may("worker", &Happened::worker, 0, limits::name),
                      may("client", &Happened::client, 0, limits::name),
                      may("id", &Happened::id, 0, limits::name),
                      may("session", &Happened::session, 0, limits::number),
                      may("detail", &Happened::detail, 0, limits::text)};
  }
  friend bool operator==(const Happened&, const Happened&) = default;
};

struct Counter {
  std::string name;
  std::uint64_t value = 0;

  static constexpr auto fields() {
    return std::tuple{need("name", &Counter::name, 1, limits::name),
                      may("value", &Counter::value, 0, limits::number)};
  }
  friend bool operator==(const Counter&, const Counter&) = default;
};

struct Stats {
  static constexpr std::string_view op = "stats";
  std::uint64_t epoch = 0;
  Milliseconds up_ms{0};
  std::vector<Counter> counters;

  static constexpr auto fields() {
    return std::tuple{may("epoch", &Stats::epoch, 0, limits::number),
                      may("up_ms", &Stats::up_ms, 0, limits::number),
                      may("counters", &Stats::counters, 0, limits::rows)};
  }
  friend bool operator==(const Stats&, const Stats&) = default;
};

struct Welcome {
  static constexpr std::string_view op = "welcome";
  std::string program;
  std::string version;               // of the program
  std::vector<std::uint64_t> speaks; // protocol versions
  std::uint64_t epoch = 0;           // grows with every start of the broker
  std::uint64_t body_bytes = 0;
  Milliseconds wait_max_ms{0};

  static constexpr auto fields() {
    return std::tuple{may("program", &Welcome::program, 0, limits::name),
                      may("version", &Welcome::version, 0, limits::name),
                      may("speaks", &Welcome::speaks, 0, 16),
                      may("epoch", &Welcome::epoch, 0, limits::number),
                      may("body_bytes", &Welcome::body_bytes, 0, limits::number),
                      may("wait_max_ms", &Welcome::wait_max_ms, 0, limits::number)};
  }
  friend bool operator==(const Welcome&, const Welcome&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Worker -> broker

// One service that a worker offers.
struct Offer {
  std::string service;
  std::uint64_t weight = 1;
  std::uint64_t slots = 0;  // sessions of this service at most; 0: as many as the worker has

  static constexpr auto fields() {
    return std::tuple{need("service", &Offer::service, 1, limits::name),
                      may("weight", &Offer::weight, 1, limits::weight),
                      may("slots", &Offer::slots, 0, limits::slots)};
  }
  friend bool operator==(const Offer&, const Offer&) = default;
};

// A session that a worker holds.
struct Held {
  std::uint64_t session = 0;
  std::string service;
  std::string client;
  std::string id;
  bool open = false;  // false: assigned, nobody came yet

  static constexpr auto fields() {
    return std::tuple{need("session", &Held::session, 1, limits::number),
                      need("service", &Held::service, 1, limits::name),
                      may("client", &Held::client, 0, limits::name),
                      may("id", &Held::id, 0, limits::name), flag("open", &Held::open)};
  }
  friend bool operator==(const Held&, const Held&) = default;
};

// Asks for a lease. Answered by Registered or Refused. A worker that was registered before lists what it holds.
struct Register {
  static constexpr std::string_view op = "register";
  std::string worker;
  std::string instance;  // random, new with every start of the worker's process
  std::vector<Offer> services;
  std::uint64_t slots = 1;
  std::string endpoint;
  Direct direct = Direct::pointsman;
  Milliseconds lease_ms{0};  // wished; 0: the broker's default; -1: forever
  std::string key;           // public key, Z85
  bool draining = false;
  std::uint64_t completed = 0;
  Milliseconds busy_ms{0};
  std::vector<Held> sessions;

  static constexpr auto fields() {
    return std::tuple{need("worker", &Register::worker, 1, limits::name),
                      need("instance", &Register::instance, 1, limits::name),
                      need("services", &Register::services, 1, limits::services),
                      may("slots", &Register::slots, 1, limits::slots),
                      need("endpoint", &Register::endpoint, 1, limits::endpoint),
                      may("direct", &Register::direct, 0, 0),
                      endless(may("lease_ms", &Register::lease_ms, 0, limits::year_ms)),
                      may("key", &Register::key, 0, limits::key), flag("draining", &Register::draining),
                      may("completed", &Register::completed, 0, limits::number),
                      may("busy_ms", &Register::busy_ms, 0, limits::number),
                      may("sessions", &Register::sessions, 0, limits::slots)};
  }
  friend bool operator==(const Register&, const Register&) = default;
};

// Renews the lease and says how things are: absolute figures, so a lost one does no harm.
struct Heartbeat {
  static constexpr std::string_view op = "heartbeat";
  std::uint64_t lease = 0;
  std::uint64_t beat = 0;      // counts up; the answer names it
  std::uint64_t seen = 0;      // last assignment that arrived
  std::uint64_t used = 0;      // sessions held, assigned ones that nobody has opened yet included
  std::uint64_t digest = 0;    // of their numbers, see PROTOCOL.md
  std::uint64_t reported = 0;  // last session event that was reported
  std::uint64_t progress = 0;  // grows whenever work moves on
  std::uint64_t completed = 0; // sessions that were opened and are over, since the worker's start
  Milliseconds busy_ms{0};     // their total time
  bool draining = false;

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return std::tuple{need("lease", &Heartbeat::lease, 1, any), may("beat", &Heartbeat::beat, 0, any),
                      may("seen", &Heartbeat::seen, 0, any), may("used", &Heartbeat::used, 0, any),
                      may("digest", &Heartbeat::digest, 0, any),
                      may("reported", &Heartbeat::reported, 0, any),
                      may("progress", &Heartbeat::progress, 0, any),
                      may("completed", &Heartbeat::completed, 0, any),
                      may("busy_ms", &Heartbeat::busy_ms, 0, any), flag("draining", &Heartbeat::draining)};
  }
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

// One thing that happened to a session at its worker.
struct SessionEvent {
  std::uint64_t session = 0;
  bool closed = false;  // false: opened
  Ending ending = Ending::released;

  static constexpr auto fields() {
    return std::tuple{need("session", &SessionEvent::session, 1, limits::number),
                      flag("closed", &SessionEvent::closed), may("ending", &SessionEvent::ending, 0, 0)};
  }
  friend bool operator==(const SessionEvent&, const SessionEvent&) = default;
};

// What happened to sessions, numbered without a gap from 1 under one lease. Repeated until applied.
struct Report {
  static constexpr std::string_view op = "report";
  std::uint64_t lease = 0;
  std::uint64_t first = 0;  // number of the first event
  std::vector<SessionEvent> events;
  std::uint64_t seen = 0;
  std::uint64_t completed = 0;
  Milliseconds busy_ms{0};

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return std::tuple{need("lease", &Report::lease, 1, any), need("first", &Report::first, 1, any),
                      need("events", &Report::events, 1, limits::events),
                      may("seen", &Report::seen, 0, any), may("completed", &Report::completed, 0, any),
                      may("busy_ms", &Report::busy_ms, 0, any)};
  }
  friend bool operator==(const Report&, const Report&) = default;
};

// All sessions that the worker holds. The answer to Sync.
struct Holding {
  static constexpr std::string_view op = "holding";
  std::uint64_t lease = 0;
  std::uint64_t seen = 0;
  std::uint64_t reported = 0;  // last session event that this list already contains
  std::vector<Held> sessions;

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return std::tuple{need("lease", &Holding::lease, 1, any), may("seen", &Holding::seen, 0, any),
                      may("reported", &Holding::reported, 0, any),
                      may("sessions", &Holding::sessions, 0, limits::slots)};
  }
  friend bool operator==(const Holding&, const Holding&) = default;
};

// The worker goes. Its sessions, if any, are lost.
struct Leave {
  static constexpr std::string_view op = "leave";
  std::uint64_t lease = 0;
  std::string reason;

  static constexpr auto fields() {
    return std::tuple{need("lease", &Leave::lease, 1, limits::number),
                      may("reason", &Leave::reason, 0, limits::text)};
  }
  friend bool operator==(const Leave&, const Leave&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Broker -> worker

// The place is yours for `term_ms` from when you asked; a heartbeat every `heartbeat_ms` renews it.
struct Registered {
  static constexpr std::string_view op = "registered";
  std::string worker;
  std::uint64_t lease = 0;
  Milliseconds term_ms{0};
  Milliseconds heartbeat_ms{0};
  std::uint64_t epoch = 0;
  Bytes key;                // checks tickets under this lease; secret
  Milliseconds now_ms{0};   // the broker's clock, for the age of tickets

  static constexpr auto fields() {
    return std::tuple{need("worker", &Registered::worker, 1, limits::name),
                      need("lease", &Registered::lease, 1, limits::number),
                      endless(need("term_ms", &Registered::term_ms, 0, limits::year_ms)),
                      need("heartbeat_ms", &Registered::heartbeat_ms, 1, limits::day_ms),
                      may("epoch", &Registered::epoch, 0, limits::number),
                      need("key", &Registered::key, 32, 32),
                      may("now_ms", &Registered::now_ms, 0, limits::number)};
  }
  friend bool operator==(const Registered&, const Registered&) = default;
};

// The answer to a heartbeat: the lease runs for a term from when that heartbeat was sent.
struct Heard {
  static constexpr std::string_view op = "heard";
  std::uint64_t lease = 0;
  std::uint64_t beat = 0;
  std::uint64_t applied = 0;  // all session events up to this number are applied
  Milliseconds now_ms{0};

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return std::tuple{need("lease", &Heard::lease, 1, any), may("beat", &Heard::beat, 0, any),
                      may("applied", &Heard::applied, 0, any), may("now_ms", &Heard::now_ms, 0, any)};
  }
  friend bool operator==(const Heard&, const Heard&) = default;
};

// A client that is coming.
struct Assignment {
  std::uint64_t session = 0;
  std::string service;
  std::string client;
  std::string id;
  Milliseconds ttl_ms{0};   // it comes within this, or not at all
  Milliseconds term_ms{0};  // of the session, from when it comes

  static constexpr auto fields() {
    return std::tuple{need("session", &Assignment::session, 1, limits::number),
                      need("service", &Assignment::service, 1, limits::name),
                      may("client", &Assignment::client, 0, limits::name),
                      may("id", &Assignment::id, 0, limits::name),
                      may("ttl_ms", &Assignment::ttl_ms, 0, limits::day_ms),
                      may("term_ms", &Assignment::term_ms, 0, limits::day_ms)};
  }
  friend bool operator==(const Assignment&, const Assignment&) = default;
};

// Tells the worker who is coming. Assignments are numbered without a gap from 1 under one lease.
struct Assign {
  static constexpr std::string_view op = "assign";
  std::uint64_t lease = 0;
  std::uint64_t first = 0;
  std::vector<Assignment> sessions;
  std::uint64_t applied = 0;
  Milliseconds now_ms{0};

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return std::tuple{need("lease", &Assign::lease, 1, any), need("first", &Assign::first, 1, any),
                      need("sessions", &Assign::sessions, 1, limits::events),
                      may("applied", &Assign::applied, 0, any), may("now_ms", &Assign::now_ms, 0, any)};
  }
  friend bool operator==(const Assign&, const Assign&) = default;
};

// Asks for a heartbeat at once.
struct Probe {
  static constexpr std::string_view op = "probe";
  std::uint64_t lease = 0;

  static constexpr auto fields() { return std::tuple{need("lease", &Probe::lease, 1, limits::number)}; }
  friend bool operator==(const Probe&, const Probe&) = default;
};

// Asks for all sessions that the worker holds: the counts differ. Answered by Holding.
struct Sync {
  static constexpr std::string_view op = "sync";
  std::uint64_t lease = 0;

  static constexpr auto fields() { return std::tuple{need("lease", &Sync::lease, 1, limits::number)}; }
  friend bool operator==(const Sync&, const Sync&) = default;
};

struct Left {
  static constexpr std::string_view op = "left";
  std::uint64_t lease = 0;

  static constexpr auto fields() { return std::tuple{need("lease", &Left::lease, 1, limits::number)}; }
  friend bool operator==(const Left&, const Left&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Client -> worker, on the direct link

// Shows the ticket. Answered by Opened or Refused. Repeating it is harmless.
struct Open {
  static constexpr std::string_view op = "open";
  Bytes ticket;
  std::string client;

  static constexpr auto fields() {
    return std::tuple{need("ticket", &Open::ticket, 1, limits::ticket),
                      may("client", &Open::client, 0, limits::name)};
  }
  friend bool operator==(const Open&, const Open&) = default;
};

// Work to do; its payload is the frames behind. A call that carries the ticket opens the session, too.
// Answered by Reply (the last one has `more` false), Failed or Refused.
struct Call {
  static constexpr std::string_view op = "call";
  std::uint64_t session = 0;
  std::uint64_t number = 0;  // chosen by the client, unique within the session
  Bytes ticket;
  std::string client;
  Milliseconds limit_ms{0};  // the client waits this long; 0: it does not say

  static constexpr auto fields() {
    return std::tuple{need("session", &Call::session, 1, limits::number),
                      need("number", &Call::number, 1, limits::number),
                      may("ticket", &Call::ticket, 0, limits::ticket),
                      may("client", &Call::client, 0, limits::name),
                      may("limit_ms", &Call::limit_ms, 0, limits::day_ms)};
  }
  friend bool operator==(const Call&, const Call&) = default;
};

// The client no longer wants the answer to a call. Answered by Failed with code `cancelled`, unless the
// answer was quicker.
struct Abandon {
  static constexpr std::string_view op = "abandon";
  std::uint64_t session = 0;
  std::uint64_t number = 0;

  static constexpr auto fields() {
    return std::tuple{need("session", &Abandon::session, 1, limits::number),
                      need("number", &Abandon::number, 1, limits::number)};
  }
  friend bool operator==(const Abandon&, const Abandon&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Worker -> client, on the direct link

struct Opened {
  static constexpr std::string_view op = "opened";
  std::uint64_t session = 0;
  Milliseconds term_ms{0};

  static constexpr auto fields() {
    return std::tuple{need("session", &Opened::session, 1, limits::number),
                      may("term_ms", &Opened::term_ms, 0, limits::day_ms)};
  }
  friend bool operator==(const Opened&, const Opened&) = default;
};

// An answer, or a part of one; its payload is the frames behind.
struct Reply {
  static constexpr std::string_view op = "reply";
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  std::uint64_t part = 0;  // 0, 1, 2 … within one call
  bool more = false;       // further parts follow

  static constexpr auto fields() {
    return std::tuple{need("session", &Reply::session, 1, limits::number),
                      need("number", &Reply::number, 1, limits::number),
                      may("part", &Reply::part, 0, limits::number), flag("more", &Reply::more)};
  }
  friend bool operator==(const Reply&, const Reply&) = default;
};

// The work failed. The session goes on.
struct Failed {
  static constexpr std::string_view op = "failed";
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  Code code = Code::failed;
  std::string reason;
  std::uint64_t exit = 0;  // exit code of a program; 128 + n if signal n ended it
  std::string detail;      // the end of its stderr

  static constexpr auto fields() {
    return std::tuple{need("session", &Failed::session, 1, limits::number),
                      need("number", &Failed::number, 1, limits::number), may("code", &Failed::code, 0, 0),
                      may("reason", &Failed::reason, 0, limits::text), may("exit", &Failed::exit, 0, 255),
                      may("detail", &Failed::detail, 0, limits::detail)};
  }
  friend bool operator==(const Failed&, const Failed&) = default;
};

// ---------------------------------------------------------------------------------------------------

using Message =
    std::variant<Request, Cancel, Release, Renew, List, Explain, Drain, Configure, Watch, Status, Hello,
                 Queued, Granted, Refused, Lost, Cancelled, Released, Renewed, Listing, Explained, Drained,
                 Configured, Watching, Happened, Stats, Welcome, Register, Heartbeat, Report, Holding, Leave,
                 Registered, Heard, Assign, Probe, Sync, Left, Open, Call, Abandon, Opened, Reply, Failed>;

// The op of any message.
inline std::string_view op_of(const Message& message) {
  return std::visit([](const auto& m) { return std::remove_cvref_t<decltype(m)>::op; }, message);
}

}  // namespace pointsman
