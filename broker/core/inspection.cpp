// Looking into the broker: listings, watchers, counters, settings.
#include <algorithm>
#include <charconv>

#include "broker/core/broker.hpp"
#include "protocol/names.hpp"

namespace pointsman::broker {

namespace {

Milliseconds in_ms(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration); }

State state_of(const Worker& worker) {
  if (worker.suspect()) return State::suspect;
  return worker.draining ? State::draining : State::alive;
}

// Services, or brokers, that one listing looks at.
constexpr std::size_t look_max = 2000;

std::uint64_t number_of(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// About what a row takes in a body.
template <class Row>
std::size_t size_of(const Row& row) {
  std::size_t bytes = 0;
  each_field<Row>([&](const auto& field) {
    using Value = std::remove_cvref_t<decltype(row.*field.member)>;
    bytes += field.key.size() + 10;
    if constexpr (std::is_same_v<Value, std::string>) bytes += (row.*field.member).size();
    if constexpr (std::is_same_v<Value, Attributes>) {
      bytes += (row.*field.member).bytes() + 8 * (row.*field.member).size();
    }
    if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
      for (const std::string& text : row.*field.member) bytes += text.size() + 3;
    }
  });
  return bytes;
}

}  // namespace

void Broker::on(const Address& from, const List& message) {
  Listing page{.of = message.of};
  page_bytes_ = 0;
  const Service* only = nullptr;
  if (!message.service.empty()) {
    only = find_service(message.service);
    if (!only || !sees(*only)) {
      return refuse(from, List::op, Code::unknown_service, "nobody offers \"" + message.service + "\"",
                    "see: pointsman ls services");
    }
  }
  switch (message.of) {
    case Subject::services: list_services(message, only, page); break;
    case Subject::workers: list_workers(message, only, page); break;
    case Subject::sessions: list_sessions(message, only, page); break;
    case Subject::waiting:
      scope_ == Scope::all ? list_waiting(message, only, page) : list_own_waiting(message, only, page);
      break;
    case Subject::brokers: list_brokers(message, only, page); break;
    case Subject::count_: break;
  }
  send(from, std::move(page));
}

// A page ends at so many rows, or so many bytes, about.
template <class Row>
void Broker::add(std::vector<Row>& rows, Row row) {
  page_bytes_ += size_of(row);
  rows.push_back(std::move(row));
}

template <class Row>
bool Broker::full(const std::vector<Row>& rows, const List& message) const {
  return rows.size() >= message.limit || page_bytes_ >= options_.page_bytes;
}

void Broker::list_services(const List& message, const Service* only, Listing& page) {
  std::size_t looked = 0;
  for (auto it = services_.upper_bound(message.after); it != services_.end(); ++it) {
    // Who may see few of many gets pages with few rows rather than a search through all.
    if (full(page.services, message) || ++looked > look_max) {
      page.next = std::prev(it)->first;
      return;
    }
    if ((!only || it->second.get() == only) && sees(*it->second)) add(page.services, row_of(*it->second));
  }
}

void Broker::list_workers(const List& message, const Service* only, Listing& page) {
  const auto offers = [&](const Worker& worker) {
    return !only || std::any_of(worker.seats.begin(), worker.seats.end(),
                                [&](const Seat& s) { return s.service == only; });
  };
  // True when there is no room for another row.
  const auto take = [&](const Worker& worker) {
    if (!offers(worker)) return false;
    if (full(page.workers, message)) {
      page.next = page.workers.back().worker;
      return true;
    }
    add(page.workers, row_of(worker));
    return false;
  };
  if (scope_ == Scope::all) {
    for (auto it = workers_by_name_.upper_bound(message.after); it != workers_by_name_.end(); ++it) {
      if (take(*it->second)) return;
    }
    return;
  }
  std::vector<const Worker*> own;
  for (const Worker* worker = principal_->workers.first(); worker; worker = principal_->workers.after(*worker)) {
    if (worker->name.view() > message.after) own.push_back(worker);
  }
  std::sort(own.begin(), own.end(),
            [](const Worker* a, const Worker* b) { return a->name.view() < b->name.view(); });
  for (const Worker* worker : own) {
    if (take(*worker)) return;
  }
}

