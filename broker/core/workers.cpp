// Workers at the broker: registrations, leases, figures.
#include <algorithm>

#include "broker/core/broker.hpp"
#include "protocol/digest.hpp"
#include "protocol/ticket.hpp"

namespace pointsman::broker {

namespace {

Milliseconds in_ms(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration); }
Milliseconds in_ms(Instant instant) { return in_ms(instant.time_since_epoch()); }

// What goes over to a worker from its registration before: it is no newcomer, and its services are no new ones.
struct Former {
  explicit Former(Worker& worker)
      : registered(worker.registered),
        charge(worker.charge),
        pace(worker.pace),
        granted(worker.granted),
        last_done(worker.last_done),
        refused_tickets(std::move(worker.refused_tickets)) {
    for (const Seat& seat : worker.seats) services.push_back(seat.service);
  }

  void pass_on(Worker& worker) {
    worker.registered = registered;
    worker.charge = charge;
    worker.pace = pace;
    worker.granted = granted;
    worker.last_done = last_done;
    worker.refused_tickets = std::move(refused_tickets);
  }

  Instant registered;
  std::uint64_t charge;
  Pace pace;
  std::uint64_t granted;
  std::uint64_t last_done;
  std::unique_ptr<RefusedByCode> refused_tickets;
  std::vector<Service*> services;
};

// What is advertised and cannot be connected to.
std::optional<Fault> fault_of_endpoint(const std::string& endpoint, Direct direct) {
  const std::string_view text = endpoint;
  const auto scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0 || scheme + 3 == text.size()) {
    return Fault{Code::bad_endpoint, "endpoint \"" + endpoint + "\" is not of the form scheme://address"};
  }
  const auto kind = text.substr(0, scheme);
  if (direct != Direct::own && kind != "tcp" && kind != "ipc") {
    const char* what = direct == Direct::broker ? "a broker listens on" : "the direct link runs over";
    return Fault{Code::bad_endpoint, std::string(what) + " tcp:// or ipc://, not " + std::string(kind) + "://"};
  }
  const auto address = text.substr(scheme + 3);
  if (kind != "ipc" && (address.starts_with("*") || address.starts_with("0.0.0.0") || address.starts_with("[::]") ||
                        address.ends_with(":*") || address.ends_with(":0"))) {
    return Fault{Code::bad_endpoint, "nobody can connect to \"" + endpoint + "\": advertise an address"};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Fault> Broker::fault_of(const Register& message) const {
  if (auto fault = fault_of_endpoint(message.endpoint, message.direct)) return fault;
  if (!message.workers.empty()) {
    if (message.direct != Direct::broker)
      return Fault{Code::bad_message, "workers is a broker's listener, and direct is not broker"};
    if (auto fault = fault_of_endpoint(message.workers, message.direct)) return fault;
  }
  for (std::size_t i = 0; i < message.services.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (message.services[i].service == message.services[j].service) {
        return Fault{Code::bad_message, "services names \"" + message.services[i].service + "\" twice"};
      }
    }
  }
  if (shutting_down_) return Fault{Code::shutting_down, "the broker is stopping"};
  if (const Known* known = known_of_worker(*principal_, message.worker)) {
    for (const Offer& offer : message.services) {
      if (fits(known->offers, offer.service)) continue;
      return Fault{Code::not_allowed, "the database does not let this worker offer \"" + offer.service + "\""};
    }
  }
  const auto holder = workers_by_name_.find(message.worker);
  if (const Allowance* may = principal_->may) {
    for (const Offer& offer : message.services) {
      if (may_offer(*may, offer.service)) continue;
      return Fault{Code::not_allowed, "this key may not offer \"" + offer.service + "\""};
    }
    if (holder == workers_by_name_.end() && may->workers > 0 && principal_->workers.size() >= may->workers) {
      return Fault{Code::over_quota, "this key may have " + std::to_string(may->workers) + " workers"};
    }
  }
  if (holder == workers_by_name_.end()) {
    if (overloaded_) return Fault{Code::overloaded, "the broker is short of memory"};
    if (workers_.size() >= options_.workers_max) {
      return Fault{Code::limit_reached, "workers_max is " + std::to_string(options_.workers_max)};
    }
  } else if (holder->second->owner != principal_) {
    return Fault{Code::name_taken, "worker \"" + message.worker + "\" is registered with another key"};
  } else if (holder->second->instance.view() != message.instance && !holder->second->suspect()) {
    return Fault{Code::name_taken, "worker \"" + message.worker + "\" is alive as another instance"};
  }
  std::size_t fresh = 0;
  for (const Offer& offer : message.services) {
    const auto known = services_.find(offer.service);
    fresh += known == services_.end();
    if (known == services_.end()) continue;
    const Service& service = *known->second;
    const bool anew = holder != workers_by_name_.end() &&
                      std::any_of(holder->second->seats.begin(), holder->second->seats.end(),
                                  [&](const Seat& seat) { return seat.service == &service; });
    if (anew || service.seats.size() < service.settings.offers_max) continue;
    return Fault{Code::limit_reached,
                 "offers_max of \"" + offer.service + "\" is " + std::to_string(service.settings.offers_max)};
  }
  if (services_.size() + fresh > options_.services_max) {
    return Fault{Code::limit_reached, "services_max is " + std::to_string(options_.services_max)};
  }
  return std::nullopt;
}

// Asks a worker for a sign of life; without one it is suspect when `probe` has passed.
void Broker::doubt(Worker& worker) {
  send(worker, Probe{.lease = worker.lease});
  worker.probe_ends = std::min(worker.probe_ends, now_ - forgiven_ + options_.probe);
  retime(worker);
}

// Why there is no class for one more profile.
std::optional<Fault> Broker::crowded(const Register& message, const Profile& profile) const {
  for (const Offer& offer : message.services) {
    const auto found = services_.find(offer.service);
    if (found == services_.end()) continue;
    const Matching& matching = found->second->matching;
    if (matching.classes() < options_.classes_max || matching.find(profile)) continue;
    return Fault{Code::limit_reached, "classes_max is " + std::to_string(options_.classes_max) +
                                          ": so many workers of \"" + offer.service +
                                          "\" differ in their attributes; leave out what only one has"};
  }
  return std::nullopt;
}

void Broker::on(const Address& from, const Register& message) {
  auto fault = fault_of(message);
  std::shared_ptr<const Profile> profile = plain_profile_;
  std::optional<Attributes> counts;
  if (!fault && informed_) counts = counting(message.attributes, known_of_worker(*principal_, message.worker));
  if (!fault && (counts || !message.attributes.empty() || !message.accepts.empty())) {
    auto read = Profile::of(counts ? *counts : message.attributes, message.accepts);
    if (auto* wrong = std::get_if<Fault>(&read))
      fault = std::move(*wrong);
    else
      profile = std::get<std::shared_ptr<const Profile>>(std::move(read));
  }
  if (!fault) fault = crowded(message, *profile);
  if (fault) {
    const char* remedy =
        fault->code == Code::name_taken      ? "give each worker a name of its own, or stop the other"
        : fault->code == Code::limit_reached ? "raise the limit in the broker's configuration"
        : fault->code == Code::not_allowed   ? "use another key, or have its rights changed"
        : fault->code == Code::over_quota    ? "stop another one, or have the quota raised"
        : fault->code == Code::bad_condition ? "see PROTOCOL.md, Attributes and conditions"
                                             : "";
    // The holder may be dead and its lease long, or for ever: it has to give a sign of life to keep the name.
    // Of another key's worker nothing is asked.
    if (fault->code == Code::name_taken) {
      Worker& holder = *workers_by_name_.find(message.worker)->second;
      if (holder.owner == principal_) doubt(holder);
    }
    Refused more;
    if (fault->code == Code::over_quota || fault->code == Code::overloaded) more.retry_ms = Milliseconds(1000);
    return refuse(from, Register::op, fault->code, fault->reason, remedy, std::move(more));
  }
  std::optional<Former> former;
  if (const auto old = workers_by_name_.find(message.worker); old != workers_by_name_.end()) {
    const bool same = old->second->instance.view() == message.instance;
    if (same) former.emplace(*old->second);
    strike_off(*old->second, Happening::left, same ? "registered anew" : "replaced by another instance",
               same ? &message : nullptr);
  }
  auto owned = std::make_unique<Worker>(session_pool_);
  Worker& worker = *owned;
  worker.name = Text(message.worker);
  worker.instance = Text(message.instance);
  worker.lease = next_id();
  worker.from = Origin(from);
  worker.owner = principal_;
  principal_->workers.append(worker);
  worker.slots = static_cast<std::uint32_t>(message.slots);
  worker.endpoint = message.endpoint;
  worker.profile = std::move(profile);
  if (counts) worker.said = std::make_unique<const Attributes>(message.attributes);
  worker.direct = message.direct;
  worker.key = Text(message.key);
  const Bytes key = ticket_key(options_.master, worker.lease);
  std::copy(key.data.begin(), key.data.end(), worker.ticket_key.begin());
  worker.registered = now_;
  worker.completed = message.completed;
  worker.busy = message.busy_ms;
  worker.draining = message.draining;
  worker.mode = message.draining ? DrainMode::drain : DrainMode::resume;
  // A newcomer starts at the mean: from zero it would get everything until it had caught up.
  const std::uint64_t mean = workers_.empty() ? 0 : total_charge_ / workers_.size();
  worker.charge = std::max(mean, static_cast<std::uint64_t>(message.busy_ms.count()) * 1000);
  if (former) former->pass_on(worker);
  if (worker.pace.known == 0) worker.pace.did(message.completed, static_cast<std::uint64_t>(message.busy_ms.count()) * 1000);
  total_charge_ += worker.charge;
  set_lease(worker, message.lease_ms);
  workers_by_name_.emplace(worker.name, &worker);
  if (worker.direct == Direct::broker) brokers_below_.emplace(worker.name, BrokerBelow{&worker, message.workers});
  workers_by_peer_[from.peer].append(worker);
  workers_.emplace(worker.lease, std::move(owned));
  add_seats(worker, message);
  if (worker.pace.known == 0) worker.pace = Pace::guess(static_cast<std::uint64_t>(worker.seats.front().service->mean_session));
  if (former) {
    for (Service* service : former->services) maybe_erase(*service);
  }
  worker_timers_.insert(worker, timer_of(worker));
  retime(worker);
  worker.came = informed_ && !former;
  note_deeds(worker);
  count(Count::registrations);

  const bool endless = worker.term == Duration{0};
  send(from, Registered{.worker = worker.name,
                        .lease = worker.lease,
                        .term_ms = endless ? forever : in_ms(worker.term),
                        .heartbeat_ms = in_ms(worker.heartbeat),
                        .epoch = options_.epoch,
                        .key = key,
                        .now_ms = in_ms(now_),
                        .attempt = message.attempt});
  for (const Held& held : message.sessions) adopt(worker, held);
  refresh(worker);
  for (const Seat& seat : worker.seats) {
    emit(Happening::registered, {.service = seat.service->name,
                                 .worker = worker.name,
                                 .detail = worker.endpoint,
                                 .offerer = worker.owner});
    audit({.what = Audited::registered,
           .key = worker.owner->key,
           .name = std::string(worker.owner->name()),
           .worker = worker.name,
           .service = seat.service->name,
           .detail = worker.endpoint});
  }
  match(worker);
}

// How much longer than it said the broker waits for a worker.
Duration Broker::grace_of(const Worker& worker) const {
  return std::chrono::duration_cast<Duration>(worker.term * options_.grace);
}

void Broker::set_lease(Worker& worker, Milliseconds wish) {
  const Instant now = now_ - forgiven_;
  if (wish == forever && options_.lease_forever) {
    worker.heartbeat = options_.lease / static_cast<std::int64_t>(options_.heartbeats);
    return;
  }
  Duration term = wish == forever ? options_.lease_max : Duration(wish);
  if (wish.count() == 0) term = options_.lease;
  worker.term = std::clamp(term, options_.lease_min, options_.lease_max);
  worker.heartbeat = worker.term / static_cast<std::int64_t>(options_.heartbeats);
  worker.ends = now + worker.term + grace_of(worker);
  worker.struck_off = worker.ends + worker.term;
}

void Broker::add_seats(Worker& worker, const Register& message) {
  worker.seats = Seats(message.services.size());
  Seat* next = worker.seats.begin();
  for (const Offer& offer : message.services) {
    Service* service = need_service(offer.service);
    MUST(service);  // fault_of() saw to the bound
    Seat& seat = *next++;
    seat.worker = &worker;
    seat.service = service;
    seat.name = worker.name;
    seat.order = ++orders_;
    seat.weight = static_cast<std::uint32_t>(offer.weight);
    seat.slots =
        offer.slots == 0 ? worker.slots : std::min(static_cast<std::uint32_t>(offer.slots), worker.slots);
    seat.room = seat.slots;
    seat.index = static_cast<std::uint32_t>(service->seats.size());
    join_class(seat);
    service->seats.push_back(&seat);
    if (service->settings.slow_start > Duration{0}) ramp(seat);
  }
}

void Broker::join_class(Seat& seat) {
  seat.of = &seat.service->matching.join(seat.worker->profile);
  seat.worker->profile = seat.of->profile;  // one for all of whom the same is known
  seat.class_index = static_cast<std::uint32_t>(seat.of->index);
}

// Slow start: a newcomer's slots grow one by one over the service's slow_start (as HAProxy ramps maxconn).
void Broker::ramp(Seat& seat) {
  const Duration over = seat.service->settings.slow_start;
  const Duration age = now_ - seat.worker->registered;
  const std::uint64_t before = seat.room;
  if (age >= over) {
    seat.room = seat.slots;
  } else {
    const auto share = static_cast<std::uint64_t>(age.count()) * seat.slots / static_cast<std::uint64_t>(over.count());
    seat.room = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(share, 1, seat.slots));
  }
  if (seat.counted) count_slots(seat, before, seat.room);
  if (seat.room == seat.slots) return;
  // Rounded up, so that the next slot is there when the moment comes.
  const auto next = (static_cast<std::uint64_t>(over.count()) * (seat.room + 1) + seat.slots - 1) / seat.slots;
  seat.ramp_due = seat.worker->registered + Duration(next);
  ramps_.emplace(std::pair(seat.ramp_due, seat.order), &seat);
}

