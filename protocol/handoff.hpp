// The hand-off: messages between a client and its broker about requests, grants and sessions.
//
// Plain values. Durations are whole milliseconds. Ids that a broker makes (sessions, leases, events) are
// numbers that never repeat, over restarts either, and stay below 2^53.

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
  std::vector<std::string> linked;  // that the client is connected to: taken where they are level with the best
  bool updates = false;
  std::string when;       // a condition on the worker's attributes; empty: any worker
  std::string prefer;     // a preference among those that match
  Attributes attributes;  // the client's, for the conditions of workers

  static constexpr auto fields() {
    return listed(need("id", &Request::id, 1, limits::name),
                  need("service", &Request::service, 1, limits::name),
                  may("client", &Request::client, 0, limits::name),
                  may("wait_ms", &Request::wait_ms, 0, limits::day_ms),
                  may("priority", &Request::priority, 0, limits::priority),
                  flag("absent", &Request::absent),
                  may("term_ms", &Request::term_ms, 0, limits::day_ms),
                  may("failed", &Request::failed, 0, limits::number),
                  may("exclude", &Request::exclude, 0, limits::exclude),
                  may("linked", &Request::linked, 0, limits::linked),
                  flag("updates", &Request::updates),
                  may("when", &Request::when, 0, limits::condition),
                  may("prefer", &Request::prefer, 0, limits::condition),
                  may("attributes", &Request::attributes, 0, limits::attributes));
  }
  friend bool operator==(const Request&, const Request&) = default;
};

// Takes a waiting request back. Answered by Cancelled; a grant that was quicker is released.
struct Cancel {
  static constexpr std::string_view op = "cancel";
  std::string id;
  std::string client;

  static constexpr auto fields() {
    return listed(need("id", &Cancel::id, 1, limits::name),
                  may("client", &Cancel::client, 0, limits::name));
  }
  friend bool operator==(const Cancel&, const Cancel&) = default;
};

// Ends a session. To the worker on the direct link, or to the broker, which passes it on.
struct Release {
  static constexpr std::string_view op = "release";
  std::uint64_t session = 0;
  std::string client;

  static constexpr auto fields() {
    return listed(need("session", &Release::session, 1, limits::number),
                  may("client", &Release::client, 0, limits::name));
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
    return listed(need("session", &Renew::session, 1, limits::number),
                  may("client", &Renew::client, 0, limits::name),
                  may("term_ms", &Renew::term_ms, 0, limits::day_ms));
  }
  friend bool operator==(const Renew&, const Renew&) = default;
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
    return listed(need("id", &Queued::id, 1, limits::name),
                  need("position", &Queued::position, 1, limits::number),
                  may("expected_ms", &Queued::expected_ms, 0, limits::year_ms),
                  flag("estimated", &Queued::estimated));
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
    return listed(need("id", &Granted::id, 1, limits::name),
                  need("session", &Granted::session, 1, limits::number),
                  need("service", &Granted::service, 1, limits::name),
                  need("worker", &Granted::worker, 1, limits::name),
                  need("endpoint", &Granted::endpoint, 1, limits::endpoint),
                  may("direct", &Granted::direct, 0, 0),
                  need("ticket", &Granted::ticket, 1, limits::ticket),
                  may("ttl_ms", &Granted::ttl_ms, 0, limits::day_ms),
                  may("term_ms", &Granted::term_ms, 0, limits::day_ms),
                  may("waited_ms", &Granted::waited_ms, 0, limits::day_ms),
                  may("policy", &Granted::policy, 0, 0), may("key", &Granted::key, 0, limits::key));
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
    return listed(may("about", &Refused::about, 0, limits::name),
                  need("code", &Refused::code, 0, 0),
                  may("reason", &Refused::reason, 0, limits::text),
                  may("remedy", &Refused::remedy, 0, limits::text),
                  may("id", &Refused::id, 0, limits::name),
                  may("session", &Refused::session, 0, limits::number),
                  may("number", &Refused::number, 0, limits::number),
                  may("lease", &Refused::lease, 0, limits::number),
                  may("retry_ms", &Refused::retry_ms, 0, limits::day_ms));
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
    return listed(need("session", &Lost::session, 1, limits::number),
                  may("id", &Lost::id, 0, limits::name),
                  may("reason", &Lost::reason, 0, limits::text));
  }
  friend bool operator==(const Lost&, const Lost&) = default;
};

struct Cancelled {
  static constexpr std::string_view op = "cancelled";
  std::string id;
  std::uint64_t session = 0;  // the session that had been granted and is released now; 0: it still waited

  static constexpr auto fields() {
    return listed(need("id", &Cancelled::id, 1, limits::name),
                  may("session", &Cancelled::session, 0, limits::number));
  }
  friend bool operator==(const Cancelled&, const Cancelled&) = default;
};

struct Released {
  static constexpr std::string_view op = "released";
  std::uint64_t session = 0;

  static constexpr auto fields() {
    return listed(need("session", &Released::session, 1, limits::number));
  }
  friend bool operator==(const Released&, const Released&) = default;
};

struct Renewed {
  static constexpr std::string_view op = "renewed";
  std::uint64_t session = 0;
  Milliseconds term_ms{0};

  static constexpr auto fields() {
    return listed(need("session", &Renewed::session, 1, limits::number),
                  may("term_ms", &Renewed::term_ms, 0, limits::day_ms));
  }
  friend bool operator==(const Renewed&, const Renewed&) = default;
};

}  // namespace pointsman