// Of them all that offer something that may be seen: a grant would tell as much.
void Broker::list_brokers(const List& message, const Service* only, Listing& page) {
  std::size_t looked = 0;
  for (auto it = brokers_below_.upper_bound(message.after); it != brokers_below_.end(); ++it) {
    if (full(page.brokers, message) || ++looked > look_max) {
      page.next = std::prev(it)->first;
      return;
    }
    const auto& seats = it->second.worker->seats;
    const bool fits = std::any_of(seats.begin(), seats.end(), [&](const auto& seat) {
      return (!only || seat.service == only) && sees(*seat.service);
    });
    if (fits) add(page.brokers, row_of(it->second));
  }
}

// Pages in order of arrival, which is that of their numbers but for adopted ones. If the session that ended the last
// page is gone, its place is looked for.
void Broker::list_sessions(const List& message, const Service* only, Listing& page) {
  const bool all = scope_ == Scope::all;
  const auto after = [&](const Session& session) {
    return all ? all_sessions_.after(session) : principal_->sessions.after(session);
  };
  const std::uint64_t last = number_of(message.after);
  const Session* session = all ? all_sessions_.first() : principal_->sessions.first();
  if (const Session* at = find_session(last); at && (all || at->client->owner == principal_)) {
    session = after(*at);
  } else {
    while (session && session->id <= last) session = after(*session);
  }
  for (; session; session = after(*session)) {
    if (only && session->seat->service != only) continue;
    if (full(page.sessions, message)) {
      page.next = std::to_string(page.sessions.back().session);
      return;
    }
    add(page.sessions, row_of(*session));
  }
}

// Service by service, and there the line of one condition after the other, each in its order; `after` is
// SERVICE-independent: how many rows came before.
void Broker::list_waiting(const List& message, const Service* only, Listing& page) {
  std::uint64_t skip = number_of(message.after);
  const std::uint64_t before = skip;
  const auto take = [&](const Line& line) {
    if (skip >= line.size()) {
      skip -= line.size();
      return;
    }
    Line::Walk walk = line.walk(std::exchange(skip, 0));
    for (const Asked* asked = walk.next(); asked && !full(page.waiting, message); asked = walk.next())
      add(page.waiting, row_of(*asked));
  };
  for (const auto& [name, service] : services_) {
    if (only && service.get() != only) continue;
    for (const Demand* demand : service->matching.waiting()) {
      take(demand->line);
      if (full(page.waiting, message)) break;
    }
    if (full(page.waiting, message)) break;
  }
  if (full(page.waiting, message)) page.next = std::to_string(before + page.waiting.size());
}

// The key's own, in order of arrival.
void Broker::list_own_waiting(const List& message, const Service* only, Listing& page) {
  std::uint64_t place = 0;
  const std::uint64_t before = number_of(message.after);
  for (const Asked* asked = principal_->waiting.first(); asked; asked = principal_->waiting.after(*asked)) {
    if (place++ < before || (only && &asked->service() != only)) continue;
    if (full(page.waiting, message)) {
      page.next = std::to_string(place - 1);
      return;
    }
    add(page.waiting, row_of(*asked));
  }
}

ServiceRow Broker::row_of(const Service& service) const {
  ServiceRow row{.service = service.name,
                 .policy = service.settings.policy,
                 .workers = service.seats.size(),
                 .slots = service.slots,
                 .used = service.used,
                 .waiting = service.waiting,
                 .granted = service.granted,
                 .refused = service.refused};
  for (const Demand* demand : service.matching.waiting()) {
    row.oldest_ms = std::max(row.oldest_ms, in_ms(now_ - demand->line.first().arrived));
  }
  if (service.chooser.size() == 0) row.expected_ms = in_ms(expected(service, service.waiting, service.slots));
  return row;
}

// What the worker itself counts on: without the grace on top.
Milliseconds Broker::left_of(const Worker& worker) const {
  return std::max(Milliseconds(0), in_ms(worker.ends - grace_of(worker) - (now_ - forgiven_)));
}

WorkerRow Broker::row_of(const Worker& worker) const {
  const bool endless = worker.term == Duration{0};
  WorkerRow row{.worker = worker.name,
                .state = state_of(worker),
                .why = worker.available() ? "" : why_not(worker),
                .slots = worker.slots,
                .used = worker.used,
                .weight = worker.seats.front().weight,
                .lease_ms = endless ? forever : in_ms(worker.term),
                .left_ms = endless ? forever : left_of(worker),
                .endpoint = worker.endpoint,
                .direct = worker.direct,
                .age_ms = in_ms(now_ - worker.registered),
                .granted = worker.granted,
                .completed = worker.completed,
                .busy_ms = worker.busy,
                .lease = worker.lease,
                .by = std::string(worker.owner->name()),
                .attributes = worker.profile->attributes,
                .accepts = worker.profile->accepts ? worker.profile->accepts->text() : ""};
  if (worker.pace.known > 0) row.pace_ms = std::chrono::ceil<Milliseconds>(Duration(worker.pace.time));
  if (worker.refused_tickets) {
    for (const std::uint64_t count : *worker.refused_tickets) row.tickets_refused += count;
  }
  for (const Seat& seat : worker.seats) row.services.push_back(seat.service->name);
  return row;
}

