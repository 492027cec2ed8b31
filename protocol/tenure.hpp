// Tenure: messages between a worker and its broker, about its lease and its sessions.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/attributes.hpp"
#include "protocol/bytes.hpp"
#include "protocol/fields.hpp"
#include "protocol/limits.hpp"
#include "protocol/words.hpp"

namespace pointsman {

// ---------------------------------------------------------------------------------------------------
// Worker -> broker

// One service that a worker offers.
struct Offer {
  std::string service;
  std::uint64_t weight = 1;
  std::uint64_t slots = 0;  // sessions of this service at most; 0: as many as the worker has

  static constexpr auto fields() {
    return listed(need("service", &Offer::service, 1, limits::name),
                  may("weight", &Offer::weight, 1, limits::weight),
                  may("slots", &Offer::slots, 0, limits::slots));
  }
  friend bool operator==(const Offer&, const Offer&) = default;
};

// A session that a worker holds.
struct Held {
  std::uint64_t session = 0;
  std::string service;
  std::string client;
  std::string id;
  Bytes key;          // the client's public key; empty: it has none
  bool open = false;  // false: assigned, nobody came yet

  static constexpr auto fields() {
    return listed(need("session", &Held::session, 1, limits::number),
                  need("service", &Held::service, 1, limits::name),
                  may("client", &Held::client, 0, limits::name),
                  may("id", &Held::id, 0, limits::name), may("key", &Held::key, 0, limits::key_bytes),
                  flag("open", &Held::open));
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
  std::uint64_t attempt = 0;  // counts the registrations of this instance; 0: not counted
  Attributes attributes;  // for the conditions of requests
  std::string accepts;    // a condition on the client's attributes; empty: any client
  std::string workers;    // of a broker: its listener for workers, for who looks for one; empty: not said

  static constexpr auto fields() {
    return listed(need("worker", &Register::worker, 1, limits::name),
                  need("instance", &Register::instance, 1, limits::name),
                  need("services", &Register::services, 1, limits::services),
                  may("slots", &Register::slots, 1, limits::slots),
                  need("endpoint", &Register::endpoint, 1, limits::endpoint),
                  may("direct", &Register::direct, 0, 0),
                  endless(may("lease_ms", &Register::lease_ms, 0, limits::year_ms)),
                  may("key", &Register::key, 0, limits::key), flag("draining", &Register::draining),
                  may("completed", &Register::completed, 0, limits::number),
                  may("busy_ms", &Register::busy_ms, 0, limits::number),
                  may("sessions", &Register::sessions, 0, limits::slots),
                  may("attempt", &Register::attempt, 0, limits::number),
                  may("attributes", &Register::attributes, 0, limits::attributes),
                  may("accepts", &Register::accepts, 0, limits::condition),
                  may("workers", &Register::workers, 0, limits::endpoint));
  }
  friend bool operator==(const Register&, const Register&) = default;
};

// How many tickets a worker has refused for one reason since its start.
struct RefusedTickets {
  Code code = Code::bad_ticket;
  std::uint64_t count = 0;

  static constexpr auto fields() {
    return listed(need("code", &RefusedTickets::code, 0, 0),
                  may("count", &RefusedTickets::count, 0, limits::number));
  }
  friend bool operator==(const RefusedTickets&, const RefusedTickets&) = default;
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
  std::vector<RefusedTickets> refused;

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return listed(need("lease", &Heartbeat::lease, 1, any), may("beat", &Heartbeat::beat, 0, any),
                  may("seen", &Heartbeat::seen, 0, any), may("used", &Heartbeat::used, 0, any),
                  may("digest", &Heartbeat::digest, 0, any),
                  may("reported", &Heartbeat::reported, 0, any),
                  may("progress", &Heartbeat::progress, 0, any),
                  may("completed", &Heartbeat::completed, 0, any),
                  may("busy_ms", &Heartbeat::busy_ms, 0, any), flag("draining", &Heartbeat::draining),
                  may("refused", &Heartbeat::refused, 0, limits::services));
  }
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

// One thing that happened to a session at its worker.
struct SessionEvent {
  std::uint64_t session = 0;
  bool closed = false;  // false: opened
  Ending ending = Ending::released;