void Broker::count_slots(Seat& seat, std::uint64_t before, std::uint64_t now) {
  seat.service->slots += now - before;
  seat.of->slots += now - before;
}

Worker* Broker::under_lease(const Address& from, std::uint64_t lease, std::string_view about) {
  const auto found = workers_.find(lease);
  if (found == workers_.end()) {
    refuse(from, about, Code::unknown_lease, "lease " + std::to_string(lease) + " is not, or no longer, held here",
           "register anew, with the sessions that you hold", {.lease = lease});
    return nullptr;
  }
  Worker& worker = *found->second;
  if (worker.owner != principal_) {
    // As if it were not there: whoever has changed its key registers anew with it.
    count(Count::foreign_leases);
    audit({.what = Audited::refused,
           .key = principal_->key,
           .name = std::string(principal_->name()),
           .code = Code::not_yours,
           .about = std::string(about),
           .worker = worker.name,
           .detail = "the lease of another key"});
    refuse(from, about, Code::unknown_lease, "lease " + std::to_string(lease) + " is not held with this key",
           "register anew, with the sessions that you hold", {.lease = lease});
    return nullptr;
  }
  move_peer(worker, from);
  return &worker;
}

// Many workers may come by one connection.
void Broker::leave_peer(Worker& worker) {
  const auto found = workers_by_peer_.find(worker.from.peer());
  found->second.erase(worker);
  if (found->second.empty()) workers_by_peer_.erase(found);
}

