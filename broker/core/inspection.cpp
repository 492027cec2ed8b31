// Looking into the broker: listings, explanations, watchers, counters, settings.
#include <algorithm>
#include <charconv>

#include "broker/core/broker.hpp"
#include "protocol/names.hpp"

namespace pointsman::broker {

namespace {

Milliseconds in_ms(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration); }

// Candidates that an explanation names one by one.
constexpr std::size_t candidates_max = 100;

std::uint64_t number_of(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string plural(std::uint64_t count, std::string_view thing) {
  return std::to_string(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

}  // namespace

void Broker::on(const Address& from, const List& message) {
  Listing page{.of = message.of};
  const std::size_t limit = message.limit;
  const Service* only = nullptr;
  if (!message.service.empty()) {
    only = find_service(message.service);
    if (!only) {
      return refuse(from, List::op, Code::unknown_service, "nobody offers \"" + message.service + "\"",
                    "see: pointsman ls services");
    }
  }
  switch (message.of) {
    case Subject::services:
      for (auto it = services_.upper_bound(message.after); it != services_.end(); ++it) {
        if (only && it->second.get() != only) continue;
        if (page.services.size() == limit) {
          page.next = page.services.back().service;
          break;
        }
        page.services.push_back(row_of(*it->second));
      }
      break;
    case Subject::workers:
      for (auto it = workers_by_name_.upper_bound(message.after); it != workers_by_name_.end(); ++it) {
        const auto& seats = it->second->seats;
        if (only && std::none_of(seats.begin(), seats.end(), [&](const auto& s) { return s->service == only; })) {
          continue;
        }
        if (page.workers.size() == limit) {
          page.next = page.workers.back().worker;
          break;
        }
        page.workers.push_back(row_of(*it->second));
      }
      break;
    case Subject::sessions: {
      // Pages in order of arrival, which is that of their numbers but for adopted ones. If the session that ended
      // the last page is gone, its place is looked for.
      const std::uint64_t last = number_of(message.after);
      const Session* session = all_sessions_.first();
      if (const auto at = sessions_.find(last); at != sessions_.end()) {
        session = all_sessions_.after(at->second);
      } else {
        while (session && session->id <= last) session = all_sessions_.after(*session);
      }
      for (; session; session = all_sessions_.after(*session)) {
        if (only && session->seat->service != only) continue;
        if (page.sessions.size() == limit) {
          page.next = std::to_string(page.sessions.back().session);
          break;
        }
        page.sessions.push_back(row_of(*session));
      }
      break;
    }
    case Subject::waiting: {
      // Service by service, in the order of each line; `after` is SERVICE-independent: how many rows came before.
      std::uint64_t skip = number_of(message.after);
      const std::uint64_t before = skip;
      for (const auto& [name, service] : services_) {
        if (only && service.get() != only) continue;
        if (skip >= service->line.size()) {
          skip -= service->line.size();
          continue;
        }
        auto it = service->line.find_by_order(skip);
        skip = 0;
        for (; it != service->line.end() && page.waiting.size() < limit; ++it) {
          page.waiting.push_back(row_of(*it->second));
        }
        if (page.waiting.size() == limit) break;
      }
      if (page.waiting.size() == limit) page.next = std::to_string(before + limit);
      break;
    }
    case Subject::count_: break;
  }
  send(from, std::move(page));
}

ServiceRow Broker::row_of(const Service& service) const {
  ServiceRow row{.service = service.name,
                 .policy = service.settings.policy,
                 .workers = service.seats.size(),
                 .slots = service.slots,
                 .used = service.used,
                 .waiting = service.line.size(),
                 .granted = service.granted,
                 .refused = service.refused};
  if (!service.line.empty()) row.oldest_ms = in_ms(now_ - service.line.begin()->second->arrived);
  if (service.chooser.size() == 0) row.expected_ms = in_ms(expected(service, service.line.size()));
  return row;
}

// What the worker itself counts on: without the grace on top.
Milliseconds Broker::left_of(const Worker& worker) const {
  return std::max(Milliseconds(0), in_ms(worker.ends - grace_of(worker) - (now_ - forgiven_)));
}

WorkerRow Broker::row_of(const Worker& worker) const {
  const bool endless = worker.term == Duration{0};
  WorkerRow row{.worker = worker.name,
                .state = worker.suspect() ? State::suspect : worker.draining ? State::draining : State::alive,
                .why = worker.available() ? "" : why_not(worker),
                .slots = worker.slots,
                .used = worker.used,
                .weight = worker.seats.front()->weight,
                .lease_ms = endless ? forever : in_ms(worker.term),
                .left_ms = endless ? forever : left_of(worker),
                .endpoint = worker.endpoint,
                .direct = worker.direct,
                .age_ms = in_ms(now_ - worker.registered),
                .granted = worker.granted,
                .completed = worker.completed,
                .busy_ms = worker.busy,
                .lease = worker.lease};
  for (const auto& seat : worker.seats) row.services.push_back(seat->service->name);
  return row;
}

SessionRow Broker::row_of(const Session& session) const {
  return {.session = session.id,
          .service = session.seat->service->name,
          .worker = session.worker->name,
          .client = session.client,
          .id = session.request,
          .state = session.open ? State::open : State::reserved,
          .age_ms = in_ms(now_ - session.granted)};
}

WaitingRow Broker::row_of(const Asked& asked) const {
  return {.id = asked.id,
          .client = asked.client,
          .service = asked.service->name,
          .priority = asked.priority,
          .position = position(asked),
          .waited_ms = in_ms(now_ - asked.arrived),
          .left_ms = in_ms(asked.deadline - now_)};
}

std::string Broker::why_not(const Worker& worker) const {
  if (worker.silent) return "its lease ran out without a heartbeat";
  if (worker.unanswered) return "a client could not reach it, and it did not answer since";
  if (worker.hung) return "it holds sessions but shows no progress";
  if (worker.draining) return worker.mode == DrainMode::leave ? "it is draining and will leave" : "it is draining";
  if (worker.probing) return "a client could not reach it; it is asked for a sign of life";
  if (worker.used >= worker.slots) return "all of its " + plural(worker.slots, "slot") + " are in use";
  return "";
}

CandidateRow Broker::candidate(const Seat& seat, const std::vector<std::string>& exclude) const {
  const Worker& worker = *seat.worker;
  CandidateRow row{.worker = worker.name, .why = why_not(worker)};
  if (std::find(exclude.begin(), exclude.end(), worker.name) != exclude.end()) {
    row.why = "the request excludes it";
    row.remedy = "ask without exclude";
  } else if (worker.suspect() || worker.probing) {
    row.remedy = "see to the worker; any message of it brings it back";
  } else if (worker.draining) {
    row.remedy = "pointsman drain --resume " + worker.name;
  } else if (worker.used >= worker.slots) {
    row.remedy = "wait for a session to end, or start more workers";
  } else if (seat.used >= seat.room) {
    row.why = seat.room < seat.slots ? "slow start: " + plural(seat.room, "slot") + " of " +
                                           std::to_string(seat.slots) + " so far, all in use"
                                     : "its " + plural(seat.room, "slot") + " for this service are in use";
    row.remedy = "wait for a session to end";
  }
  row.free = row.why.empty();
  if (row.free) row.why = std::to_string(seat.room - seat.used) + " of " + plural(seat.room, "slot") + " free";
  return row;
}

void Broker::candidates(const Service& service, const std::vector<std::string>& exclude, Explained& out) const {
  for (const Seat* seat : service.seats) {
    if (out.candidates.size() == candidates_max) break;
    out.candidates.push_back(candidate(*seat, exclude));
  }
  out.more = service.seats.size() - out.candidates.size();
}

void Broker::on(const Address& from, const Explain& message) {
  Explained out;
  const auto unknown = [&](Code code, const std::string& what) {
    refuse(from, Explain::op, code, what, "see: pointsman ls", {.id = message.id, .session = message.session});
  };
  if (!message.id.empty()) {
    const auto found = asked_.find(key_of(message.client, message.id));
    if (found == asked_.end()) {
      return unknown(Code::unknown_request, "no request \"" + message.id + "\" of client \"" + message.client +
                                                "\" waits, is granted, or ended lately");
    }
    explain_request(*found->second, out);
  } else if (message.session != 0) {
    const auto found = sessions_.find(message.session);
    if (found == sessions_.end()) {
      return unknown(Code::unknown_session, "session " + std::to_string(message.session) + " is over or not known");
    }
    const Session& session = found->second;
    out.subject = "session " + std::to_string(session.id);
    out.verdict = std::string(session.open ? "open" : "reserved, nobody has come yet") + " at " + session.worker->name +
                  " for client \"" + session.client + "\", granted " +
                  std::to_string(in_ms(now_ - session.granted).count()) + " ms ago";
    if (session.asked) out.because.push_back(session.asked->reasoning);
  } else if (!message.worker.empty()) {
    const auto found = workers_by_name_.find(message.worker);
    if (found == workers_by_name_.end()) {
      return unknown(Code::unknown_worker, "no worker \"" + message.worker + "\" is registered");
    }
    explain_worker(*found->second, out);
  } else if (!message.service.empty()) {
    const Service* service = find_service(message.service);
    if (!service) return unknown(Code::unknown_service, "nobody offers \"" + message.service + "\"");
    explain_service(*service, out);
  } else {
    return refuse(from, Explain::op, Code::bad_message, "explain what? Give id, session, worker or service", {});
  }
  send(from, std::move(out));
}

void Broker::explain_request(const Asked& asked, Explained& out) {
  out.subject = "request " + asked.id + " for " + asked.service_name;
  switch (asked.stage) {
    case Asked::Stage::waiting: {
      const std::uint64_t at = position(asked);
      out.verdict = "waiting for " + std::to_string(in_ms(now_ - asked.arrived).count()) + " ms, position " +
                    std::to_string(at) + " of " + std::to_string(asked.service->line.size()) + ", times out in " +
                    std::to_string(in_ms(asked.deadline - now_).count()) + " ms";
      explain_service(*asked.service, out);
      out.candidates.clear();
      candidates(*asked.service, asked.exclude, out);
      return;
    }
    case Asked::Stage::granted:
      out.verdict = "granted " + asked.answer.worker + " as session " + std::to_string(asked.session_id) + " after " +
                    std::to_string(asked.answer.waited_ms.count()) + " ms";
      out.because.push_back(asked.reasoning);
      return;
    case Asked::Stage::ended:
      out.verdict = "over: " + std::string(word(asked.ending));
      if (!asked.reasoning.empty()) out.because.push_back(asked.reasoning);
      out.remedy = "ask with a new id";
      return;
  }
}

void Broker::explain_worker(const Worker& worker, Explained& out) const {
  out.subject = "worker " + worker.name;
  const std::string why = why_not(worker);
  out.verdict = why.empty() ? "takes sessions: " + std::to_string(worker.slots - worker.used) + " of " +
                                  plural(worker.slots, "slot") + " free"
                            : "gets no sessions now: " + why;
  for (const auto& seat : worker.seats) {
    const CandidateRow row = candidate(*seat, {});
    out.because.push_back(seat->service->name + ": " + row.why);
    if (out.remedy.empty()) out.remedy = row.remedy;
  }
}

void Broker::explain_service(const Service& service, Explained& out) const {
  if (out.subject.empty()) out.subject = "service " + service.name;
  const bool waits = service.chooser.size() == 0;
  if (out.verdict.empty()) {
    out.verdict = waits ? "a request would wait behind " + std::to_string(service.line.size()) + " others"
                        : "a request would be granted at once: " + plural(service.chooser.size(), "worker") +
                              " with a free slot";
  }
  out.because.push_back(plural(service.seats.size(), "worker") + ", " + std::to_string(service.used) + " sessions on " +
                        plural(service.slots, "slot") + " of those that are available");
  if (waits) {
    out.remedy = service.seats.empty() ? "start a worker: pointsman worker --service " + service.name + " -- COMMAND"
                 : service.slots == 0  ? "bring a worker back, or start one"
                                       : "wait for a session to end, or start more workers";
  }
  candidates(service, {}, out);
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
  if (changes) emit(Happening::configured, {.service = service->name, .detail = word(set.policy)});
  send(from, Configured{.service = service->name,
                        .policy = set.policy,
                        .queue_max = set.queue_max,
                        .slow_start_ms = in_ms(set.slow_start),
                        .aging_ms = in_ms(set.aging),
                        .hang_ms = in_ms(set.hang)});
}

void Broker::on(const Address& from, const Watch& message) {
  std::erase_if(watchers_, [&](const Watcher& watcher) { return watcher.to == from; });
  if (!message.stop) {
    if (watchers_.size() >= options_.watchers_max) {
      return refuse(from, Watch::op, Code::limit_reached,
                    "watchers_max is " + std::to_string(options_.watchers_max), "stop another watcher");
    }
    std::uint64_t kinds = 0;
    for (const Happening kind : message.kinds) kinds |= 1ULL << static_cast<unsigned>(kind);
    watchers_.push_back({from, message.service, message.kinds.empty() ? ~0ULL : kinds, now_ + options_.watch_term});
  }
  send(from, Watching{.last = events_, .term_ms = message.stop ? Milliseconds(0) : in_ms(options_.watch_term)});
}

void Broker::emit(Happening kind, const Note& note) {
  ++events_;
  for (const Watcher& watcher : watchers_) {
    if (!(watcher.kinds & (1ULL << static_cast<unsigned>(kind)))) continue;
    if (!watcher.service.empty() && watcher.service != note.service) continue;
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
  add("workers", workers_.size());
  add("services", services_.size());
  add("sessions", sessions_.size());
  add("waiting", waiting_);
  add("remembered", ended_.size());
  add("watchers", watchers_.size());
  add("events", events_);
  for (const auto& [name, value] : counters_) add(name, value);
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
