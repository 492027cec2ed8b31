// Requests at the broker: asking and granting.
#include <algorithm>
#include <cmath>

#include "broker/core/broker.hpp"
#include "protocol/ticket.hpp"

namespace pointsman::broker {

namespace {

Milliseconds in_ms(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration); }

// A wait is judged hopeless only after this many sessions have shown how long one takes.
constexpr std::uint64_t hopeless_samples = 10;

std::string nobody_offers(const std::string& service) { return "nobody offers \"" + service + "\""; }

std::string start_a_worker(const std::string& service) {
  return "start a worker: pointsman worker --service " + service + " -- COMMAND; or ask with absent=true to wait for one";
}

std::string nobody_matches(const Service& service, Demand& demand) {
  return "no worker of \"" + service.name + "\" matches: " + service.matching.why_none(demand);
}

constexpr const char* match_somebody =
    "ask for something else, start a worker that matches, or ask with absent=true to wait for one";

}  // namespace

Asked* Broker::find_request(const Principal& owner, std::string_view client, std::string_view id) const {
  const Client* known = find_client(owner, client);
  if (!known) return nullptr;
  return asked_.find(hash_of(*known, id),
                     [&](const Asked& asked) { return asked.client == known && asked.id.view() == id; });
}

// The workers had their time to come back. Some requests that none of them will do for are refused now, and the rest in
// the next steps.
void Broker::settle() {
  std::vector<Asked*> unserved;
  for (const auto& [name, service] : services_) {
    if (service->settings.on_demand) continue;
    for (const Demand* demand : service->matching.waiting()) {
      if (demand->matches > 0) continue;
      Line::Walk walk = demand->line.walk();
      for (Asked* asked = walk.next(); asked && unserved.size() < sweep_max; asked = walk.next())
        if (!asked->absent) unserved.push_back(asked);
    }
  }
  settle_at_ = unserved.size() < sweep_max ? never : now_;
  for (Asked* asked : unserved) {
    const Service& service = asked->service();
    if (service.seats.empty()) {
      refuse_waiting(*asked, Code::unknown_service, nobody_offers(service.name), start_a_worker(service.name));
    } else {
      refuse_waiting(*asked, Code::no_match, nobody_matches(service, *asked->demand), match_somebody);
    }
  }
}

Asked& Broker::remember(Client& client, std::string_view id, const Service& service) {
  Asked& asked = asked_pool_.make();
  asked.client = &client;
  ++client.uses;
  asked.id = Text(id);
  asked.service_name = service.shared_name;
  asked.arrived = now_;
  asked.hash = hash_of(client, id);
  asked_.insert(asked.hash, asked);
  ++client.owner->remembered;
  return asked;
}

Asked& Broker::remember(const Address& from, const Request& message, std::uint64_t priority, const Service& service) {
  Asked& asked = remember(need_client(*principal_, message.client), message.id, service);
  asked.from = Origin(from);
  asked.updates = message.updates;
  asked.absent = message.absent;
  asked.priority = static_cast<std::uint8_t>(priority);
  asked.wished = static_cast<std::uint8_t>(message.priority);
  asked.term = in_short(message.term_ms.count() == 0 ? options_.session_term : Duration(message.term_ms));
  if (!message.exclude.empty()) aside(asked).exclude = message.exclude;
  asked.conditional = !message.when.empty();
  return asked;
}

Aside& Broker::aside(Asked& asked) {
  if (!asked.aside) {
    asked.aside = std::make_unique<Aside>();
    asked.aside->asked = &asked;
  }
  return *asked.aside;
}

Service* Broker::find_service(const std::string& name) {
  const auto found = services_.find(name);
  return found == services_.end() ? nullptr : found->second.get();
}

// The service, made if need be; none if that would exceed the bound.
Service* Broker::need_service(const std::string& name) {
  if (Service* service = find_service(name)) return service;
  if (services_.size() >= options_.services_max) return nullptr;
  auto service = std::make_unique<Service>(name, options_.service, chance_.next());
  return services_.emplace(name, std::move(service)).first->second.get();
}

void Broker::maybe_erase(Service& service) {
  if (service.kept || !service.seats.empty() || service.waiting > 0) return;
  demands_.drop_all(service.matching);
  services_.erase(service.name);
}