void Broker::move_peer(Worker& worker, const Address& from) {
  if (worker.from.peer() != from.peer) {
    leave_peer(worker);
    workers_by_peer_[from.peer].append(worker);
  }
  worker.from = Origin(from);
}

// Any message renews. The timer in the heap is left alone: it finds out when it comes up. But one that was silent may
// have had the brake put it off, to later than the new lease ends.
void Broker::heard_from(Worker& worker) {
  const Instant now = now_ - forgiven_;
  if (worker.term != Duration{0}) {
    worker.ends = now + worker.term + grace_of(worker);
    worker.struck_off = worker.ends + worker.term;
  }
  worker.probe_ends = never;
  // The lease clock goes back a little when time is forgiven, so the end may be earlier than it was.
  if (!worker.silent && !worker.probing && !worker.unanswered) return retime(worker);
  const bool told = worker.silent || worker.unanswered;
  if (worker.silent) --silent_;
  worker.silent = worker.probing = worker.unanswered = false;
  if (told) {
    emit(Happening::restored, {.worker = worker.name, .detail = "heard from again", .offerer = worker.owner});
    count(Count::workers_restored);
  }
  retime(worker);
  refresh(worker);
  match(worker);
}

// What is due next for a worker, on the lease clock.
Instant Broker::due_of(const Worker& worker) {
  return std::min({worker.silent ? worker.struck_off : worker.ends, worker.probe_ends, worker.hang_ends});
}

