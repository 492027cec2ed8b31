// Getting a session: requests, their repeats, and what the broker says to them.

#include <algorithm>
#include <chrono>
#include <utility>

#include "clients/core/client.hpp"
#include "protocol/must.hpp"

namespace pointsman::clients {

namespace {

Milliseconds left(Instant now, Instant until) {
  if (until <= now) return Milliseconds(0);
  return std::chrono::ceil<Milliseconds>(until - now);
}

// Refusals of one broker that say nothing of others.
bool elsewhere(Code code) {
  switch (code) {
    case Code::unknown_service:
    case Code::no_match:
    case Code::no_worker:
    case Code::queue_full:
    case Code::hopeless:
    case Code::busy:
    case Code::limit_reached:
    case Code::shutting_down:
    case Code::unknown_key:
    case Code::not_allowed:
    case Code::over_quota:
    case Code::too_fast:
    case Code::overloaded: return true;
    default: return false;
  }
}

// How much such a refusal says: that nobody offers it less than that nobody matches, and that less than anything else.
int weight_of(Code code) { return code == Code::unknown_service ? 0 : code == Code::no_match ? 1 : 2; }

// Refusals that pass by themselves: asked again while the wait lasts.
bool passes(const Refused& refused, bool absent) {
  if (refused.code == Code::unknown_service || refused.code == Code::no_match) return absent;
  if (refused.code == Code::shutting_down || refused.code == Code::overloaded) return true;
  return refused.retry_ms.count() > 0 && (refused.code == Code::queue_full ||
                                          refused.code == Code::limit_reached || refused.code == Code::busy ||
                                          refused.code == Code::over_quota || refused.code == Code::too_fast);
}

}  // namespace

void ClientCore::request(std::uint64_t handle, SessionState& session) {
  session.id = session.asked.id;
  if (session.renewals > 0) session.id += "." + std::to_string(session.renewals);
  by_id_.emplace(session.id, handle);
  session.stage = Stage::asking;
  session.asked_at = now_;
  session.sent = 0;
  session.queued.reset();
  session.overflow_due = never;
  session.refused.reset();
  // What follows on a session, or on a request that was over, is for the broker that knows of it.
  session.tried = only(session.broker);
  if (session.broker == nobody || brokers_.at(session.broker).doubtful(now_)) turn(session);
  send_request(session);
  arm(handle, session);
}

// Goes to the next broker that was not tried; false if there is none, or it is for one below to answer.
bool ClientCore::turn(SessionState& session) {
  if (!session.passes.empty()) return false;  // from below it goes up only
  const auto next = brokers_.next(session.tried, now_, session.asked.service);
  if (next) go_to(session, *next);
  return next.has_value();
}

void ClientCore::go_to(SessionState& session, std::uint64_t broker) {
  session.broker = broker;
  session.tried |= only(broker);
  session.asked_at = now_;
  session.sent = 0;
  session.heard = false;
  session.queued.reset();
  session.overflow_due = never;
}

// How long it waits in the line that it is in before it looks further; zero: for ever. Where it is not at home its workers may
// have gone there, and left it behind.
Duration ClientCore::patience_in_line(const SessionState& session) const {
  if (!session.passes.empty() || (session.left & only(session.broker)) != 0) return Duration{0};
  if (settings_.overflow > Duration{0}) return settings_.overflow;
  const auto home = brokers_.first(session.asked.service);
  return home && *home != session.broker && session.left == 0 ? settings_.repeat_max : Duration{0};
}

// Leaves a line that is too long for the next broker's, or for that where it is at home, if that one is there. What is
// granted here meanwhile is given back.
void ClientCore::overflow(SessionState& session) {
  session.overflow_due = never;
  if (session.stage != Stage::asking) return;
  const auto home = brokers_.first(session.asked.service);
  const bool astray = home && *home != session.broker && session.left == 0;
  const bool homewards = astray && !brokers_.at(*home).doubtful(now_);
  if (!homewards && settings_.overflow == Duration{0}) {
    session.overflow_due = now_ + settings_.repeat_max;
    return;
  }
  if (homewards) session.tried = only(session.broker);
  const auto next = brokers_.next(session.tried, now_, session.asked.service);
  if (!next || brokers_.at(*next).doubtful(now_)) return;
  session.line = session.broker;
  session.left |= only(session.broker);
  farewells_.cancel(now_, session.broker, session.id, *out_);
  go_to(session, *next);
  send_request(session);
}

// Nobody took it over: it waits where it waited, under another id, since the one before was taken back there. False if it
// comes from no line.
bool ClientCore::back_in_line(std::uint64_t handle, SessionState& session) {
  if (session.line == nobody || session.stage != Stage::asking) return false;
  session.broker = std::exchange(session.line, nobody);
  return renew_request(handle, session);
}

void ClientCore::send_request(SessionState& session) {
  Request request;
  request.id = session.id;
  request.service = session.asked.service;
  request.client = settings_.name;
  request.wait_ms = left(now_, session.wait_until);
  request.priority = session.asked.priority;
  // Whoever comes to offer it may come to another broker: then this client waits, instead of one of them.
  request.absent = session.asked.absent && brokers_.size() == 1 && session.passes.empty();
  request.term_ms = session.asked.term;
  if (session.failed_at == session.broker) request.failed = session.failed;
  request.exclude = session.asked.exclude;
  for (const auto& [broker, worker] : session.passed_over) {
    if (broker == session.broker && request.exclude.size() < limits::exclude) request.exclude.push_back(worker);
  }
  request.linked = linked_.names(session.broker, session.asked.service, links_);
  request.when = session.asked.when;
  request.prefer = session.asked.prefer;
  request.attributes = settings_.attributes;
  request.updates = true;  // tells that the broker lives, and that a worker does not
  brokers_.send(now_, session.broker, std::move(request), session.sent > 0, *out_);
  ++session.sent;
  session.ask_due = now_ + (session.queued ? brokers_.jitter(session.broker, settings_.repeat_max)
                                           : brokers_.pause(session.broker, session.sent));
}

// A broker that was never heard is not worth the whole wait.
Instant ClientCore::give_up(const SessionState& session) const {
  const Instant late = session.wait_until + settings_.margin;
  return session.heard ? late : std::min(late, session.asked_at + settings_.patience);
}

void ClientCore::tend_request(std::uint64_t handle, SessionState& session) {
  if (now_ >= give_up(session)) {
    if (!session.passes.empty() && now_ < session.wait_until) {
      return leave_silent(handle, session, "the broker below does not answer");
    }
    const bool absent = session.broker == nobody;
    const bool silent = absent || !session.heard || brokers_.at(session.broker).silent(now_);
    Refused refused{.about = std::string(Request::op), .code = silent ? Code::unreachable : Code::timed_out};
    refused.id = session.id;
    refused.reason = absent   ? "no broker was found"
                     : silent ? "the broker does not answer"
                              : "the broker gave no worker within the wait";
    refused.remedy = silent ? "check that it runs and that this is its endpoint for clients" : "wait longer";
    if (absent) refused.remedy = "start one, or say where it is";
    if (session.stage == Stage::asking && !absent) farewells_.cancel(now_, session.broker, session.id, *out_);
    if (session.refused) refused = *session.refused;
    return not_acquired(handle, std::move(refused));
  }
  if (now_ >= session.overflow_due) overflow(session);
  if (now_ >= session.ask_due) {
    if (session.stage == Stage::resting) {
      session.tried = 0;
      session.refused.reset();
      turn(session);
      session.sent = 0;
    } else if (session.broker == nobody) {
      turn(session);
    } else if (brokers_.at(session.broker).silent(now_)) {
      if (!session.passes.empty()) return leave_silent(handle, session, "the broker below does not answer");
      const std::uint64_t silent = session.broker;
      const std::string id = session.id;
      const bool next = turn(session);
      const bool other = !next && (back_in_line(handle, session) ||
                                   (session.refused && rest(handle, session, *session.refused)));
      if (next || other) farewells_.cancel(now_, silent, id, *out_);
      if (other) return;
    }
    session.stage = Stage::asking;
    send_request(session);
  }
  arm(handle, session);
}

// Asks anew under the next id; false if that was done too often.
bool ClientCore::renew_request(std::uint64_t handle, SessionState& session) {
  if (session.idle_renewals >= settings_.renewals_max) return false;
  ++session.idle_renewals;
  ++session.renewals;
  by_id_.erase(session.id);
  request(handle, session);
  return true;
}

bool ClientCore::receive_broker(std::uint64_t broker, const Message& message) {
  if (receive_pass(broker, message)) return true;
  if (const auto* m = std::get_if<Granted>(&message); m != nullptr && by_id_.contains(m->id)) {
    granted(broker, *m);
    return true;
  }
  if (const auto* m = std::get_if<Queued>(&message)) {
    queued(broker, *m);
    return true;
  }
  if (const auto* m = std::get_if<Lost>(&message)) {
    lost(broker, *m);
    return true;
  }
  if (const auto* m = std::get_if<Refused>(&message); m != nullptr && m->about == Request::op) {
    const auto found = by_id_.find(m->id);
    if (found == by_id_.end()) return false;
    const std::uint64_t handle = found->second;
    SessionState& session = sessions_.at(handle);
    if (session.stage == Stage::asking && session.broker == broker) request_refused(handle, session, *m);
    return true;
  }
  if (const auto* m = std::get_if<Renewed>(&message)) {
    const auto found = granted_by(broker, m->session);
    if (!found) return false;
    SessionState& session = sessions_.at(*found);
    if (session.link != 0) return false;
    if (m->term_ms.count() > 0) session.term = m->term_ms;
    session.missed = 0;
    session.term_until = now_ + session.term;
    session.pulse_due = now_ + rhythm(session);
    arm(*found, session);
    // It may be the answer to a question of the user as well.
  }
  return false;
}

void ClientCore::granted(std::uint64_t broker, const Granted& message) {
  const std::uint64_t handle = by_id_.at(message.id);
  SessionState& session = sessions_.at(handle);
  const bool known = granted_by(broker, message.session) || by_pass_.contains({broker, message.session});
  if (session.stage != Stage::holding && !known && session.broker == broker) {
    return message.direct == Direct::broker ? follow(handle, session, message) : hold(handle, session, message);
  }
  // A second grant for one request: a broker that restarted had forgotten the first, or this one was given up.
  if (!known) farewells_.release(now_, broker, message.session, 0, *out_);
}

void ClientCore::queued(std::uint64_t broker, const Queued& message) {
  const auto found = by_id_.find(message.id);
  if (found == by_id_.end()) return;
  SessionState& session = sessions_.at(found->second);
  if (session.stage != Stage::asking || session.broker != broker) return;
  session.heard = true;
  session.ask_due = now_ + brokers_.jitter(broker, settings_.repeat_max);
  const Duration patience = patience_in_line(session);
  if (!session.queued && patience > Duration{0}) session.overflow_due = now_ + patience;
  if (session.queued != message) out_->emplace_back(Waiting{found->second, message});
  session.queued = message;
  arm(found->second, session);
}

void ClientCore::request_refused(std::uint64_t handle, SessionState& session, const Refused& message) {
  session.heard = true;
  if (message.code == Code::ended && renew_request(handle, session)) return;
  if (elsewhere(message.code) && (!session.refused || weight_of(session.refused->code) < weight_of(message.code))) {
    session.refused = message;
  }
  if (elsewhere(message.code) && turn(session)) {
    send_request(session);
    return arm(handle, session);
  }
  if (elsewhere(message.code) && !session.passes.empty()) return back_up(handle, session, message);
  if (elsewhere(message.code) && back_in_line(handle, session)) return;
  const Refused told = session.refused.value_or(message);
  if (!rest(handle, session, told)) not_acquired(handle, told);
}

// Asks all of them again, if a refusal passes by itself; false if it does not, or too late.
bool ClientCore::rest(std::uint64_t handle, SessionState& session, const Refused& told) {
  if (!passes(told, session.asked.absent)) return false;
  // Never sooner than the hint.
  const Duration hint = told.retry_ms.count() > 0 ? Duration(told.retry_ms) : settings_.repeat;
  const Duration pause = brokers_.jitter(session.broker, hint + hint / 4);
  if (now_ + pause >= session.wait_until) return false;
  session.stage = Stage::resting;
  session.queued.reset();
  session.ask_due = now_ + pause;
  arm(handle, session);
  return true;
}

void ClientCore::not_acquired(std::uint64_t handle, Refused refused) {
  SessionState& session = sessions_.at(handle);
  if (session.grants > 0) {
    std::string reason =
        "worker " + session.granted.worker + " was lost, and there is no other: " + refused.reason;
    return end(handle, Ending::lost, refused.code, std::move(reason));
  }
  give_passes_back(session);
  by_id_.erase(session.id);
  alarms_.clear({handle, 0});
  const Code code = refused.code;
  const std::string reason = refused.reason;
  fail_calls(handle, session, code, reason);
  sessions_.erase(handle);
  out_->emplace_back(NotAcquired{handle, std::move(refused)});
}

}  // namespace pointsman::clients
