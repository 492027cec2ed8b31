// Words: the lists of words that fields take, and what is wrong with something received. PROTOCOL.md explains each word.

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/fields.hpp"

namespace pointsman {

using Milliseconds = std::chrono::duration<std::int64_t, std::milli>;

// As a duration: without end. On the wire -1; in the notation `forever`.
inline constexpr Milliseconds forever{-1};

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
  bad_ticket,      // has not the form of one, or is for something else than it is shown for
  forged_ticket,   // its seal is not right: made up or altered
  foreign_ticket,  // of another worker, or of another broker
  old_ticket,      // of a former lease of this worker, for too long
  stolen_ticket,   // shown by another client, or with another key, than it was granted to
  expired_ticket,
  used_ticket,     // its session is over
  busy,            // the worker's slots, or a session's calls, are all in use
  draining,
  not_yours,       // a session or request of another client
  limit_reached,   // a bound of the receiver; the reason names it
  failed,          // the work itself failed; the reason says how
  shutting_down,
  unknown_key,     // not, or no longer, allowed here
  not_allowed,     // this key may not do this, or not with this service
  over_quota,      // of this key
  too_fast,        // more messages of this key than it may send
  overloaded,      // the receiver is short of memory
  bad_condition,   // a condition or preference that is none, or can never be true
  no_match,        // no worker of the service matches, and the request does not say to wait for one
  loop,            // made up by a client: brokers send it in a circle, or too far down
  unreachable,     // made up by a client: nobody answers there
  count_
};
template <>
struct Words<Code> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Code::count_)> list{
      "none",            "bad-message",    "wrong-version",   "unknown-op",      "wrong-role",
      "unknown-service", "no-worker",      "timed-out",       "queue-full",      "hopeless",
      "cancelled",       "ended",          "unknown-request", "unknown-session", "unknown-worker",
      "unknown-lease",   "name-taken",     "bad-endpoint",    "bad-ticket",      "forged-ticket",
      "foreign-ticket",  "old-ticket",     "stolen-ticket",   "expired-ticket",  "used-ticket",
      "busy",            "draining",       "not-yours",       "limit-reached",   "failed",
      "shutting-down",   "unknown-key",    "not-allowed",     "over-quota",      "too-fast",
      "overloaded",      "bad-condition",  "no-match",        "loop",           "unreachable"};
};

enum class Policy : std::uint8_t {
  weighted_round_robin,
  least_connections,
  least_busy,
  least_recent,
  two_choices,
  random,
  shortest_expected_delay,
  count_
};
template <>
struct Words<Policy> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Policy::count_)> list{
      "weighted-round-robin", "least-connections",      "least-busy", "least-recent", "two-choices", "random",
      "shortest-expected-delay"};
};

// Whether workers are often level by it, so that it matters whom a client is connected to.
constexpr bool has_ties(Policy policy) {
  return policy == Policy::least_connections || policy == Policy::least_busy;
}

// How clients talk to a worker's endpoint: the direct link of PROTOCOL.md, the worker's own way, or as to a broker,
// which it is: they ask there.
enum class Direct : std::uint8_t { pointsman, own, broker, count_ };
template <>
struct Words<Direct> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Direct::count_)> list{"pointsman", "own",
                                                                                               "broker"};
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

enum class Subject : std::uint8_t { services, workers, sessions, waiting, brokers, count_ };
template <>
struct Words<Subject> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Subject::count_)> list{
      "services", "workers", "sessions", "waiting", "brokers"};
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

// Refusals of tickets: what a worker counts of those that are shown to it.
constexpr bool about_ticket(Code code) { return code >= Code::bad_ticket && code <= Code::used_ticket; }

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

}  // namespace pointsman
