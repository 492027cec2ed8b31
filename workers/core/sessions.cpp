// Sessions at their worker: from assignment to close.
#include <algorithm>

#include "protocol/digest.hpp"
#include "workers/core/worker.hpp"

namespace pointsman::workers {

namespace {

// How much longer than its ticket an assigned session is waited for.
constexpr Duration late{std::chrono::seconds(1)};

Milliseconds in_ms(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration); }

std::string called(std::uint64_t session) { return "session " + std::to_string(session); }

}  // namespace

void WorkerCore::on(const Assign& message) {
  if (message.lease != lease_ || stage_ != Stage::registered) return;
  if (message.first > limits::number - message.sessions.size()) return;  // no broker counts so far
  admission_.clock(now_, message.now_ms);
  applied(message.applied);
  std::uint64_t number = message.first;
  for (const Assignment& assignment : message.sessions) {
    if (number++ <= seen_) continue;
    seen_ = number - 1;
    const std::size_t offer = offer_of(assignment.service);
    if (const auto known = sessions_.find(assignment.session); known != sessions_.end()) {
      known->second.request = assignment.id;  // the ticket was quicker
      continue;
    }
    if (offer == settings_.offers.size() || admission_.spent(assignment.session)) continue;
    if (sessions_.size() == limits::slots) continue;  // a sync tells the broker
    admission_.longest(assignment.ttl_ms);
    Session& session = add(assignment.session, offer);
    session.client = assignment.client;
    session.request = assignment.id;
    session.key = key_of(assignment.key);
    session.term = assignment.term_ms > Milliseconds{0} ? Duration(assignment.term_ms) : settings_.term;
    session.expires = admission_.kept_until(now_ + assignment.ttl_ms);
    session.ends = now_ + assignment.ttl_ms + late;
    // Who serves clients in a way of its own does not show us tickets.
    if (settings_.direct != Direct::pointsman) begin(session);
    retime(session);
  }
}

std::size_t WorkerCore::offer_of(std::string_view service) const {
  const auto found = std::find_if(settings_.offers.begin(), settings_.offers.end(),
                                  [&](const Offer& offer) { return offer.service == service; });
  return static_cast<std::size_t>(found - settings_.offers.begin());
}

Session& WorkerCore::add(std::uint64_t id, std::size_t offer) {
  Session& session = sessions_[id];
  session.id = id;
  session.offer = offer;
  session.ends = never;
  ++used_of_[offer];
  digest_ ^= digest_of(id);
  timers_.emplace(session.timer, id);
  return session;
}

void WorkerCore::begin(Session& session) {
  session.stage = Session::Stage::open;
  session.opened = now_;
  ++progress_;
  note(session.id, false);
  out_->push_back(SessionBegan{session.id, settings_.offers[session.offer].service, session.client});
  restart_term(session);
}

void WorkerCore::restart_term(Session& session) {
  session.ends = now_ + session.term;
  retime(session);
}

Instant WorkerCore::wanted(const Session& session) {
  if (session.running) return session.running->abandoned ? never : session.running->until;
  return session.ends;
}

// Terms restart with every call, so an entry is only moved to be earlier; one that comes up early is put back.
void WorkerCore::retime(Session& session) {
  if (wanted(session) < session.timer) place(session, wanted(session));
}

void WorkerCore::place(Session& session, Instant at) {
  timers_.erase({session.timer, session.id});
  session.timer = at;
  timers_.emplace(at, session.id);
}

void WorkerCore::due(Session& session) {
  if (wanted(session) > now_) return place(session, wanted(session));
  if (session.running) {
    tell_failed(session, *session.running, Code::timed_out, "the work took longer than its client would wait");
    return abandon(session);
  }
  const bool open = session.stage == Session::Stage::open;
  close(session, open ? Ending::expired : Ending::unused, Code::ended, "the session's term is over");
}

