// Keeping a session: its link, its signs of life, and its replacement when its worker is gone.

#include <algorithm>
#include <utility>

#include "clients/core/client.hpp"
#include "protocol/must.hpp"

namespace pointsman::clients {

namespace {

// What a broker leaves out.
constexpr Duration usual_ttl = std::chrono::seconds(5);

// Refusals of a worker that are about the session, not about one call.
bool ends_session(Code code) {
  if (about_ticket(code)) return true;
  switch (code) {
    case Code::unknown_session:
    case Code::not_yours:
    case Code::unknown_lease:
    case Code::draining:
    case Code::shutting_down:
      return true;
    default:
      return false;
  }
}

// Failures of a call by which its worker says that the whole session is over.
bool ended_session(Code code) {
  return code == Code::cancelled || code == Code::ended || code == Code::shutting_down;
}

std::uint64_t session_of(const Message& message) {
  return std::visit(
      [](const auto& m) -> std::uint64_t {
        if constexpr (requires { m.session; }) {
          return m.session;
        } else {
          return 0;
        }
      },
      message);
}

}  // namespace

void ClientCore::hold(std::uint64_t handle, SessionState& session, const Granted& message) {
  session.stage = Stage::holding;
  session.granted = message;
  session.failed = 0;
  session.heard = false;
  session.left = 0;
  session.line = nobody;
  session.shown = 0;
  session.admitted = false;
  session.show = true;
  session.missed = 0;
  session.stalled_until = Instant{};
  session.term =
      message.term_ms.count() > 0 ? message.term_ms : std::chrono::duration_cast<Milliseconds>(usual_term);
  by_session_.emplace(message.session, handle);
  ++session.grants;
  out_->emplace_back(Acquired{handle, message, session.grants - 1});
  const Duration ttl = message.ttl_ms.count() > 0 ? Duration(message.ttl_ms) : usual_ttl;
  if (session.asked.apart || message.direct == Direct::own) {
    session.term_until = now_ + ttl + session.term;
    session.pulse_due = now_ + rhythm(session);
    fail_calls(handle, session, Code::bad_endpoint,
               "this session is used apart from this client; it cannot be called");
  } else {
    session.link = links_.take(message.endpoint, message.key, {Holder::Kind::session, handle}, now_, *out_);
    if (has_ties(message.policy)) {
      linked_.given(session.broker, message.service, message.worker, session.link);
    } else {
      linked_.forget(session.broker, message.service);
    }
    session.pulse_due = now_ + ttl / 2;
    flush(handle, session);
  }
  arm(handle, session);
}

// How often to give a sign of life, and to ask for one.
Duration ClientCore::rhythm(const SessionState& session) const {
  const Duration third = Duration(session.term) / 3;
  return session.in_flight() > 0 || session.missed > 0 ? std::min(third, settings_.pulse) : third;
}

void ClientCore::tend_session(std::uint64_t handle, SessionState& session) {
  if (session.link == 0 && now_ >= session.term_until) {
    farewells_.release(now_, session.broker, session.granted.session, 0, *out_);
    return end(handle, Ending::expired, Code::unreachable,
               "the broker has not renewed the session for its whole term");
  }
  if (session.link != 0 && now_ >= session.stalled_until) flush(handle, session);
  if (now_ >= session.pulse_due) {
    if (session.link != 0 && session.missed >= settings_.pulses) {
      return replace(handle, session, Guilt::dead, Code::unreachable, "it does not answer");
    }
    pulse(session);
  }
  arm(handle, session);
}

// Asks for a sign of life; until the worker knows this link, by showing it the ticket.
void ClientCore::pulse(SessionState& session) {
  const Renew renew{
      .session = session.granted.session, .client = settings_.name, .term_ms = session.asked.term};
  if (session.link == 0) {
    brokers_.send(now_, session.broker, renew, session.missed > 0, *out_);
    session.missed = std::min(session.missed + 1, settings_.pulses);
    session.pulse_due = now_ + brokers_.pause(session.broker, session.missed);
    return;
  }
  if (session.show) {
    send_direct(session, Open{.ticket = session.granted.ticket, .client = settings_.name});
  } else {
    send_direct(session, renew);
  }
  ++session.missed;
  session.pulse_due = now_ + rhythm(session);
}

// The worker has said something under this session.
void ClientCore::answered(SessionState& session) {
  session.admitted = true;
  session.show = false;
  session.missed = 0;
  session.idle_renewals = 0;
  session.pulse_due = now_ + rhythm(session);
}

void ClientCore::receive_direct(std::uint64_t link, Message message, Payload payload) {
  const auto found = served_on(link, session_of(message));
  if (!found) {
    farewells_.receive_direct(now_, link, message, *out_);
    return;
  }
  const std::uint64_t handle = *found;
  SessionState& session = sessions_.at(handle);
  if (const auto* refused = std::get_if<Refused>(&message)) return session_refused(handle, session, *refused);
  if (std::holds_alternative<Released>(message)) {
    return replace(handle, session, Guilt::refused, Code::ended, "it has ended the session");
  }
  if (auto* failed = std::get_if<Failed>(&message); failed != nullptr && ended_session(failed->code)) {
    if (!session.calls.contains(failed->number)) return;  // abandoned by this client
    session.admitted = true;
    return replace(handle, session, Guilt::refused, failed->code, failed->reason);
  }
  answered(session);
  if (const auto* m = std::get_if<Opened>(&message); m != nullptr && m->term_ms.count() > 0) {
    session.term = m->term_ms;
  }
  if (const auto* m = std::get_if<Renewed>(&message); m != nullptr && m->term_ms.count() > 0) {
    session.term = m->term_ms;
  }
  if (const auto* reply = std::get_if<Reply>(&message)) part(handle, session, *reply, std::move(payload));
  if (auto* failed = std::get_if<Failed>(&message)) call_failed(handle, session, std::move(*failed));
  session.pulse_due = now_ + rhythm(session);
  flush(handle, session);
  arm(handle, session);
}

void ClientCore::session_refused(std::uint64_t handle, SessionState& session, const Refused& message) {
  session.missed = 0;
  if (message.about == Abandon::op || message.about == Release::op) return;
  if (message.code == Code::not_yours && message.about != Open::op) {
    // The connection broke and came back without our notice: the worker knows the former one.
    if (!session.show) show_again(session);
    return arm(handle, session);
  }
  if (ends_session(message.code) || (message.code == Code::busy && !session.admitted)) {
    const Guilt guilt = turned_away(session, message) ? Guilt::turned_away : Guilt::refused;
    return replace(handle, session, guilt, message.code, message.reason);
  }
  const auto call = session.calls.find(message.number);
  if (call != session.calls.end() && call->second.sent) {
    call_refused(handle, session, message);
  } else if (message.number == 0) {
    replace(handle, session, Guilt::refused, message.code, message.reason);
  }
}

// Whether a worker that refuses has not begun the call that is out. The refusal may be of an earlier message than the
// call, or, unless it is for want of room, of a later one.
bool ClientCore::turned_away(const SessionState& session, const Refused& message) {
  if (session.shown == 1) return true;
  if (message.code != Code::busy && message.code != Code::draining) return false;
  const auto call = session.calls.find(message.number);
  return call != session.calls.end() && call->second.sent;
}

// The broker thinks that the worker is gone. The worker itself is asked, unless nothing is lost with it.
void ClientCore::lost(std::uint64_t broker, const Lost& message) {
  const auto found = granted_by(broker, message.session);
  if (!found) return;
  const std::uint64_t handle = *found;
  SessionState& session = sessions_.at(handle);
  if (session.link == 0) {
    return end(handle, Ending::lost, Code::unreachable, "its worker is gone: " + message.reason);
  }
  if (session.shown == 0) return replace(handle, session, Guilt::dead, Code::unreachable, message.reason);
  if (session.missed >= settings_.pulses) return;
  session.missed = settings_.pulses - 1;
  pulse(session);
  arm(handle, session);
}

// A connection broke. Its worker may be well, so it gets one more chance to answer, on a new link.
void ClientCore::relink(std::uint64_t link) {
  const auto holders = links_.holders(link);
  const std::uint64_t next = links_.replace(link, *out_);
  for (const Holder& holder : holders) {
    if (holder.kind == Holder::Kind::farewell) {
      farewells_.moved(now_, holder.id, next, *out_);
      continue;
    }
    SessionState& session = sessions_.at(holder.id);
    session.link = next;
    session.show = true;
    if (session.shown == 0) continue;
    if (session.missed >= settings_.pulses) {
      replace(holder.id, session, Guilt::dead, Code::unreachable, "connections to it break");
      continue;
    }
    session.missed = std::max(session.missed, settings_.pulses - 1);
    show_again(session);
    arm(holder.id, session);
  }
}

// Moves the session to the link that there is now. When the worker has answered its calls are sent again: it
// knows them by their numbers, and works on none twice.
void ClientCore::show_again(SessionState& session) {
  session.show = true;
  for (auto& [number, call] : session.calls) {
    call.sent = false;
    session.unsent.insert(number);
  }
  pulse(session);
}

void ClientCore::replace(std::uint64_t handle, SessionState& session, Guilt guilt, Code code,
                         std::string reason) {
  const bool worked = session.admitted || (session.in_flight() > 0 && guilt != Guilt::turned_away);
  if (worked) ++session.deaths;
  const bool again =
      session.deaths <= session.asked.reassign && session.idle_renewals < settings_.renewals_max;
  reason = "worker " + session.granted.worker + " is lost: " + reason;
  if (!again) {
    farewells_.release(now_, session.broker, session.granted.session, 0, *out_);
    return end(handle, Ending::lost, code, std::move(reason));
  }
  unsend_calls(handle, session, reason);
  if (session.idle_renewals == 0)
    session.wait_until = now_ + std::max(Duration(session.asked.wait), settings_.patience);
  session.failed = session.granted.session;
  session.failed_at = session.broker;
  drop_grant(handle, session, guilt == Guilt::dead);
  MUST(renew_request(handle, session));
}

void ClientCore::drop_grant(std::uint64_t handle, SessionState& session, bool dead) {
  const auto [begin, end] = by_session_.equal_range(session.granted.session);
  by_session_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == handle; }));
  const std::uint64_t link = std::exchange(session.link, 0);
  if (link != 0) links_.give(link, {Holder::Kind::session, handle}, dead, now_, *out_);
}

void ClientCore::end(std::uint64_t handle, Ending ending, Code code, std::string reason) {
  SessionState& session = sessions_.at(handle);
  if (session.stage == Stage::holding) drop_grant(handle, session, ending == Ending::lost);
  give_passes_back(session);
  by_id_.erase(session.id);
  alarms_.clear({handle, 0});
  fail_calls(handle, session, ending == Ending::released ? Code::cancelled : code, reason);
  sessions_.erase(handle);
  out_->emplace_back(SessionEnded{handle, ending, code, std::move(reason)});
}

void ClientCore::send_direct(SessionState& session, Message message, Payload payload) {
  ++session.shown;
  out_->emplace_back(
      Send{Address{.door = Door::direct, .peer = session.link}, std::move(message), std::move(payload)});
}

}  // namespace pointsman::clients
