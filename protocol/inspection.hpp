// Inspection: messages by which people and programs look into a broker and change its settings.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/attributes.hpp"
#include "protocol/fields.hpp"
#include "protocol/limits.hpp"
#include "protocol/words.hpp"

namespace pointsman {

// ---------------------------------------------------------------------------------------------------
// Client -> broker

// Asks for rows, page by page: `after` is the `next` of the page before.
struct List {
  static constexpr std::string_view op = "list";
  Subject of = Subject::services;
  std::string service;
  std::string after;
  std::uint64_t limit = 100;

  static constexpr auto fields() {
    return listed(need("of", &List::of, 0, 0), may("service", &List::service, 0, limits::name),
                  may("after", &List::after, 0, limits::name),
                  may("limit", &List::limit, 1, limits::rows));
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
    return listed(may("id", &Explain::id, 0, limits::name),
                  may("client", &Explain::client, 0, limits::name),
                  may("session", &Explain::session, 0, limits::number),
                  may("worker", &Explain::worker, 0, limits::name),
                  may("service", &Explain::service, 0, limits::name));
  }
  friend bool operator==(const Explain&, const Explain&) = default;
};

// Changes whether a worker gets sessions. The broker passes it on to the worker.
struct Drain {
  static constexpr std::string_view op = "drain";
  std::string worker;
  DrainMode mode = DrainMode::drain;
  std::string instance;  // only this one; empty: whichever holds the name

  static constexpr auto fields() {
    return listed(need("worker", &Drain::worker, 1, limits::name), may("mode", &Drain::mode, 0, 0),
                  may("instance", &Drain::instance, 0, limits::name));
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
    return listed(need("service", &Configure::service, 1, limits::name),
                  may("policy", &Configure::policy, 0, 0),
                  may("queue_max", &Configure::queue_max, 0, 1'000'000),
                  may("slow_start_ms", &Configure::slow_start_ms, 0, limits::day_ms),
                  may("aging_ms", &Configure::aging_ms, 0, limits::day_ms),
                  may("hang_ms", &Configure::hang_ms, 0, limits::day_ms));
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
    return listed(may("service", &Watch::service, 0, limits::name),
                  may("kinds", &Watch::kinds, 0, static_cast<std::size_t>(Happening::count_)),
                  flag("stop", &Watch::stop));
  }
  friend bool operator==(const Watch&, const Watch&) = default;
};

// Asks for the broker's counters. Answered by Stats.
struct Status {
  static constexpr std::string_view op = "status";

  static constexpr auto fields() { return listed(); }
  friend bool operator==(const Status&, const Status&) = default;
};

// Asks who is there. Answered by Welcome. Never needed.
struct Hello {
  static constexpr std::string_view op = "hello";