// Moves the worker's timer to what is due next, if that is earlier than it stands.
void Broker::retime(Worker& worker) {
  const Instant due = due_of(worker);
  if (due >= worker.timer) return;
  worker.timer = due;
  worker_timers_.reorder(worker, timer_of(worker));
}

bool Broker::overdue() const {
  return !worker_timers_.empty() && worker_timers_.first().timer <= now_ - forgiven_;
}

// Sees to workers that are due, some of them a step. Those who could not be granted anything meanwhile, because whoever
// was chosen was dead, get their turn when it has caught up.
void Broker::sweep() {
  for (std::size_t seen = 0; seen < sweep_max && overdue(); ++seen) worker_due(worker_timers_.first());
  const bool was_behind = std::exchange(behind_, overdue());
  if (!was_behind || behind_) return;
  for (const auto& [name, service] : services_) match(*service);
}

void Broker::worker_due(Worker& worker) {
  const Instant now = now_ - forgiven_;
  if (worker.probe_ends <= now) {
    worker.probe_ends = never;
    suspect(worker, &Worker::unanswered, "it did not answer after a client had failed to reach it");
  }
  if (worker.hang_ends <= now) {
    worker.hang_ends = never;
    suspect(worker, &Worker::hung, "it holds sessions but shows no progress");
  }
  if (!worker.silent && worker.ends <= now) {
    ++silent_;
    suspect(worker, &Worker::silent, "its lease ran out without a heartbeat");
  } else if (worker.silent && worker.struck_off <= now && !brake(worker)) {
    count(Count::leases_expired);
    return strike_off(worker, Happening::expired, "its lease ran out");
  }
  worker.timer = due_of(worker);
  worker_timers_.reorder(worker, timer_of(worker));
}

