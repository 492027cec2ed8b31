// Sessions at the broker: from grant to close. The worker is the authority; the broker keeps its account.
#include <algorithm>

#include "broker/core/broker.hpp"
#include "protocol/digest.hpp"

namespace pointsman::broker {

namespace {

// How long after its ticket's end a reservation waits for a late word of the worker, beside two heartbeats.
constexpr Duration lapse_grace{std::chrono::seconds(1)};

}  // namespace

Session& Broker::add_session(std::uint64_t id, Seat& seat, Client& client) {
  Session& session = session_pool_.make();
  session.id = id;
  sessions_.insert(mixed(id), session);
  session.client = &client;
  ++client.uses;
  ++client.sessions;
  session.granted = now_;
  session.term = in_short(options_.session_term);
  all_sessions_.append(session);
  client.owner->sessions.append(session);
  attach(session, seat);
  return session;
}

void Broker::attach(Session& session, Seat& seat) {
  Worker& worker = *seat.worker;
  session.seat = &seat;
  worker.sessions.append(session);
  ++worker.used;
  worker.digest ^= digest_of(session.id);
  ++seat.used;
  ++seat.service->used;
}

void Broker::detach(Session& session) {
  Worker& worker = *session.worker();
  if (worker.releasing.contains(session)) worker.releasing.erase(session);
  worker.sessions.erase(session);
  --worker.used;
  worker.digest ^= digest_of(session.id);
  --session.seat->used;
  --session.seat->service->used;
  session.seat = nullptr;
}

// Tells the worker that nobody wants the session any more: with every heartbeat again, until it has closed it. Whoever
// released it was answered already.
void Broker::release(Session& session) {
  Worker& worker = *session.worker();
  session.released = true;
  if (session.asked) session.asked->released = true;
  if (!worker.releasing.contains(session)) worker.releasing.append(session);
  send(worker, Release{.session = session.id});
}

void Broker::release_again(Worker& worker) {
  for (const Session* session = worker.releasing.first(); session; session = worker.releasing.after(*session)) {
    send(worker, Release{.session = session->id});
  }
}

void Broker::reserve(Session& session, Duration until_lapse) {
  session.open = false;
  const Instant lapses = now_ + until_lapse + 2 * session.worker()->heartbeat + lapse_grace;
  lapses_.insert(session, {lapses, session.id});
}

void Broker::open(Session& session) {
  if (session.open) return;
  session.open = true;
  lapses_.erase(session);
  emit(Happening::opened, {.service = session.seat->service->name,
                           .worker = session.worker()->name,
                           .client = session.client->name,
                           .session = session.id,
                           .asker = session.client->owner,
                           .offerer = session.worker()->owner});
}

// Takes a session off the books and frees its slot. The caller refreshes the worker and matches those who wait.
void Broker::close(Session& session, Ending ending, const std::string& detail) {
  Service& service = *session.seat->service;
  if (session.open && ending != Ending::lost) {
    const auto took = static_cast<double>((now_ - session.granted).count());
    const double share = 1.0 / static_cast<double>(std::min<std::uint64_t>(++service.sessions_done, 16));
    service.mean_session += (took - service.mean_session) * share;
  }
  ++closed_[static_cast<std::size_t>(ending)];
  emit(Happening::closed, {.service = service.name,
                           .worker = session.worker()->name,
                           .client = session.client->name,
                           .id = session.request_id(),
                           .session = session.id,
                           .detail = word(ending),
                           .asker = session.client->owner,
                           .offerer = session.worker()->owner});
  if (Asked* asked = session.asked) {
    if (ending == Ending::lost && asked->updates) {
      send(asked->from.address(),
           Lost{.session = session.id, .id = asked->id, .reason = detail.substr(0, limits::text)});
    }
  }
  detach(session);
  drop(session);
}

// Forgets a session that no worker holds.
void Broker::drop(Session& session) {
  if (lapses_.contains(session)) lapses_.erase(session);
  if (session.asked) end(*session.asked, Code::ended);
  all_sessions_.erase(session);
  session.client->owner->sessions.erase(session);
  --session.client->sessions;
  let_go(*session.client);
  sessions_.erase(mixed(session.id), session);
  session_pool_.free(session);
}

void Broker::lapse_due() {
  while (!lapses_.empty() && lapses_.first_key().at <= now_) {
    Session& session = lapses_.first();
    Worker& worker = *session.worker();
    count(Count::reservations_lapsed);
    // Its worker may hold it all the same, and have heard of the release as little as we of the opening.
    if (session.released) {
      late_releases_.add(session.id, session.client->owner->number, session.client->name, now_ + options_.remember,
                         options_.remembered_max);
    }
    close(session, Ending::unused);
    refresh(worker);
    match(worker);
  }
}

void Broker::on(const Address& from, const Release& message) {
  Session* found = find_session(message.session);
  if (!found) {
    late_releases_.add(message.session, principal_->number, message.client, now_ + options_.remember,
                       options_.remembered_max);
    // One that this broker granted is over, as far as it knows: the release was repeated, or came late.
    if (issued_here(message.session)) return send(from, Released{.session = message.session});
    return refuse(from, Release::op, Code::unknown_session,
                  "session " + std::to_string(message.session) + " is not known here", {},
                  {.session = message.session});
  }
  Session& session = *found;
  // An admin may end any.
  const bool admin = scope_ == Scope::all && principal_->may;
  if (!admin && !owns(session, message.client)) {
    return refuse(from, Release::op, Code::not_yours, "the session belongs to another client",
                  "give the client name of its request", {.session = message.session});
  }
  release(session);
  send(from, Released{.session = session.id});
}

void Broker::on(const Address& from, const Renew& message) {
  Session* found = find_session(message.session);
  if (!found) {
    return refuse(from, Renew::op, Code::unknown_session,
                  "session " + std::to_string(message.session) + " is over or was never granted here",
                  "ask for a new one", {.session = message.session});
  }
  Session& session = *found;
  if (!owns(session, message.client)) {
    return refuse(from, Renew::op, Code::not_yours, "the session belongs to another client",
                  "give the client name of its request", {.session = message.session});
  }
  if (message.term_ms.count() > 0) session.term = in_short(message.term_ms);
  const Milliseconds term = session.term;
  send(*session.worker(), Renew{.session = session.id, .term_ms = term});
  send(from, Renewed{.session = session.id, .term_ms = term});
}

void Broker::on(const Address& from, const Report& message) {
  Worker* worker = under_lease(from, message.lease, Report::op);
  if (!worker) return;
  charge(*worker, message.completed, message.busy_ms);
  heard_from(*worker);
  count(Count::reports);
  bool unknown = false;
  std::uint64_t number = message.first;
  for (const SessionEvent& event : message.events) {
    const std::uint64_t at = number++;
    if (at <= worker->applied) continue;  // known already
    if (at > worker->applied + 1) {       // one before it is missing: the worker repeats it
      count(Count::report_gaps);
      break;
    }
    worker->applied = at;
    Session* session = find_session(event.session);
    if (!session || session->worker() != worker) {
      // Closed: it had lapsed before. Opened: the worker's word counts, but only it knows what it opened.
      unknown = unknown || !event.closed;
      continue;
    }
    if (event.closed) {
      // One that was never reported open was: the closing carries both.
      if (event.ending != Ending::unused) open(*session);
      close(*session, event.ending);
    } else {
      open(*session);
    }
  }
  if (unknown) {
    count(Count::late_opens);
    send(*worker, Sync{.lease = worker->lease});
  }
  refresh(*worker);
  match(*worker);
}

// The worker's whole list takes the place of ours; only what was assigned after it had been written stays.
void Broker::on(const Address& from, const Holding& message) {
  Worker* worker = under_lease(from, message.lease, Holding::op);
  if (!worker) return;
  if (message.reported >= worker->applied) heal(*worker, message);
  // Not before: a worker that is restored by this gets nobody for the slots that its list has taken.
  heard_from(*worker);
  refresh(*worker);
  match(*worker);
}

void Broker::heal(Worker& worker, const Holding& message) {
  worker.applied = message.reported;
  std::vector<std::uint64_t> held;
  for (const Held& row : message.sessions) held.push_back(row.session);
  std::sort(held.begin(), held.end());
  for (Session* session = worker.sessions.first(); session;) {
    Session* after = worker.sessions.after(*session);
    const bool later = session->assignment > message.seen && !session->open;
    if (!later && !std::binary_search(held.begin(), held.end(), session->id)) {
      count(Count::healed_sessions);
      close(*session, Ending::lost, "its worker does not hold it");
    }
    session = after;
  }
  for (const Held& row : message.sessions) adopt(worker, row);
}

// A worker says that it holds a session: one of ours, one of a broker before us, or one that had lapsed.
void Broker::adopt(Worker& worker, const Held& held) {
  const auto seat = std::find_if(worker.seats.begin(), worker.seats.end(),
                                 [&](const Seat& s) { return s.service->name == held.service; });
  Session* known = find_session(held.session);
  if (known && known->worker() && known->worker() != &worker) return;
  if (seat == worker.seats.end()) {
    // It no longer offers the service; the session is direct and lives on without our account.
    if (known && !known->worker()) drop(*known);
    return;
  }
  if (known) {
    Session& session = *known;
    if (!session.worker()) attach(session, *seat);
    session.assignment = 0;
    if (held.open) open(session);
    if (session.released) release(session);
    return;
  }
  if (sessions_.size() >= options_.sessions_max) return;
  count(Count::adopted_sessions);
  Principal& owner = owner_of(held);
  Session& session = add_session(held.session, *seat, need_client(owner, held.client));
  if (!held.id.empty()) session.request = std::make_unique<Text>(held.id);
  reserve(session, options_.ticket_ttl);
  if (held.open) open(session);
  if (owner.barred && !held.key.data.empty()) {
    release(session);  // its key was revoked while no broker was there
  } else if (late_releases_.contains(held.session, owner.number, held.client)) {
    release(session);
  } else if (!held.id.empty()) {
    adopt_request(session);
  }
}

// The request that an adopted session answers gets the same answer when it is repeated; if it came before its
// worker did and waits, this is the answer. So nothing is counted twice.
void Broker::adopt_request(Session& session) {
  const std::string_view id = session.request->view();
  Asked* known = find_request(*session.client->owner, session.client->name, id);
  if (!known) {
    Asked& asked = remember(*session.client, id, *session.seat->service);
    asked.adopted = true;
    bind(asked, session);
  } else if (known->stage == Asked::Stage::waiting && &known->service() == session.seat->service) {
    unqueue(*known);
    known->adopted = true;
    bind(*known, session);
    send_grant(*known);
  } else if (!session.open || known->released) {
    // The request was answered otherwise meanwhile, or is for another service, and nobody has come for this one; or its
    // client has let it go.
    release(session);
  }
}

}  // namespace pointsman::broker