// Whoever shows a ticket: the session that it opens or is of, bound to this connection; or nothing, and the
// refusal is sent. `named` says what the message is about, as far as it says so itself.
Session* WorkerCore::admit(const Address& from, std::string_view about, const Bytes& sealed,
                           const std::string& client, const Refused& named) {
  if (const auto known = sessions_.find(named.session); known != sessions_.end()) {
    Session& session = known->second;
    if (session.stage == Session::Stage::open && session.ticket == sealed && session.client == client &&
        session.key == asker_) {
      move(session, from);
      return &session;
    }
  }
  const auto deny = [&](Code code, std::string reason, std::string remedy = "ask the broker for another worker") {
    if (about_ticket(code)) ++refused_tickets_[ticket_place(code)];
    refuse(from, about, code, std::move(reason), std::move(remedy), named);
    return nullptr;
  };
  const auto read = admission_.read(now_, sealed, client, asker_);
  if (const Fault* fault = std::get_if<Fault>(&read)) return deny(fault->code, fault->reason);
  const auto& admitted = std::get<Admission::Admitted>(read);
  const std::uint64_t id = admitted.ticket.session;
  if (named.session != 0 && named.session != id) {
    return deny(Code::bad_ticket, "the ticket is for " + called(id), "name the session that was granted");
  }
  const auto known = sessions_.find(id);
  if (known != sessions_.end() && known->second.stage == Session::Stage::open) {
    known->second.ticket = sealed;
    known->second.expires = std::max(known->second.expires, admission_.kept_until(admitted.expires));
    move(known->second, from);
    return &known->second;
  }
  if (known != sessions_.end() && known->second.stage == Session::Stage::closing) {
    return deny(Code::used_ticket, called(id) + " is over");
  }
  if (const auto fault = why_not(admitted)) return deny(fault->code, fault->reason);
  Session& session = known != sessions_.end() ? known->second : add(id, offer_of(admitted));
  if (session.client.empty()) session.client = client;
  session.key = asker_;
  session.term = admitted.ticket.term_ms > Milliseconds{0} ? Duration(admitted.ticket.term_ms) : settings_.term;
  session.expires = std::max(session.expires, admission_.kept_until(admitted.expires));
  session.ticket = sealed;
  session.peer = from.peer;
  begin(session);
  return &session;
}

std::size_t WorkerCore::offer_of(const Admission::Admitted& admitted) const {
  const auto found = std::find(fingerprints_.begin(), fingerprints_.end(), admitted.ticket.service);
  return static_cast<std::size_t>(found - fingerprints_.begin());
}

// Why a ticket that is right in itself opens no session now.
std::optional<Fault> WorkerCore::why_not(const Admission::Admitted& admitted) const {
  const std::uint64_t id = admitted.ticket.session;
  const std::size_t offer = offer_of(admitted);
  if (offer == settings_.offers.size()) return Fault{Code::bad_ticket, "the ticket is for another service"};
  if (admission_.spent(id)) return Fault{Code::used_ticket, called(id) + " is over"};
  if (admitted.expires < now_) return Fault{Code::expired_ticket, "the ticket was shown too late"};
  if (stage_ == Stage::leaving) return Fault{Code::draining, "the worker leaves"};
  if (now_ >= fence_) return Fault{Code::busy, "the worker has lost touch with its broker"};
  const bool assigned = sessions_.contains(id);
  const std::uint64_t of_offer = settings_.offers[offer].slots;
  if (sessions_.size() - assigned >= settings_.slots ||
      (of_offer > 0 && used_of_[offer] - assigned >= of_offer)) {
    return Fault{Code::busy, "all slots of the worker are in use"};
  }
  return std::nullopt;
}

// The newest connection that shows the ticket gets what the session's calls are answered.
void WorkerCore::move(Session& session, const Address& from) {
  if (session.peer != from.peer) {
    const auto take_along = [&](PendingCall& call) {
      if (call.from.peer == session.peer) call.from = from;
    };
    for (PendingCall& call : session.waiting) take_along(call);
    if (session.running) take_along(*session.running);
    session.peer = from.peer;
  }
  restart_term(session);
}