void Broker::on(const Address& from, const Request& message) {
  count(Count::requests);
  if (Asked* known = find_request(*principal_, message.client, message.id)) return repeat(from, *known, message);
  if (message.failed != 0) report_failed(message);

  Service* service = find_service(message.service);
  const auto no = [&](Code code, std::string reason, std::string remedy, Milliseconds retry = {}) {
    if (service) ++service->refused;
    emit(Happening::refused, {.service = message.service,
                              .client = message.client,
                              .id = message.id,
                              .detail = word(code),
                              .asker = principal_});
    refuse(from, Request::op, code, std::move(reason), std::move(remedy),
           {.id = message.id, .retry_ms = retry});
    if (service) maybe_erase(*service);
  };
  if (shutting_down_) {
    return no(Code::shutting_down, "the broker is stopping", "ask again, with the same id, when it is back");
  }
  if (suspended_) return no(Code::shutting_down, suspended_reason, suspended_remedy, Milliseconds(1000));
  const Known* known = informed_ ? known_of_client(*principal_, message.client) : nullptr;
  if (const auto fault = fault_of(message, known)) {
    return no(fault->code, fault->reason, "use another key, or have its rights changed",
              fault->code == Code::not_allowed ? Milliseconds(0) : Milliseconds(1000));
  }
  if (overloaded_) return no(Code::overloaded, "the broker is short of memory", "ask again later", Milliseconds(1000));
  const bool settling = settle_at_ != never && message.wait_ms.count() > 0;
  const bool awaited = message.absent || settling || (service && service->settings.on_demand);
  if (!awaited && (!service || service->seats.empty())) {
    return no(Code::unknown_service, nobody_offers(message.service), start_a_worker(message.service));
  }
  if (sessions_.size() >= options_.sessions_max) {
    return no(Code::limit_reached, "sessions_max is " + std::to_string(options_.sessions_max),
              "raise the limit in the broker's configuration", Milliseconds(1000));
  }
  const std::uint64_t priority = counting(message.priority, known);
  const std::optional<Attributes> counts = counting_of(message, known);
  const bool plain = is_plain(message) && !counts;
  if (!service && !plain) service = need_service(message.service);
  Demand* demand = service ? &service->matching.plain() : nullptr;
  if (service && !plain) {
    auto found = demands_.of(service->matching, message, counts);
    if (const auto* fault = std::get_if<Fault>(&found)) {
      const bool full = fault->code == Code::limit_reached;
      return no(fault->code, fault->reason,
                full ? "ask again later, or raise the limit in the broker's configuration"
                     : "see PROTOCOL.md, Attributes and conditions",
                full ? retry_hint(*service) : Milliseconds(0));
    }
    demand = std::get<Demand*>(found);
  }
  if (demand && demand->matches == 0 && !awaited) {
    return no(Code::no_match, nobody_matches(*service, *demand), match_somebody);
  }
  // Free slots are for those who wait already, unless they exclude what is free, or it does not match.
  if (service && (!behind_ || service->waiting == 0)) {
    const std::size_t free = free_for(*service, *demand);
    if (Seat* seat = choose(*service, *demand, message.exclude, message.linked)) {
      Asked& asked = remember(from, message, priority, *service);
      asked.linked = std::find(linked_.begin(), linked_.end(), seat) != linked_.end();
      return grant(asked, *seat, free);
    }
  }
  if (message.wait_ms.count() == 0) {
    return no(Code::no_worker,
              "no slot of \"" + message.service + "\"" + (plain ? "" : " that matches") +
                  " is free, and the request does not wait",
              "let it wait, or start more workers", service ? retry_hint(*service) : Milliseconds(1000));
  }
  if (const Allowance* may = principal_->may; may && may->waiting > 0 && principal_->waiting.size() >= may->waiting) {
    return no(Code::over_quota, "this key may have " + std::to_string(may->waiting) + " requests waiting",
              "wait for an answer first, or have its quota raised", Milliseconds(1000));
  }
  if (known && known->waiting > 0 && waiting_of(*known, *principal_, message.client) >= known->waiting) {
    return no(Code::over_quota, "this client may have " + std::to_string(known->waiting) + " requests waiting",
              "wait for an answer first, or have its quota raised: pointsman db set", Milliseconds(1000));
  }
  const ServiceSettings& settings = service ? service->settings : options_.service;
  const std::uint64_t ahead = service ? service->waiting : 0;
  if (ahead >= settings.queue_max || waiting_ >= options_.waiting_max) {
    return no(Code::queue_full,
              std::to_string(ahead) + " requests wait for \"" + message.service + "\" already; the bound is " +
                  std::to_string(ahead >= settings.queue_max ? settings.queue_max : options_.waiting_max),
              "try again later, or raise queue_max", service ? retry_hint(*service) : Milliseconds(1000));
  }
  if (!service) service = need_service(message.service);
  if (service && !demand) demand = &service->matching.plain();
  if (!service) {
    return no(Code::limit_reached, "services_max is " + std::to_string(options_.services_max),
              "raise the limit in the broker's configuration");
  }
  // Even three standard deviations of luck would not be enough (a wait for k departures of c slots has the
  // standard deviation sqrt(k)/c session times).
  const std::uint64_t slots = slots_for(*service, *demand);
  if (service->sessions_done >= hopeless_samples && slots > 0 && priority == 0) {
    const std::uint64_t before = rivals(*service, *demand);
    const double one = service->mean_session / static_cast<double>(slots);
    const double k = static_cast<double>(before + 1);
    if ((k - 3 * std::sqrt(k)) * one > static_cast<double>(Duration(message.wait_ms).count())) {
      return no(Code::hopeless,
                "about " + std::to_string(in_ms(expected(*service, before, slots)).count()) +
                    " ms of waiting are expected, the request would wait " +
                    std::to_string(message.wait_ms.count()) + " ms",
                "wait longer, or start more workers", retry_hint(*service));
    }
  }
  Asked& asked = remember(from, message, priority, *service);
  asked.demand = demand;
  asked.until = now_ + message.wait_ms;
  enqueue(asked);
}

