// What a broker may be told: every bound and time of the core, with its default. Documented in
// PROTOCOL.md, "Bounds", and settable in the configuration file under the same names.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "protocol/machine.hpp"

namespace pointsman::broker {

// Settings of one service.
struct ServiceSettings {
  Policy policy = Policy::weighted_round_robin;
  std::uint64_t queue_max = 10'000;  // requests that may wait
  std::uint64_t offers_max = 100'000;  // workers that may offer it; further ones go to another broker, if they know one
  Duration slow_start{0};            // a newcomer's slots grow over this; 0: all at once
  Duration aging{std::chrono::seconds(5)};  // a priority step is worth this much waiting; 0: plain first come first served
  bool on_demand = false;            // somebody starts workers when requests wait: they wait also while there is none
  Duration hang{0};                  // a worker with sessions but without progress for this long is suspect; 0: never
};

struct Options {
  // Given by the shell.
  std::uint64_t epoch = 1;  // larger at every start; ids count up from it
  std::uint64_t seed = 1;   // of the random policies
  Bytes master;             // 32 secret bytes: ticket keys are made from it

  // Leases.
  Duration lease{std::chrono::seconds(10)};
  Duration lease_min{std::chrono::seconds(1)};
  Duration lease_max{std::chrono::hours(24)};  // longer wishes are cut to this
  bool lease_forever = true;                   // the wish `forever` is granted
  std::uint64_t heartbeats = 3;                // heartbeats in one term
  double grace = 0.2;                          // of the term: the broker waits this much longer than it said
  Duration stall{std::chrono::milliseconds(250)};  // a later turn than this is the broker's own stall
  Duration probe{std::chrono::seconds(1)};     // a worker that a client reported answers within this, or is suspect

  // Sessions.
  Duration ticket_ttl{std::chrono::seconds(5)};
  Duration session_term{std::chrono::seconds(30)};
  Duration remember{std::chrono::seconds(30)};  // how long the id of an ended request is known
  Duration watch_term{std::chrono::seconds(30)};

  // After its start a broker lets requests wait for services that nobody offers yet: the workers of the one before it
  // come back one after the other. At the end of it those that did not ask to wait (`absent`) are refused. 0: at once.
  Duration settle{std::chrono::seconds(3)};

  // A worker that was told of a session less than a fifth of this ago is told of the next ones together, this late at
  // most, while three quarters of its slots are free. Its ticket admits the client meanwhile. 0: of each at once.
  Duration notice_wait{std::chrono::milliseconds(50)};

  // Bounds.
  std::uint64_t workers_max = 100'000;
  std::uint64_t services_max = 10'000;
  std::uint64_t waiting_max = 1'000'000;  // over all services
  std::uint64_t sessions_max = 1'000'000;
  std::uint64_t remembered_max = 100'000;
  std::uint64_t classes_max =
      1024;  // of workers of one service that differ in attributes or in whom they accept
  std::uint64_t demands_max =
      1000;  // that differ in condition, preference or client's attributes, over all services
  std::uint64_t known_max = 100'000;  // records of the database; further ones do not count
  std::uint64_t watchers_max = 64;
  std::uint64_t watchers_per_key = 8;  // of those, for a key that is not an admin's
  std::uint64_t page_bytes = 192 * 1024;  // about, of one answer to `list`: further rows are on the next page

  // Records for the shell to write down, a second and at once; see audit.hpp.
  bool audit = false;
  std::uint64_t audit_refusals = 10;
  std::uint64_t audit_refusals_burst = 200;
  std::uint64_t audit_changes = 100;
  std::uint64_t audit_changes_burst = 20'000;

  ServiceSettings service;                            // for services not listed below
  std::map<std::string, ServiceSettings> services;
};

}  // namespace pointsman::broker