void WorkerCore::on(const Address& from, const Open& message) {
  const Session* session = admit(from, Open::op, message.ticket, message.client, {});
  if (session) send(from, Opened{.session = session->id, .term_ms = in_ms(session->term)});
}

// The open session of a message without a ticket; or nothing, and the refusal is sent.
Session* WorkerCore::bound(const Address& from, std::string_view about, const Refused& named) {
  const auto found = sessions_.find(named.session);
  if (found == sessions_.end() || found->second.stage != Session::Stage::open) {
    const bool over = found == sessions_.end() ? admission_.spent(named.session)
                                               : found->second.stage == Session::Stage::closing;
    refuse(from, about, Code::unknown_session,
           called(named.session) + (over ? " is over" : " is not open here"),
           over ? "ask the broker for a new one" : "open it with its ticket", named);
    return nullptr;
  }
  if (found->second.peer != from.peer) {
    refuse(from, about, Code::not_yours, called(named.session) + " belongs to another connection",
           "show its ticket", named);
    return nullptr;
  }
  return &found->second;
}

void WorkerCore::on(const Address& from, const Release& message) {
  const auto found = sessions_.find(message.session);
  const bool over = found == sessions_.end() ? admission_.spent(message.session)
                                             : found->second.stage == Session::Stage::closing;
  if (!over) {
    Session* session = bound(from, Release::op, {.session = message.session});
    if (!session) return;
    close(*session, Ending::released, Code::cancelled, "its client released the session");
  }
  send(from, Released{.session = message.session});
}

void WorkerCore::on(const Address& from, const Renew& message) {
  Session* session = bound(from, Renew::op, {.session = message.session});
  if (!session) return;
  if (message.term_ms > Milliseconds{0}) session->term = message.term_ms;
  restart_term(*session);
  send(from, Renewed{.session = session->id, .term_ms = in_ms(session->term)});
}

// The broker has asked who sent it. The report of the closing is the answer.
void WorkerCore::released_by_broker(const Release& message) {
  if (const auto found = sessions_.find(message.session); found != sessions_.end()) {
    return close(found->second, Ending::released, Code::cancelled, "its client released the session");
  }
  // Its assignment was lost, or it is over; the broker's account is put right either way.
  admission_.spend(now_, message.session, admission_.kept_until(now_ + settings_.ticket_memory));
  note(message.session, true);
}

void WorkerCore::renewed_by_broker(const Renew& message) {
  const auto found = sessions_.find(message.session);
  if (found == sessions_.end() || found->second.stage != Session::Stage::open) return;
  if (message.term_ms > Milliseconds{0}) found->second.term = message.term_ms;
  restart_term(found->second);
}

// Over for its client. Work that runs is abandoned, but keeps the slot until it has ended.
void WorkerCore::close(Session& session, Ending ending, Code code, const std::string& reason) {
  if (session.stage == Session::Stage::closing) return;
  session.ending = ending;
  for (const PendingCall& call : session.waiting) tell_failed(session, call, code, reason);
  session.waiting.clear();
  if (!session.running) return remove(session);
  session.stage = Session::Stage::closing;
  if (session.running->abandoned) return;
  tell_failed(session, *session.running, code, reason);
  abandon(session);
}

void WorkerCore::remove(Session& session) {
  const std::uint64_t id = session.id;
  const Ending ending = session.ending;
  if (session.stage != Session::Stage::assigned) {
    ++completed_;
    busy_ += now_ - session.opened;
    ++progress_;
    out_->push_back(SessionOver{id, ending});
  }
  // Its broker may have sealed a ticket for it anew that nobody has shown yet.
  admission_.spend(now_, id, std::max(session.expires, admission_.kept_until(now_ + admission_.lifetime())));
  --used_of_[session.offer];
  digest_ ^= digest_of(id);
  timers_.erase({session.timer, id});
  sessions_.erase(id);
  note(id, true, ending);
}

}  // namespace pointsman::workers