  static constexpr auto fields() {
    return listed(need("session", &SessionEvent::session, 1, limits::number),
                  flag("closed", &SessionEvent::closed), may("ending", &SessionEvent::ending, 0, 0));
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
    return listed(need("lease", &Report::lease, 1, any), need("first", &Report::first, 1, any),
                  need("events", &Report::events, 1, limits::events),
                  may("seen", &Report::seen, 0, any), may("completed", &Report::completed, 0, any),
                  may("busy_ms", &Report::busy_ms, 0, any));
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
    return listed(need("lease", &Holding::lease, 1, any), may("seen", &Holding::seen, 0, any),
                  may("reported", &Holding::reported, 0, any),
                  may("sessions", &Holding::sessions, 0, limits::slots));
  }
  friend bool operator==(const Holding&, const Holding&) = default;
};

// The worker goes. Its sessions, if any, are lost.
struct Leave {
  static constexpr std::string_view op = "leave";
  std::uint64_t lease = 0;
  std::string reason;

  static constexpr auto fields() {
    return listed(need("lease", &Leave::lease, 1, limits::number),
                  may("reason", &Leave::reason, 0, limits::text));
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
  std::uint64_t attempt = 0;  // of the registration that this answers

  static constexpr auto fields() {
    return listed(need("worker", &Registered::worker, 1, limits::name),
                  need("lease", &Registered::lease, 1, limits::number),
                  endless(need("term_ms", &Registered::term_ms, 0, limits::year_ms)),
                  need("heartbeat_ms", &Registered::heartbeat_ms, 1, limits::day_ms),
                  may("epoch", &Registered::epoch, 0, limits::number),
                  need("key", &Registered::key, 32, 32),
                  may("now_ms", &Registered::now_ms, 0, limits::number),
                  may("attempt", &Registered::attempt, 0, limits::number));
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
  Milliseconds next_ms{0};  // until the next heartbeat, so that those of one connection come together; 0: as told before

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return listed(need("lease", &Heard::lease, 1, any), may("beat", &Heard::beat, 0, any),
                  may("applied", &Heard::applied, 0, any), may("now_ms", &Heard::now_ms, 0, any),
                  may("next_ms", &Heard::next_ms, 0, limits::day_ms));
  }
  friend bool operator==(const Heard&, const Heard&) = default;
};

// A client that is coming.
struct Assignment {
  std::uint64_t session = 0;
  std::string service;
  std::string client;
  std::string id;
  Bytes key;                // its public key; empty: it has none
  Milliseconds ttl_ms{0};   // it comes within this, or not at all
  Milliseconds term_ms{0};  // of the session, from when it comes

  static constexpr auto fields() {
    return listed(need("session", &Assignment::session, 1, limits::number),
                  need("service", &Assignment::service, 1, limits::name),
                  may("client", &Assignment::client, 0, limits::name),
                  may("id", &Assignment::id, 0, limits::name),
                  may("key", &Assignment::key, 0, limits::key_bytes),
                  may("ttl_ms", &Assignment::ttl_ms, 0, limits::day_ms),
                  may("term_ms", &Assignment::term_ms, 0, limits::day_ms));
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
    return listed(need("lease", &Assign::lease, 1, any), need("first", &Assign::first, 1, any),
                  need("sessions", &Assign::sessions, 1, limits::events),
                  may("applied", &Assign::applied, 0, any), may("now_ms", &Assign::now_ms, 0, any));
  }
  friend bool operator==(const Assign&, const Assign&) = default;
};

// Asks for a heartbeat at once.
struct Probe {
  static constexpr std::string_view op = "probe";
  std::uint64_t lease = 0;

  static constexpr auto fields() { return listed(need("lease", &Probe::lease, 1, limits::number)); }
  friend bool operator==(const Probe&, const Probe&) = default;
};

// Asks for all sessions that the worker holds: the counts differ. Answered by Holding.
struct Sync {
  static constexpr std::string_view op = "sync";
  std::uint64_t lease = 0;

  static constexpr auto fields() { return listed(need("lease", &Sync::lease, 1, limits::number)); }
  friend bool operator==(const Sync&, const Sync&) = default;
};

struct Left {
  static constexpr std::string_view op = "left";
  std::uint64_t lease = 0;

  static constexpr auto fields() { return listed(need("lease", &Left::lease, 1, limits::number)); }
  friend bool operator==(const Left&, const Left&) = default;
};

}  // namespace pointsman
