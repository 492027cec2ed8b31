// Counters: what a broker counts, with the names that `status` gives them.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "protocol/fields.hpp"

namespace pointsman::broker {

enum class Count : std::uint8_t {
  adopted_sessions,
  audit_left_out,
  cancelled,
  connections_gone,
  foreign_leases,
  garbled,
  granted,
  healed_sessions,
  keys_revoked,
  known_left_out,
  late_opens,
  leases_expired,
  leaves,
  messages,
  overloads,
  protections,
  registrations,
  report_gaps,
  reports,
  requests,
  requests_repeated,
  reservations_lapsed,
  sessions_failed,
  stalls_forgiven,
  suspensions,
  syncs,
  unknown_keys,
  workers_restored,
  workers_suspected,
  wrong_role,
  count_
};

}  // namespace pointsman::broker

template <>
struct pointsman::Words<pointsman::broker::Count> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(pointsman::broker::Count::count_)> list{
      "adopted_sessions",  "audit_left_out",  "cancelled",     "connections_gone",    "foreign_leases",
      "garbled",           "granted",         "healed_sessions", "keys_revoked",      "known_left_out",    "late_opens",
      "leases_expired",    "leaves",          "messages",      "overloads",           "protections",
      "registrations",     "report_gaps",     "reports",       "requests",            "requests_repeated",
      "reservations_lapsed", "sessions_failed", "stalls_forgiven", "suspensions", "syncs", "unknown_keys",
      "workers_restored",  "workers_suspected", "wrong_role"};
};
