// What a database knows, at the broker: kept for whoever comes, and in force at once for whoever is there.
//
// A message costs one look-up of its client's record at most. Workers, waiting requests and sessions are looked through
// when a record changes, which is an operator's doing and not a message's.
#include <algorithm>

#include "broker/core/broker.hpp"
#include "protocol/utf8.hpp"

namespace pointsman::broker {

namespace {

constexpr std::size_t told_max = 1000;  // records of one event that watchers are told of

}  // namespace

const Known* Broker::known_of(About about, std::string_view name) const {
  const auto& of = known_[static_cast<std::size_t>(about)];
  if (of.empty()) return nullptr;
  const auto found = of.find(name);
  return found == of.end() ? nullptr : &found->second;
}

// Quotas of a key are for all clients that come with it.
std::uint64_t Broker::waiting_of(const Known& known, const Principal& owner, std::string_view client) const {
  if (known.about == About::key) return owner.waiting.size();
  const Client* who = find_client(owner, client);
  return who ? who->waiting : 0;
}

std::uint64_t Broker::held_by(const Known& known, const Principal& owner, std::string_view client) const {
  if (known.about == About::key) return owner.sessions.size() + owner.waiting.size();
  const Client* who = find_client(owner, client);
  return who ? std::uint64_t{who->sessions} + who->waiting : 0;
}

void Broker::learn(const Learned& event) {
  Touched touched;
  // What anybody has said of his tenant so far does not count any more.
  touched.everybody = !std::exchange(informed_, true);
  std::size_t changes = 0;
  for (const Known& record : event.records) {
    if (!keep(record)) continue;
    if (++changes <= told_max) tell_of(record);
    touch(record, touched);
  }
  if (changes > told_max) {
    emit(Happening::configured, {.detail = "and " + std::to_string(changes - told_max) + " other records"});
  }
  if (touched.everybody) {
    touched.workers.clear();
    for (const auto& entry : workers_by_name_) touched.workers.push_back(entry.second->lease);
    touched.owners.clear();
    if (!keys_) touched.owners.push_back(&everybody_);
    for (const auto& entry : principals_by_number_) touched.owners.push_back(entry.second);
  }
  restrict(touched);
  // Everything is as it is now before anybody is granted anything.
  const auto each_worker = [&](auto&& visit) {
    for (const std::uint64_t lease : touched.workers) {
      if (const auto found = workers_.find(lease); found != workers_.end()) visit(*found->second);
    }
  };
  each_worker([this](Worker& worker) { reconsider(worker); });
  reconsider_waiting(touched);
  each_worker([this](Worker& worker) { match(worker); });
}

// Puts a record in the place of the one before it. False: that said the same, or there is no room.
bool Broker::keep(const Known& record) {
  auto& of = known_[static_cast<std::size_t>(record.about)];
  const auto found = of.find(record.name);
  const auto principal = [&]() -> Principal* {
    if (record.about != About::key) return nullptr;
    const auto key = key_from_z85(record.name);
    const auto known = key ? principals_.find(*key) : principals_.end();
    return known == principals_.end() ? nullptr : known->second.get();
  };
  if (record.says_nothing()) {
    if (found == of.end()) return false;
    if (Principal* who = principal()) who->known = nullptr;
    of.erase(found);
    return true;
  }
  if (found != of.end()) {
    if (found->second == record) return false;
    found->second = record;
    return true;
  }
  std::size_t records = 0;
  for (const auto& each : known_) records += each.size();
  if (records >= options_.known_max) {
    count(Count::known_left_out);
    return false;
  }
  const Known& kept = of.emplace(record.name, record).first->second;
  if (Principal* who = principal()) who->known = &kept;
  return true;
}

void Broker::tell_of(const Known& record) {
  const bool gone = record.says_nothing();
  const std::string line = to_line(record);
  const std::string detail = fit(gone ? line + ": not known any more" : line, limits::text);
  Note note{.detail = detail};
  if (record.about == About::worker) note.worker = record.name;
  if (record.about == About::client) note.client = record.name;
  if (record.about == About::key) {
    const auto key = key_from_z85(record.name);
    const auto found = key ? principals_.find(*key) : principals_.end();
    if (found != principals_.end()) note.asker = note.offerer = found->second.get();
  }
  emit(Happening::configured, note);
}

// Whom the record is about of those who are there.
void Broker::touch(const Known& record, Touched& touched) {
  if (record.about == About::key) {
    const auto key = key_from_z85(record.name);
    const auto found = key && keys_ ? principals_.find(*key) : principals_.end();
    if (found == principals_.end()) return;
    Principal& who = *found->second;
    touched.owners.push_back(&who);
    for (const Worker* worker = who.workers.first(); worker; worker = who.workers.after(*worker))
      touched.workers.push_back(worker->lease);
  } else if (keys_) {
    return;
  } else if (record.about == About::worker) {
    const auto found = workers_by_name_.find(record.name);
    if (found != workers_by_name_.end()) touched.workers.push_back(found->second->lease);
  } else if (const Client* client = find_client(everybody_, record.name)) {
    touched.clients.insert(client);
    if (touched.owners.empty()) touched.owners.push_back(&everybody_);
  }
}

// Takes what may not be any more: services that are not to be offered, or asked for.
void Broker::restrict(const Touched& touched) {
  if (keys_) {
    for (Principal* who : touched.owners) {
      if (!who->barred) enforce(*who);
    }
    return;
  }
  const std::string why = "the database does not allow it any more";
  for (const std::uint64_t lease : touched.workers) {
    const auto found = workers_.find(lease);
    if (found == workers_.end()) continue;
    Worker& worker = *found->second;
    const Known* known = known_of(About::worker, worker.name);
    const bool fine = !known || std::all_of(worker.seats.begin(), worker.seats.end(), [&](const auto& seat) {
      return fits(known->offers, seat.service->name);
    });
    if (fine) continue;
    send(worker, Drain{.worker = worker.name, .mode = DrainMode::forget});
    strike_off(worker, Happening::left, why);
  }
  const auto barred = [&](const Client& client, const std::string& service) {
    if (!touched.everybody && !touched.clients.contains(&client)) return false;
    const Known* known = known_of(About::client, client.name);
    return known && !fits(known->asks, service);
  };
  if (touched.owners.empty()) return;
  for (Asked* asked = everybody_.waiting.first(); asked;) {
    Asked* after = everybody_.waiting.after(*asked);
    if (barred(*asked->client, asked->service_name.str())) {
      refuse_waiting(*asked, Code::not_allowed, why, "ask for something else, or see: pointsman db show client NAME");
    }
    asked = after;
  }
  for (Session* session = everybody_.sessions.first(); session; session = everybody_.sessions.after(*session)) {
    if (session->released || !barred(*session->client, session->seat->service->name)) continue;
    release(*session);
    if (session->asked && session->asked->updates) {
      send(session->asked->from.address(), Lost{.session = session->id, .id = session->asked->id, .reason = why});
    }
  }
}

// The worker is of other classes from now on, if other attributes count. One for which there is no class any more stays
// as it was.
void Broker::reconsider(Worker& worker) {
  const Attributes& said = worker.said ? *worker.said : worker.profile->attributes;
  const std::optional<Attributes> counts = counting(said, known_of_worker(*worker.owner, worker.name));
  const Attributes& now_counts = counts ? *counts : said;
  if (now_counts == worker.profile->attributes) {
    if (!counts) worker.said = nullptr;
    return;
  }
  const std::string accepts = worker.profile->accepts ? worker.profile->accepts->text() : "";
  std::shared_ptr<const Profile> profile = plain_profile_;
  if (!now_counts.empty() || !accepts.empty()) {
    auto read = Profile::of(now_counts, accepts);
    MUST(std::holds_alternative<std::shared_ptr<const Profile>>(read));  // it has been read before
    profile = std::get<std::shared_ptr<const Profile>>(std::move(read));
  }
  const bool room = std::all_of(worker.seats.begin(), worker.seats.end(), [&](const auto& seat) {
    const Matching& matching = seat.service->matching;
    return matching.classes() < options_.classes_max || matching.find(*profile) || seat.of->seats == 1;
  });
  if (!room) return count(Count::known_left_out);
  if (!counts) {
    worker.said = nullptr;
  } else if (!worker.said) {
    worker.said = std::make_unique<const Attributes>(said);
  }
  worker.profile = std::move(profile);
  for (Seat& seat : worker.seats) {
    Service& service = *seat.service;
    if (Chooser::contains(seat)) service.chooser.remove(seat);
    if (seat.counted) count_slots(seat, seat.room, 0);
    service.matching.leave(*seat.of);
    join_class(seat);
    if (seat.counted) count_slots(seat, 0, seat.room);
    refresh(seat);
  }
}

// Puts a waiting request into the line in which it belongs now, as if it were the newest there; says which, if it is
// another than it was or its priority is.
Demand* Broker::reconsider(Asked& asked) {
  const Known* known = known_of_client(*asked.client->owner, asked.client->name);
  Demand& before = *asked.demand;
  const Attributes& said = before.said ? *before.said : before.attributes;
  const std::optional<Attributes> counts = counting(said, known);
  const auto priority = static_cast<std::uint8_t>(counting(asked.wished, known));
  const bool same = (counts ? *counts : said) == before.attributes;
  if (same && priority == asked.priority) return nullptr;
  Demand* after = &before;
  if (!same) {
    const Request wish{.when = before.when ? before.when->text() : "",
                       .prefer = before.prefer ? before.prefer->text() : "",
                       .attributes = said};
    if (is_plain(wish) && !counts) {
      after = &before.of->plain();
    } else {
      auto found = demands_.of(*before.of, wish, counts);
      if (std::holds_alternative<Fault>(found)) {
        count(Count::known_left_out);  // there are too many already
        return nullptr;
      }
      after = std::get<Demand*>(found);
    }
  }
  if (after->line.empty()) demands_.starts_waiting(*after);
  before.line.erase(asked);
  asked.priority = priority;
  asked.demand = after;
  after->line.append(asked);
  if (before.line.empty()) demands_.stops_waiting(before);
  return after;
}

// Everybody keeps his place by the time of his arrival.
void Broker::reconsider_waiting(const Touched& touched) {
  std::vector<Demand*> lines;
  std::unordered_set<const Demand*> seen;
  std::map<std::string_view, Service*> services;
  for (Principal* who : touched.owners) {
    const bool by_name = !keys_ && !touched.everybody;
    for (Asked* asked = who->waiting.first(); asked; asked = who->waiting.after(*asked)) {
      if (by_name && !touched.clients.contains(asked->client)) continue;
      Demand* demand = reconsider(*asked);
      if (!demand) continue;
      if (seen.insert(demand).second) lines.push_back(demand);
      Service& service = asked->service();
      services.emplace(service.name, &service);
    }
  }
  for (Demand* demand : lines) demand->line.sort();
  for (const auto& [name, service] : services) match(*service);
}

}  // namespace pointsman::broker