// Mass expiry: when most workers fall silent at once the fault is more likely here or between. They stay
// suspect for three more terms, then go at 5 % of the fleet a second.
bool Broker::brake(Worker& worker) {
  const Instant now = now_ - forgiven_;
  const bool mass = silent_ >= 3 && silent_ * 2 > workers_.size();
  if (!mass) {
    if (protect_since_ != never) {
      protect_since_ = never;
      emit(Happening::protect, {.detail = "off"});
    }
    return false;
  }
  if (protect_since_ == never) {
    protect_since_ = now;
    next_strike_ = now + 3 * worker.term;
    count(Count::protections);
    emit(Happening::protect, {.detail = std::to_string(silent_) + " of " + std::to_string(workers_.size()) +
                                        " workers are silent: none is struck off for now"});
  }
  if (now < next_strike_) {
    worker.struck_off = next_strike_;
    return true;
  }
  const auto a_second = std::max<std::uint64_t>(1, workers_.size() / 20);
  next_strike_ = now + Duration(1'000'000 / static_cast<std::int64_t>(a_second));
  return false;
}

void Broker::suspect(Worker& worker, bool Worker::*why, std::string reason) {
  if (!worker.suspect()) fail(worker);
  worker.*why = true;
  worker.probing = false;
  count(Count::workers_suspected);
  emit(Happening::suspected, {.worker = worker.name, .detail = reason, .offerer = worker.owner});
  refresh(worker);
}

// Leases of one connection are renewed at one moment, for a message that comes with others costs a fifth of one that comes
// alone; connections at moments of their own. A heartbeat that is a little early is not asked for again at once.
Duration Broker::until_next_beat(std::uint64_t peer, Duration heartbeat) const {
  const Duration least = heartbeat / 4;
  const Duration moment(static_cast<Duration::rep>(digest_of(peer) % static_cast<std::uint64_t>(heartbeat.count())));
  const Duration past = ((now_ + least).time_since_epoch() - moment) % heartbeat;
  return least + (past < Duration{0} ? -past : heartbeat - past);
}