BrokerRow Broker::row_of(const BrokerBelow& below) const {
  const Worker& worker = *below.worker;
  BrokerRow row{.broker = worker.name,
                .clients = worker.endpoint,
                .workers = below.workers,
                .key = worker.key,
                .state = state_of(worker),
                .slots = worker.slots,
                .used = worker.used,
                .left_ms = worker.term == Duration{0} ? forever : left_of(worker)};
  for (const auto& seat : worker.seats) {
    if (sees(*seat.service)) row.services.push_back(seat.service->name);
  }
  return row;
}

SessionRow Broker::row_of(const Session& session) const {
  return {.session = session.id,
          .service = session.seat->service->name,
          .worker = session.worker()->name,
          .client = session.client->name,
          .id = std::string(session.request_id()),
          .state = session.open ? State::open : State::reserved,
          .age_ms = in_ms(now_ - session.granted),
          .by = std::string(session.client->owner->name())};
}

WaitingRow Broker::row_of(const Asked& asked) const {
  return {.id = asked.id,
          .client = asked.client->name,
          .service = asked.service().name,
          .priority = asked.priority,
          .position = position(asked),
          .waited_ms = in_ms(now_ - asked.arrived),
          .left_ms = in_ms(asked.until - now_),
          .when = asked.demand->when ? asked.demand->when->text() : "",
          .by = std::string(asked.client->owner->name())};
}

void Broker::on(const Address& from, const Configure& message) {
  Service* service = find_service(message.service);
  const bool changes = message.policy || message.queue_max || message.slow_start_ms || message.aging_ms ||
                       message.hang_ms;
  if (!service && changes) service = need_service(message.service);
  if (!service) {
    return refuse(from, Configure::op, changes ? Code::limit_reached : Code::unknown_service,
                  changes ? "services_max is " + std::to_string(options_.services_max)
                          : "nobody offers \"" + message.service + "\"",
                  "see: pointsman ls services");
  }
  ServiceSettings& set = service->settings;
  if (changes) service->kept = true;
  if (message.queue_max) set.queue_max = *message.queue_max;
  if (message.slow_start_ms) set.slow_start = *message.slow_start_ms;
  if (message.aging_ms) set.aging = *message.aging_ms;
  if (message.hang_ms) set.hang = *message.hang_ms;
  if (message.policy && *message.policy != set.policy) {
    set.policy = *message.policy;
    // The one scan over the workers of a service; an operator's change, not a message of the path.
    std::vector<Seat*> free;
    for (Seat* seat : service->seats) {
      if (!Chooser::contains(*seat)) continue;
      service->chooser.remove(*seat);
      free.push_back(seat);
    }
    for (Seat* seat : service->seats) seat->credit = 0, seat->turn = 0;
    std::sort(free.begin(), free.end(), [](const Seat* a, const Seat* b) { return a->order < b->order; });
    service->chooser = Chooser(set.policy, chance_.next());
    for (Seat* seat : free) service->chooser.add(*seat);
  }
  if (changes) {
    audit({.what = Audited::configured,
           .key = principal_->key,
           .name = std::string(principal_->name()),
           .service = service->name,
           .detail = std::string(word(set.policy))});
  }
  if (changes) emit(Happening::configured, {.service = service->name, .detail = word(set.policy)});
  send(from, Configured{.service = service->name,
                        .policy = set.policy,
                        .queue_max = set.queue_max,
                        .slow_start_ms = in_ms(set.slow_start),
                        .aging_ms = in_ms(set.aging),
                        .hang_ms = in_ms(set.hang)});
}