  static constexpr auto fields() { return listed(); }
  friend bool operator==(const Hello&, const Hello&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Broker -> client

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
    return listed(need("service", &ServiceRow::service, 1, limits::name),
                  may("policy", &ServiceRow::policy, 0, 0),
                  may("workers", &ServiceRow::workers, 0, any),
                  may("slots", &ServiceRow::slots, 0, any),
                  may("used", &ServiceRow::used, 0, any),
                  may("waiting", &ServiceRow::waiting, 0, any),
                  may("granted", &ServiceRow::granted, 0, any),
                  may("refused", &ServiceRow::refused, 0, any),
                  may("oldest_ms", &ServiceRow::oldest_ms, 0, limits::year_ms),
                  may("expected_ms", &ServiceRow::expected_ms, 0, limits::year_ms));
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
  std::uint64_t tickets_refused = 0;  // since its start
  std::string by;                     // name of the key that it registered with
  Attributes attributes;
  std::string accepts;  // its condition on clients
  Milliseconds pace_ms{0};  // that it takes for a session, as things went lately

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return listed(need("worker", &WorkerRow::worker, 1, limits::name),
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
                  may("lease", &WorkerRow::lease, 0, any),
                  may("tickets_refused", &WorkerRow::tickets_refused, 0, any),
                  may("by", &WorkerRow::by, 0, limits::name),
                  may("attributes", &WorkerRow::attributes, 0, limits::attributes),
                  may("accepts", &WorkerRow::accepts, 0, limits::condition),
                  may("pace_ms", &WorkerRow::pace_ms, 0, any));
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
  std::string by;          // name of its client's key

  static constexpr auto fields() {
    return listed(need("session", &SessionRow::session, 1, limits::number),
                  may("service", &SessionRow::service, 0, limits::name),
                  may("worker", &SessionRow::worker, 0, limits::name),
                  may("client", &SessionRow::client, 0, limits::name),
                  may("id", &SessionRow::id, 0, limits::name), may("state", &SessionRow::state, 0, 0),
                  may("age_ms", &SessionRow::age_ms, 0, limits::number),
                  may("by", &SessionRow::by, 0, limits::name));
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
  std::string when;         // its condition
  std::string by;           // name of its client's key

  static constexpr auto fields() {
    return listed(need("id", &WaitingRow::id, 1, limits::name),
                  may("client", &WaitingRow::client, 0, limits::name),
                  may("service", &WaitingRow::service, 0, limits::name),
                  may("priority", &WaitingRow::priority, 0, limits::priority),
                  may("position", &WaitingRow::position, 0, limits::number),
                  may("waited_ms", &WaitingRow::waited_ms, 0, limits::number),
                  may("left_ms", &WaitingRow::left_ms, 0, limits::number),
                  may("when", &WaitingRow::when, 0, limits::condition),
                  may("by", &WaitingRow::by, 0, limits::name));
  }
  friend bool operator==(const WaitingRow&, const WaitingRow&) = default;
};

// A registration of a broker below: one for each kind of its workers, so a broker may have several rows.
struct BrokerRow {
  std::string broker;  // name of the registration
  std::string clients;  // its listener for clients, as those reach it
  std::string workers;  // its listener for workers; empty: not said
  std::string key;      // its public key, Z85; empty: it does not encrypt
  std::vector<std::string> services;
  State state = State::alive;
  std::uint64_t slots = 0;
  std::uint64_t used = 0;
  Milliseconds left_ms{0};  // of its lease

  static constexpr auto fields() {
    constexpr auto any = limits::number;
    return listed(need("broker", &BrokerRow::broker, 1, limits::name),
                  need("clients", &BrokerRow::clients, 1, limits::endpoint),
                  may("workers", &BrokerRow::workers, 0, limits::endpoint),
                  may("key", &BrokerRow::key, 0, limits::key),
                  may("services", &BrokerRow::services, 0, limits::services),
                  may("state", &BrokerRow::state, 0, 0), may("slots", &BrokerRow::slots, 0, any),
                  may("used", &BrokerRow::used, 0, any),
                  endless(may("left_ms", &BrokerRow::left_ms, 0, limits::year_ms)));
  }
  friend bool operator==(const BrokerRow&, const BrokerRow&) = default;
};

// One page of rows of the one kind that was asked for.
struct Listing {
  static constexpr std::string_view op = "listing";
  Subject of = Subject::services;
  std::vector<ServiceRow> services;
  std::vector<WorkerRow> workers;
  std::vector<SessionRow> sessions;
  std::vector<WaitingRow> waiting;
  std::vector<BrokerRow> brokers;
  std::string next;  // ask with `after` this; empty: that was all

  static constexpr auto fields() {
    return listed(need("of", &Listing::of, 0, 0),
                  may("services", &Listing::services, 0, limits::rows),
                  may("workers", &Listing::workers, 0, limits::rows),
                  may("sessions", &Listing::sessions, 0, limits::rows),
                  may("waiting", &Listing::waiting, 0, limits::rows),
                  may("brokers", &Listing::brokers, 0, limits::rows),
                  may("next", &Listing::next, 0, limits::name));
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
    return listed(need("worker", &CandidateRow::worker, 1, limits::name),
                  flag("free", &CandidateRow::free), may("why", &CandidateRow::why, 0, limits::text),
                  may("remedy", &CandidateRow::remedy, 0, limits::text));
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
    return listed(may("subject", &Explained::subject, 0, limits::text),
                  may("verdict", &Explained::verdict, 0, limits::text),
                  may("because", &Explained::because, 0, limits::rows),
                  may("remedy", &Explained::remedy, 0, limits::text),
                  may("candidates", &Explained::candidates, 0, limits::rows),
                  may("more", &Explained::more, 0, limits::number));
  }
  friend bool operator==(const Explained&, const Explained&) = default;
};

struct Drained {
  static constexpr std::string_view op = "drained";
  std::string worker;
  DrainMode mode = DrainMode::drain;
  std::uint64_t used = 0;  // sessions that it still holds

  static constexpr auto fields() {
    return listed(need("worker", &Drained::worker, 1, limits::name),
                  may("mode", &Drained::mode, 0, 0), may("used", &Drained::used, 0, limits::number));
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
    return listed(need("service", &Configured::service, 1, limits::name),
                  may("policy", &Configured::policy, 0, 0),
                  may("queue_max", &Configured::queue_max, 0, limits::number),
                  may("slow_start_ms", &Configured::slow_start_ms, 0, limits::day_ms),
                  may("aging_ms", &Configured::aging_ms, 0, limits::day_ms),
                  may("hang_ms", &Configured::hang_ms, 0, limits::day_ms));
  }
  friend bool operator==(const Configured&, const Configured&) = default;
};

struct Watching {
  static constexpr std::string_view op = "watching";
  std::uint64_t last = 0;  // number of the newest event before the first that will be sent
  Milliseconds term_ms{0}; // repeat `watch` before this has passed

  static constexpr auto fields() {
    return listed(may("last", &Watching::last, 0, limits::number),
                  may("term_ms", &Watching::term_ms, 0, limits::day_ms));
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
    return listed(need("number", &Happened::number, 1, limits::number),
                  need("kind", &Happened::kind, 0, 0),
                  may("service", &Happened::service, 0, limits::name),
                  may("worker", &Happened::worker, 0, limits::name),
                  may("client", &Happened::client, 0, limits::name),
                  may("id", &Happened::id, 0, limits::name),
                  may("session", &Happened::session, 0, limits::number),
                  may("detail", &Happened::detail, 0, limits::text));
  }
  friend bool operator==(const Happened&, const Happened&) = default;
};

struct Counter {
  std::string name;
  std::uint64_t value = 0;

  static constexpr auto fields() {
    return listed(need("name", &Counter::name, 1, limits::name),
                  may("value", &Counter::value, 0, limits::number));
  }
  friend bool operator==(const Counter&, const Counter&) = default;
};

struct Stats {
  static constexpr std::string_view op = "stats";
  std::uint64_t epoch = 0;
  Milliseconds up_ms{0};
  std::vector<Counter> counters;

  static constexpr auto fields() {
    return listed(may("epoch", &Stats::epoch, 0, limits::number),
                  may("up_ms", &Stats::up_ms, 0, limits::number),
                  may("counters", &Stats::counters, 0, limits::rows));
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
    return listed(may("program", &Welcome::program, 0, limits::name),
                  may("version", &Welcome::version, 0, limits::name),
                  may("speaks", &Welcome::speaks, 0, 16),
                  may("epoch", &Welcome::epoch, 0, limits::number),
                  may("body_bytes", &Welcome::body_bytes, 0, limits::number),
                  may("wait_max_ms", &Welcome::wait_max_ms, 0, limits::number));
  }
  friend bool operator==(const Welcome&, const Welcome&) = default;
};

}  // namespace pointsman