void Broker::on(const Address& from, const Heartbeat& message) {
  Worker* worker = under_lease(from, message.lease, Heartbeat::op);
  if (!worker) return;
  if (message.draining && !worker->draining) drain(*worker, DrainMode::drain);
  if (charge(*worker, message.completed, message.busy_ms)) refresh(*worker);
  heard_from(*worker);
  note_refused(*worker, message.refused);
  const bool moved = message.progress != worker->progress || message.used == 0;
  worker->progress = message.progress;
  if (moved) worker->hang_ends = never;
  if (moved && worker->hung) {
    worker->hung = false;
    emit(Happening::restored, {.worker = worker->name, .detail = "it shows progress again",
                               .offerer = worker->owner});
    refresh(*worker);
    match(*worker);
  }
  if (worker->used > 0 && worker->hang_ends == never && !worker->hung) {
    Duration hang = Duration::max();
    for (const Seat& seat : worker->seats) {
      const Duration of = seat.service->settings.hang;
      if (of > Duration{0}) hang = std::min(hang, of);
    }
    if (hang != Duration::max()) {
      worker->hang_ends = now_ - forgiven_ + hang;
      retime(*worker);
    }
  }
  send(*worker, Heard{.lease = worker->lease,
                      .beat = message.beat,
                      .applied = worker->applied,
                      .now_ms = in_ms(now_),
                      .next_ms = std::chrono::ceil<Milliseconds>(until_next_beat(from.peer, worker->heartbeat))});
  release_again(*worker);
  compare(*worker, message);
}

// The figures of both sides must agree once nothing is under way; if they do not twice in a row, the worker is
// asked for the whole list.
void Broker::compare(Worker& worker, const Heartbeat& message) {
  const bool seen_all = message.seen >= worker.assigned || worker.assigned_at + 2 * worker.heartbeat < now_;
  if (message.reported != worker.applied || !seen_all) return;
  if (message.used == worker.used && message.digest == worker.digest) {
    worker.differs = 0;
  } else if (++worker.differs >= 2) {
    worker.differs = 0;
    count(Count::syncs);
    send(worker, Sync{.lease = worker.lease});
  }
}

// Whether there is something new for the policies to see.
bool Broker::charge(Worker& worker, std::uint64_t completed, Milliseconds busy) {
  const std::uint64_t sessions = completed - std::min(completed, worker.completed);
  const auto took = static_cast<std::uint64_t>((busy - std::min(busy, worker.busy)).count()) * 1000;
  if (sessions == 0 && took == 0) return false;
  worker.completed += sessions;
  worker.busy = std::max(busy, worker.busy);
  worker.charge += took;
  total_charge_ += took;
  worker.pace.did(sessions, took);
  if (sessions > 0) worker.last_done = ++done_ranks_;
  note_deeds(worker);
  return true;
}

// What it says of refused tickets are figures since its start; what is more than before goes into the sums.
void Broker::note_refused(Worker& worker, const std::vector<RefusedTickets>& refused) {
  for (const RefusedTickets& row : refused) {
    if (!about_ticket(row.code)) continue;
    const auto place = static_cast<std::size_t>(row.code);
    if (!worker.refused_tickets) worker.refused_tickets = std::make_unique<RefusedByCode>();
    std::uint64_t& known = (*worker.refused_tickets)[place - static_cast<std::size_t>(Code::bad_ticket)];
    if (row.count <= known) continue;
    const std::uint64_t more = row.count - std::exchange(known, row.count);
    refused_tickets_[place] += more;
    audit({.what = Audited::tickets,
           .key = worker.owner->key,
           .name = std::string(worker.owner->name()),
           .code = row.code,
           .worker = worker.name,
           .detail = std::to_string(more) + " more"});
  }
}

void Broker::on(const Address& from, const Leave& message) {
  const auto found = workers_.find(message.lease);
  if (found != workers_.end() && found->second->owner != principal_) {
    count(Count::foreign_leases);
  } else if (found != workers_.end()) {
    count(Count::leaves);
    strike_off(*found->second, Happening::left, message.reason.empty() ? "it left" : message.reason);
  }
  // A lease that is gone already was left before: the answer had been lost.
  send(from, Left{.lease = message.lease});
}

