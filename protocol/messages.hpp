// The vocabulary: one struct a message, its fields listed once. PROTOCOL.md says what each is for.

#pragma once

#include <string_view>
#include <type_traits>
#include <variant>

#include "protocol/direct_link.hpp"
#include "protocol/handoff.hpp"
#include "protocol/inspection.hpp"
#include "protocol/supervision.hpp"
#include "protocol/tenure.hpp"
#include "protocol/words.hpp"

namespace pointsman {

using Message =
    std::variant<Request, Cancel, Release, Renew, List, Explain, Drain, Configure, Watch, Status, Hello,
                 Queued, Granted, Refused, Lost, Cancelled, Released, Renewed, Listing, Explained, Drained,
                 Configured, Watching, Happened, Stats, Welcome, Register, Heartbeat, Report, Holding, Leave,
                 Registered, Heard, Assign, Probe, Sync, Left, Open, Call, Abandon, Opened, Reply, Failed, Ps,
                 Roll, Processes, Rolled>;

// The op of any message.
inline std::string_view op_of(const Message& message) {
  return std::visit([](const auto& m) { return std::remove_cvref_t<decltype(m)>::op; }, message);
}

}  // namespace pointsman