// Why this key may not ask for that. What waits counts as a session, so that no quota is exceeded when its turn comes.
std::optional<Fault> Broker::fault_of(const Request& message, const Known* known) const {
  if (known && !fits(known->asks, message.service)) {
    return Fault{Code::not_allowed, "the database does not let this client ask for \"" + message.service + "\""};
  }
  if (known && known->sessions > 0 && held_by(*known, *principal_, message.client) >= known->sessions) {
    return Fault{Code::over_quota, "this client may have " + std::to_string(known->sessions) +
                                       " sessions, those that it waits for included"};
  }
  const Allowance* may = principal_->may;
  if (!may) return std::nullopt;
  if (!may_ask(*may, message.service)) {
    return Fault{Code::not_allowed, "this key may not ask for \"" + message.service + "\""};
  }
  if (may->sessions > 0 && principal_->sessions.size() + principal_->waiting.size() >= may->sessions) {
    return Fault{Code::over_quota, "this key may have " + std::to_string(may->sessions) +
                                       " sessions, those that it waits for included"};
  }
  return std::nullopt;
}

// The same request again: its answer was lost, or its client came back by another connection.
void Broker::repeat(const Address& from, Asked& asked, const Request& message) {
  count(Count::requests_repeated);
  switch (asked.stage) {
    case Asked::Stage::waiting:
      // It keeps its place.
      leave_peer(asked);
      asked.from = Origin(from);
      join_peer(asked);
      asked.updates = message.updates;
      // Without a wait it times out with the next step.
      asked.until = now_ + std::max(Duration(1), Duration(message.wait_ms));
      deadlines_.reorder(asked, deadline_of(asked));
      stop_telling(asked);
      return tell(asked, true);
    case Asked::Stage::granted:
      if (!asked.released) {
        asked.from = Origin(from);
        asked.updates = message.updates;
        return send_grant(asked);
      }
      [[fallthrough]];  // its client let it go, and has only to be told
    case Asked::Stage::ended:
      return refuse(from, Request::op, asked.ending, "this request is over", "ask with a new id",
                    {.id = asked.id, .session = asked.session_id});
  }
}

// A client could not use its session: its worker gets nobody else until it is heard from, and is asked to
// release the session if it lives. Counts for each session once, and only for its own client.
void Broker::report_failed(const Request& message) {
  Session* found = find_session(message.failed);
  if (!found || !owns(*found, message.client) || found->failed) return;
  Session& session = *found;
  session.failed = true;
  count(Count::sessions_failed);
  Worker& worker = *session.worker();
  release(session);
  worker.probing = true;
  doubt(worker);
  refresh(worker);
}

void Broker::grant(Asked& asked, Seat& seat, std::size_t candidates) {
  Service& service = *seat.service;
  Worker& worker = *seat.worker;
  MUST(worker.available() && worker.used < worker.slots && seat.used < seat.room);
  Session& session = add_session(next_id(), seat, *asked.client);
  session.term = asked.term;
  session.assignment = ++worker.assigned;
  worker.assigned_at = now_;
  reserve(session, options_.ticket_ttl);
  ++seat.granted;
  ++worker.granted;
  ++service.granted;
  count(Count::granted);

  bind(asked, session);
  asked.candidates = static_cast<std::uint32_t>(candidates);
  announce(worker, {.session = session.id,
                    .service = service.name,
                    .client = asked.client->name,
                    .id = asked.id,
                    .key = bytes_of(asked.client->owner->key),
                    .ttl_ms = in_ms(options_.ticket_ttl),
                    .term_ms = asked.term});
  refresh(worker);
  send_grant(asked);
  emit(Happening::granted, {.service = service.name,
                            .worker = worker.name,
                            .client = asked.client->name,
                            .id = asked.id,
                            .session = session.id,
                            .asker = asked.client->owner,
                            .offerer = worker.owner});
}

