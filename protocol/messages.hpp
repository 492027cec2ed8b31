// The vocabulary: one struct a message, its fields listed once. PROTOCOL.md says what each is for.

#pragma once

#include <array>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "protocol/direct_link.hpp"
#include "protocol/handoff.hpp"
#include "protocol/inspection.hpp"
#include "protocol/supervision.hpp"
#include "protocol/tenure.hpp"
#include "protocol/words.hpp"

namespace pointsman {

using AnyMessage =
    std::variant<Request, Cancel, Release, Renew, List, Explain, Drain, Configure, Watch, Status, Hello,
                 Queued, Granted, Refused, Lost, Cancelled, Released, Renewed, Listing, Explained, Drained,
                 Configured, Watching, Happened, Stats, Welcome, Register, Heartbeat, Report, Holding, Leave,
                 Registered, Heard, Assign, Probe, Sync, Left, Open, Call, Abandon, Opened, Reply, Failed, Ps,
                 Roll, Processes, Rolled>;

template <class M, class... Ms>
constexpr bool is_among(const std::variant<Ms...>*) {
  return (std::is_same_v<M, Ms> || ...);
}

template <class... Ms>
constexpr std::array<std::string_view, sizeof...(Ms)> ops_of(const std::variant<Ms...>*) {
  return {Ms::op...};
}

// Any of them. How one is copied, moved and ended is compiled once, in messages.cpp: in every file that does it, that
// took longer than all the rest of the file.
class Message : public AnyMessage {
 public:
  Message();
  Message(const Message& other);
  Message(Message&& other) noexcept;
  Message& operator=(const Message& other);
  Message& operator=(Message&& other) noexcept;
  ~Message();

  template <class M>
  requires(is_among<M>(static_cast<const AnyMessage*>(nullptr)))
  Message(M message) : AnyMessage(std::in_place_type<M>, std::move(message)) {}  // NOLINT: meant to be implicit

  template <class M>
  explicit Message(std::in_place_type_t<M> type) : AnyMessage(type) {}
};

// The op of any message.
inline std::string_view op_of(const Message& message) {
  static constexpr auto ops = ops_of(static_cast<const Message*>(nullptr));
  return ops[message.index()];
}

}  // namespace pointsman
