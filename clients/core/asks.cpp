// Questions in lanes: one of a kind at a time, since their answers do not name them.
#include "clients/core/asks.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <utility>

#include "protocol/must.hpp"

namespace pointsman::clients {

namespace {

template <class M>
constexpr bool is_question =
    std::is_same_v<M, Request> || std::is_same_v<M, Cancel> || std::is_same_v<M, Release> ||
    std::is_same_v<M, Renew> || std::is_same_v<M, List> || std::is_same_v<M, Explain> ||
    std::is_same_v<M, Drain> || std::is_same_v<M, Configure> || std::is_same_v<M, Watch> ||
    std::is_same_v<M, Status> || std::is_same_v<M, Hello>;

// The op of the question that a message answers; empty: none.
template <class M>
constexpr std::string_view question_of() {
  if constexpr (std::is_same_v<M, Granted>) return Request::op;
  if constexpr (std::is_same_v<M, Cancelled>) return Cancel::op;
  if constexpr (std::is_same_v<M, Released>) return Release::op;
  if constexpr (std::is_same_v<M, Renewed>) return Renew::op;
  if constexpr (std::is_same_v<M, Listing>) return List::op;
  if constexpr (std::is_same_v<M, Explained>) return Explain::op;
  if constexpr (std::is_same_v<M, Drained>) return Drain::op;
  if constexpr (std::is_same_v<M, Configured>) return Configure::op;
  if constexpr (std::is_same_v<M, Watching>) return Watch::op;
  if constexpr (std::is_same_v<M, Stats>) return Status::op;
  if constexpr (std::is_same_v<M, Welcome>) return Hello::op;
  return {};
}

bool asks_something(const Message& message) {
  return std::visit([](const auto& m) { return is_question<std::remove_cvref_t<decltype(m)>>; }, message);
}

Refused refusal(const Message& question, Code code, std::string reason, std::string remedy) {
  Refused refused;
  refused.about = op_of(question);
  refused.code = code;
  refused.reason = std::move(reason);
  refused.remedy = std::move(remedy);
  return refused;
}

}  // namespace

// An explanation does not repeat what it was asked, so explanations share a lane although their questions
// have ids.
Asks::Kind Asks::kind_of_question(const Message& question) {
  Kind kind;
  kind.op = op_of(question);
  if (const auto* m = std::get_if<Request>(&question)) kind.id = m->id;
  if (const auto* m = std::get_if<Cancel>(&question)) kind.id = m->id;
  if (const auto* m = std::get_if<Release>(&question)) kind.session = m->session;
  if (const auto* m = std::get_if<Renew>(&question)) kind.session = m->session;
  return kind;
}

std::optional<Asks::Kind> Asks::kind_of_answer(const Message& answer) {
  return std::visit(
      [](const auto& m) -> std::optional<Kind> {
        using M = std::remove_cvref_t<decltype(m)>;
        Kind kind;
        kind.op = question_of<M>();
        if constexpr (std::is_same_v<M, Refused>) kind.op = m.about;
        if (kind.op.empty()) return std::nullopt;
        if constexpr (requires { m.id; }) {
          if (kind.op == Request::op || kind.op == Cancel::op) kind.id = m.id;
        }
        if constexpr (requires { m.session; }) {
          if (kind.op == Release::op || kind.op == Renew::op) kind.session = m.session;
        }
        return kind;
      },
      answer);
}

void Asks::ask(Instant now, Ask event, Actions& out) {
  if (!asks_something(event.question)) {
    out.emplace_back(
        Answer{event.token, refusal(event.question, Code::wrong_role, "this is no question to a broker",
                                    "ask one of those listed in PROTOCOL.md, Client to broker")});
    return;
  }
  if (asked_ >= settings_.asks_max) {
    out.emplace_back(Answer{
        event.token,
        refusal(event.question, Code::limit_reached,
                "this client has asked too many questions at a time (asks_max)", "wait for answers first")});
    return;
  }
  const Kind kind = kind_of_question(event.question);
  Lane& lane = lanes_[kind];
  lane.asks.push_back({std::move(event), now + settings_.patience});
  ++asked_;
  if (lane.asks.size() == 1) start(now, kind, lane, out);
}

void Asks::found(Instant now, Actions& out) {
  for (auto& [kind, lane] : lanes_) {
    if (lane.in_vain && lane.sent > 0 && !lane.asks.empty()) start(now, kind, lane, out);
  }
}

void Asks::start(Instant now, const Kind& kind, Lane& lane, Actions& out) {
  lane.sent = 0;
  if (lane.late > 0 && now < lane.late_until) {
    const Instant give_up = lane.asks.empty() ? never : lane.asks.front().give_up;
    return alarms_.set(kind, std::min(lane.late_until, give_up));
  }
  if (lane.asks.empty()) {
    alarms_.clear(kind);
    lanes_.erase(kind);
    return;
  }
  lane.late = 0;
  lane.sent = 1;
  const std::uint64_t home = brokers_.home(now);
  lane.in_vain = home == nobody;
  brokers_.send(now, home, lane.asks.front().ask.question, false, out);
  alarms_.set(kind, std::min(lane.asks.front().give_up, now + brokers_.pause(home, lane.sent)));
}

void Asks::finish(Instant now, const Kind& kind, Lane& lane, Message answer, Actions& out) {
  out.emplace_back(Answer{lane.asks.front().ask.token, std::move(answer)});
  lane.asks.pop_front();
  --asked_;
  if (lane.sent > 0 && !lane.in_vain) {
    lane.late = lane.sent - 1;
    lane.late_until = now + settings_.repeat;
  }
  const Kind copy = kind;  // `kind` may live in the lane that start() erases
  start(now, copy, lane, out);
}

bool Asks::receive(Instant now, const Message& message, Actions& out) {
  const auto kind = kind_of_answer(message);
  if (!kind) return false;
  const auto found = lanes_.find(*kind);
  if (found == lanes_.end()) return false;
  Lane& lane = found->second;
  if (lane.sent == 0) {  // the answer to a repeat of the question before
    if (lane.late > 0 && --lane.late == 0) start(now, *kind, lane, out);
    return true;
  }
  const auto* listing = std::get_if<Listing>(&message);
  const auto* list = std::get_if<List>(&lane.asks.front().ask.question);
  if (listing != nullptr && list != nullptr && listing->of != list->of) return true;
  finish(now, *kind, lane, message, out);
  return true;
}

void Asks::tend(Instant now, Actions& out) {
  while (const auto kind = alarms_.take(now)) {
    Lane& lane = lanes_.at(*kind);
    if (lane.asks.empty() || (lane.sent == 0 && now < lane.asks.front().give_up)) {
      start(now, *kind, lane, out);
    } else if (now >= lane.asks.front().give_up) {
      finish(now, *kind, lane,
             refusal(lane.asks.front().ask.question, Code::unreachable, "the broker does not answer",
                     "check that it runs and that this is its endpoint for clients"),
             out);
    } else {
      if (brokers_.home(now) != nobody && brokers_.at(brokers_.home(now)).silent(now))
        brokers_.leave_home(now);
      if (lane.in_vain) {
        start(now, *kind, lane, out);
        continue;
      }
      const std::uint64_t home = brokers_.home(now);
      brokers_.send(now, home, lane.asks.front().ask.question, true, out);
      ++lane.sent;
      alarms_.set(*kind, std::min(lane.asks.front().give_up, now + brokers_.pause(home, lane.sent)));
    }
  }
}

void Asks::fail(Code code, const std::string& reason, const std::string& remedy, Actions& out) {
  for (auto& [kind, lane] : lanes_) {
    alarms_.clear(kind);
    for (const auto& [ask, give_up] : lane.asks) {
      out.emplace_back(Answer{ask.token, refusal(ask.question, code, reason, remedy)});
    }
  }
  lanes_.clear();
  asked_ = 0;
}

void Asks::check() const {
  std::size_t asked = 0;
  for (const auto& [kind, lane] : lanes_) {
    asked += lane.asks.size();
    MUST(!lane.asks.empty() || lane.late > 0);
    MUST(alarms_.of(kind) != never);
  }
  MUST(asked == asked_);
  MUST(alarms_.size() == lanes_.size());
}

}  // namespace pointsman::clients