// From now on the session is the request's answer.
void Broker::bind(Asked& asked, Session& session) {
  session.asked = &asked;
  session.request.reset();
  asked.stage = Asked::Stage::granted;
  asked.session = &session;
  asked.session_id = session.id;
  asked.candidates = 0;
  asked.term = session.term;
  asked.waited = in_short(now_ - asked.arrived);
  asked.policy = session.seat->service->settings.policy;
}

// Seals the ticket for the time that is left of it and answers. The ticket of a session whose time to come is
// over still says so: the worker then tells the client, which asks anew.
void Broker::send_grant(Asked& asked) {
  const Session& session = *asked.session;
  const Worker& worker = *session.worker();
  const Ticket ticket{.epoch = options_.epoch,
                      .session = session.id,
                      .lease = worker.lease,
                      .holder = asked.client->holder,
                      .service = session.seat->service->fingerprint,
                      .issued_ms = in_ms(session.granted.time_since_epoch()),
                      .ttl_ms = in_ms(options_.ticket_ttl),
                      .term_ms = session.term,
                      .key = asked.client->owner->key};
  send(asked.from.address(),
       Granted{.id = asked.id,
               .session = session.id,
               .service = session.seat->service->name,
               .worker = worker.name,
               .endpoint = worker.endpoint,
               .direct = worker.direct,
               .ticket = seal(ticket, {worker.ticket_key.data(), worker.ticket_key.size()}),
               .ttl_ms = std::max(Milliseconds(0), in_ms(session.granted + options_.ticket_ttl - now_)),
               .term_ms = asked.term,
               .waited_ms = asked.waited,
               .policy = asked.policy,
               .key = worker.key});
}

void Broker::refuse_waiting(Asked& asked, Code code, std::string reason, std::string remedy) {
  Service& service = asked.service();
  unqueue(asked);
  ++service.refused;
  emit(Happening::refused, {.service = service.name,
                            .client = asked.client->name,
                            .id = asked.id,
                            .detail = word(code),
                            .asker = asked.client->owner});
  refuse(asked.from.address(), Request::op, code,
         reason + " (" + std::to_string(in_ms(now_ - asked.arrived).count()) + " ms, " +
             std::to_string(service.seats.size()) + " workers, " + std::to_string(service.slots) + " slots)",
         std::move(remedy), {.id = asked.id, .retry_ms = retry_hint(service)});
  forget(asked);
  maybe_erase(service);
}

void Broker::on(const Address& from, const Cancel& message) {
  Asked* known = find_request(*principal_, message.client, message.id);
  if (!known) {
    return refuse(from, Cancel::op, Code::unknown_request, "no request \"" + message.id + "\" of this client is known",
                  {}, {.id = message.id});
  }
  Asked& asked = *known;
  count(Count::cancelled);
  std::uint64_t session = 0;
  if (asked.stage == Asked::Stage::waiting) {
    Service& service = asked.service();
    unqueue(asked);
    end(asked, Code::cancelled);
    maybe_erase(service);
  } else if (asked.stage == Asked::Stage::granted) {
    session = asked.session_id;
    release(*asked.session);
  } else {
    asked.released = true;  // its session may come back with its worker
  }
  send(from, Cancelled{.id = message.id, .session = session});
}

// The request is over, but its name is known for a while, so that a late repetition does not ask anew.
void Broker::end(Asked& asked, Code how) {
  if (asked.stage == Asked::Stage::waiting) asked.session_id = asked.candidates = 0;
  asked.stage = Asked::Stage::ended;
  asked.ending = how;
  asked.session = nullptr;
  asked.until = now_ + options_.remember;
  if (ended_.size() >= options_.remembered_max && ended_.first()) forget(*ended_.first());
  if (options_.remembered_max == 0) return forget(asked);
  ended_.append(asked);
}

void Broker::forget_due() {
  late_releases_.forget(now_);
  while (!ended_.empty() && ended_.first()->until <= now_) forget(*ended_.first());
}

void Broker::forget(Asked& asked) {
  if (ended_.contains(asked)) ended_.erase(asked);
  --asked.client->owner->remembered;
  let_go(*asked.client);
  asked_.erase(asked.hash, asked);
  asked_pool_.free(asked);
}

}  // namespace pointsman::broker