void Broker::on(const Address& from, const Watch& message) {
  drop_watchers([&](const Watcher& watcher) { return watcher.to == from; });
  if (!message.stop) {
    const bool all = scope_ == Scope::all;
    if (watchers_.size() >= options_.watchers_max) {
      return refuse(from, Watch::op, Code::limit_reached,
                    "watchers_max is " + std::to_string(options_.watchers_max), "stop another watcher");
    }
    if (!all && principal_->watchers >= options_.watchers_per_key) {
      return refuse(from, Watch::op, Code::over_quota,
                    "watchers_per_key is " + std::to_string(options_.watchers_per_key), "stop another watcher");
    }
    std::uint64_t kinds = 0;
    for (const Happening kind : message.kinds) kinds |= 1ULL << static_cast<unsigned>(kind);
    watchers_.push_back({.to = from,
                         .owner = principal_,
                         .all = all,
                         .service = message.service,
                         .kinds = message.kinds.empty() ? ~0ULL : kinds,
                         .until = now_ + options_.watch_term});
    ++principal_->watchers;
  }
  send(from, Watching{.last = events_, .term_ms = message.stop ? Milliseconds(0) : in_ms(options_.watch_term)});
}

void Broker::emit(Happening kind, const Note& note) {
  ++events_;
  for (const Watcher& watcher : watchers_) {
    if (!(watcher.kinds & (1ULL << static_cast<unsigned>(kind)))) continue;
    if (!watcher.service.empty() && watcher.service != note.service) continue;
    if (!watcher.all && watcher.owner != note.asker && watcher.owner != note.offerer) continue;
    send(watcher.to, Happened{.number = events_,
                              .kind = kind,
                              .service = std::string(note.service),
                              .worker = std::string(note.worker),
                              .client = std::string(note.client),
                              .id = std::string(note.id),
                              .session = note.session,
                              .detail = std::string(note.detail.substr(0, limits::text))});
  }
}

void Broker::on(const Address& from, const Status&) {
  Stats stats{.epoch = options_.epoch, .up_ms = in_ms(now_ - started_)};
  const auto add = [&](std::string name, std::uint64_t value) { stats.counters.push_back({std::move(name), value}); };
  if (scope_ != Scope::all) {
    add("workers", principal_->workers.size());
    add("sessions", principal_->sessions.size());
    add("waiting", principal_->waiting.size());
    add("remembered", principal_->remembered);
    add("refused", principal_->refused);
    return send(from, std::move(stats));
  }
  add("workers", workers_.size());
  add("services", services_.size());
  add("sessions", sessions_.size());
  add("waiting", waiting_);
  add("remembered", ended_.size());
  add("watchers", watchers_.size());
  add("events", events_);
  if (informed_) {
    std::uint64_t records = 0;
    for (const auto& of : known_) records += of.size();
    add("known", records);
  }
  if (grants_.revision > 0) add("membership_revision", grants_.revision);
  if (suspended_) add("suspended", 1);
  if (outside_.database_away > 0) add("database_away", outside_.database_away);
  if (outside_.database_unreadable > 0) add("database_unreadable", outside_.database_unreadable);
  if (keys_) add("keys", keys_->list().size());
  if (memory_.bound > 0) add("memory_bound", memory_.bound);
  if (memory_.most > 0) add("memory_max", memory_.most);
  if (memory_.resident > 0) add("memory_resident", memory_.resident);
  std::vector<Counter> counted;
  const auto add_nonzero = [&]<class Word>(const auto& values, Word first, const std::string& before) {
    for (std::size_t i = static_cast<std::size_t>(first); i < values.size(); ++i) {
      if (values[i] > 0) counted.push_back({before + std::string(word(static_cast<Word>(i))), values[i]});
    }
  };
  add_nonzero(counters_, Count{}, "");
  add_nonzero(outside_.entries, Entry::malformed, "turned_away_");
  if (outside_.unread > 0) counted.push_back({"unread", outside_.unread});
  if (outside_.audit_lost > 0) counted.push_back({"audit_lost", outside_.audit_lost});
  if (outside_.database_troubles > 0) counted.push_back({"database_troubles", outside_.database_troubles});
  if (outside_.questions_ignored > 0) counted.push_back({"questions_ignored", outside_.questions_ignored});
  add_nonzero(closed_, Ending{}, "closed_");
  add_nonzero(refused_, Code{}, "refused_");
  add_nonzero(refused_tickets_, Code{}, "tickets_refused_");
  std::sort(counted.begin(), counted.end(), [](const Counter& a, const Counter& b) { return a.name < b.name; });
  for (Counter& counter : counted) stats.counters.push_back(std::move(counter));
  send(from, std::move(stats));
}

void Broker::on(const Address& from, const Hello&) {
  send(from, Welcome{.program = std::string(program_name),
                     .version = std::string(program_version),
                     .speaks = {protocol_version},
                     .epoch = options_.epoch,
                     .body_bytes = limits::body_bytes,
                     .wait_max_ms = Milliseconds(limits::day_ms)});
}

}  // namespace pointsman::broker