void Broker::on(const Address& from, const Drain& message) {
  const auto found = workers_by_name_.find(message.worker);
  if (found == workers_by_name_.end()) {
    return refuse(from, Drain::op, Code::unknown_worker, "no worker \"" + message.worker + "\" is registered",
                  "see: pointsman ls workers");
  }
  Worker& worker = *found->second;
  if (!message.instance.empty() && message.instance != worker.instance.view()) {
    return refuse(from, Drain::op, Code::unknown_worker,
                  "worker \"" + message.worker + "\" is registered as another instance", "see: pointsman ls workers");
  }
  const std::uint64_t used = worker.used;
  send(worker, message);
  if (message.mode == DrainMode::forget) {
    strike_off(worker, Happening::left, "forgotten by an operator");
  } else {
    drain(worker, message.mode);
  }
  audit({.what = Audited::drained,
         .key = principal_->key,
         .name = std::string(principal_->name()),
         .worker = message.worker,
         .detail = std::string(word(message.mode))});
  send(from, Drained{.worker = message.worker, .mode = message.mode, .used = used});
}

void Broker::drain(Worker& worker, DrainMode mode) {
  worker.mode = mode;
  const bool draining = mode != DrainMode::resume;
  if (worker.draining == draining) return;
  worker.draining = draining;
  emit(draining ? Happening::draining : Happening::resumed, {.worker = worker.name, .offerer = worker.owner});
  refresh(worker);
  match(worker);
}

// Takes the worker and its sessions off the list. With a `successor`, its own registration anew, the sessions that
// this one lists are left without a worker, for adopt() to attach, and services that nobody offers any more are for the
// caller to erase.
void Broker::strike_off(Worker& worker, Happening how, const std::string& reason, const Register* successor) {
  std::vector<std::uint64_t> go_on;
  if (successor) {
    for (const Held& held : successor->sessions) go_on.push_back(held.session);
    std::sort(go_on.begin(), go_on.end());
  }
  while (Session* session = worker.sessions.first()) {
    if (std::binary_search(go_on.begin(), go_on.end(), session->id)) {
      detach(*session);
    } else {
      close(*session, Ending::lost, successor ? "its worker no longer holds it" : reason);
    }
  }
  for (Seat& seat : worker.seats) {
    Service& service = *seat.service;
    if (Chooser::contains(seat)) service.chooser.remove(seat);
    if (seat.counted) count_slots(seat, seat.room, 0);
    service.matching.leave(*seat.of);
    service.seats[seat.index] = service.seats.back();
    service.seats[seat.index]->index = seat.index;
    service.seats.pop_back();
    ramps_.erase({seat.ramp_due, seat.order});
    emit(how, {.service = service.name, .worker = worker.name, .detail = reason, .offerer = worker.owner});
    if (!successor) maybe_erase(service);
  }
  if (!successor) {
    audit({.what = Audited::left,
           .key = worker.owner->key,
           .name = std::string(worker.owner->name()),
           .worker = worker.name,
           .detail = reason});
  }
  worker.owner->workers.erase(worker);
  if (worker.silent) --silent_;
  total_charge_ -= worker.charge;
  worker_timers_.erase(worker);
  if (untelling_.contains(worker)) untelling_.erase(worker);
  part(worker);
  brokers_below_.erase(worker.name);
  workers_by_name_.erase(worker.name);
  leave_peer(worker);
  workers_.erase(worker.lease);
}

// Brings what the policies see of a worker in line with its state, after any change to it.
void Broker::refresh(Worker& worker) {
  for (Seat& seat : worker.seats) refresh(seat);
}

void Broker::refresh(Seat& seat) {
  const Worker& worker = *seat.worker;
  Service& service = *seat.service;
  seat.connections = worker.used;
  seat.busy = worker.charge + worker.used * static_cast<std::uint64_t>(service.mean_session);
  seat.completed = worker.last_done;
  seat.pace = worker.pace.time;
  const bool counted = seat.counted;
  seat.counted = worker.available();
  if (seat.counted != counted) count_slots(seat, counted ? seat.room : 0, counted ? 0 : seat.room);
  const bool room = seat.counted && worker.used < worker.slots && seat.used < seat.room;
  const bool listed = Chooser::contains(seat);
  if (room && listed) service.chooser.touch(seat);
  if (room && !listed) service.chooser.add(seat);
  if (!room && listed) service.chooser.remove(seat);
}

}  // namespace pointsman::broker
