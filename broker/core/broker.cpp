// The frame of the machine: events in, time passed, messages handed to who takes them, and the check of everything.
#include "broker/core/broker.hpp"

#include <algorithm>
#include <utility>

#include "protocol/digest.hpp"

namespace pointsman::broker {

namespace {

// What a refusal of this message names.
template <class M>
Refused about(const M& message) {
  Refused more;
  if constexpr (requires { message.id; }) more.id = message.id;
  if constexpr (requires { message.session; }) more.session = message.session;
  if constexpr (requires { message.number; }) more.number = message.number;
  if constexpr (requires { message.lease; }) more.lease = message.lease;
  return more;
}

}  // namespace

Broker::Broker(Options options)
    : options_(std::move(options)),
      last_id_(options_.epoch),
      chance_(options_.seed),
      demands_(options_.demands_max) {
  MUST(options_.master.data.size() == 32);
  for (const auto& [name, settings] : options_.services) {
    auto service = std::make_unique<Service>(name, settings, chance_.next());
    service->kept = true;
    services_.emplace(name, std::move(service));
  }
}

void Broker::step(Instant now, const Event& event, Actions& out) {
  MUST(now >= now_);
  // Waking late, whatever for, is our own fault: the leases get the time back, and a little more, so that what
  // waits in the sockets is read before anybody is judged. What the step before has left to this one was not overslept.
  if (const Instant due = std::max(deadline(), now_); due != never && now > due + options_.stall) {
    forgiven_ += now - due + options_.stall;
    count(Count::stalls_forgiven);
  }
  now_ = now;
  if (started_ == Instant{}) {
    started_ = now;
    settle_at_ = now + options_.settle;
  }
  out_ = &out;
  pass_time();
  std::visit(
      [this](const auto& e) {
        using E = std::remove_cvref_t<decltype(e)>;
        if constexpr (std::is_same_v<E, Received>) received(e);
        if constexpr (std::is_same_v<E, Garbled>) garbled(e);
        if constexpr (std::is_same_v<E, Gone>) gone(e);
        if constexpr (std::is_same_v<E, Shutdown>) shut_down();
        if constexpr (std::is_same_v<E, GrantUntil>) {
          grants_ = e;
          suspended_ = false;
          if (grants_.until <= now_) suspend();
        }
        if constexpr (std::is_same_v<E, Allowed>) exchange(e);
        if constexpr (std::is_same_v<E, Learned>) learn(e);
        if constexpr (std::is_same_v<E, Recalled>) recall(e);
        if constexpr (std::is_same_v<E, Memory>) weighed(e);
        if constexpr (std::is_same_v<E, Outside>) outside_ = e;
      },
      event);
  out_ = nullptr;
}

Instant Broker::deadline() const {
  Instant due = never;
  if (!worker_timers_.empty() && worker_timers_.first().timer != never) {
    due = worker_timers_.first().timer + forgiven_;
  }
  if (!deadlines_.empty()) due = std::min(due, deadlines_.first_key().at);
  due = std::min(due, settle_at_);
  if (!suspended_) due = std::min(due, grants_.until);
  if (!lapses_.empty()) due = std::min(due, lapses_.first_key().at);
  if (!telling_.empty()) due = std::min(due, telling_.first()->tell);
  if (!untelling_.empty()) due = std::min(due, untelling_.first()->tell_at);
  if (!ended_.empty()) due = std::min(due, ended_.first()->until);
  if (!ramps_.empty()) due = std::min(due, ramps_.begin()->first.first);
  for (const Watcher& watcher : watchers_) due = std::min(due, watcher.until);
  return due;
}

// What has run out by now goes first: whatever the event is, it meets a world without it.
void Broker::pass_time() {
  if (grants_.until <= now_ && !suspended_) suspend();
  while (!deadlines_.empty() && deadlines_.first_key().at <= now_) {
    Asked& asked = deadlines_.first();
    const Matching& matching = *asked.demand->of;
    const bool none = asked.demand->matches == 0 && matching.classes() > 0;
    refuse_waiting(asked, Code::timed_out,
                   none ? "no worker matched while the request would wait: " + matching.why_none(*asked.demand)
                        : "nobody became free while the request would wait",
                   none ? "ask for something else, or start a worker that matches" : "wait longer, or start more workers");
  }
  sweep();
  if (settle_at_ <= now_) settle();
  lapse_due();
  while (!ramps_.empty() && ramps_.begin()->first.first <= now_) {
    Seat& seat = *ramps_.begin()->second;
    ramps_.erase(ramps_.begin());
    ramp(seat);
    refresh(seat);
    match(*seat.service);
  }
  tell_workers(now_);
  tell_due();
  forget_due();
  drop_watchers([this](const Watcher& watcher) { return watcher.until <= now_; });
}

// A worker may have brought sessions with any number.
std::uint64_t Broker::next_id() {
  do ++last_id_;
  while (find_session(last_id_));
  return last_id_;
}

void Broker::received(const Received& event) {
  count(Count::messages);
  asker_ = &event.key;
  Principal* who = identify(event.key);
  std::visit(
      [&](const auto& message) {
        using M = std::remove_cvref_t<decltype(message)>;
        static constexpr Right right = right_of(M::op);
        if constexpr (right.clients || right.workers) {
          if (event.from.door == Door::workers ? right.workers : right.clients) {
            // Only for a refusal is it put together what that is about.
            const bool free = who && !who->may;
            if (free) {
              principal_ = who;
              scope_ = Scope::all;
            }
            if (free || may(right, event.from, who, about(message))) on(event.from, message);
            return;
          }
        }
        principal_ = who;
        count(Count::wrong_role);
        std::string remedy = "this message is not for a broker";
        if constexpr (right.workers) remedy = "send it to the listener for workers";
        if constexpr (right.clients) remedy = "send it to the listener for clients";
        Refused more = about(message);
        more.lease = 0;
        refuse(event.from, M::op, Code::wrong_role,
               std::string(M::op) + " is not taken by the listener for " +
                   (event.from.door == Door::workers ? "workers" : "clients"),
               remedy, std::move(more));
      },
      event.message);
  principal_ = nullptr;
  asker_ = nullptr;
}

void Broker::garbled(const Garbled& event) {
  count(Count::garbled);
  asker_ = &event.key;
  principal_ = identify(event.key);
  Refused more;
  more.id = event.fault.id;
  more.session = event.fault.session;
  // Bytes that cannot be read cost at least what a message costs.
  const Right right{.op = event.fault.op, .client = Scope::own, .worker = Scope::own, .peer = Scope::own,
                               .admin = Scope::own, .metered = true};
  if (may(right, event.from, principal_, more)) {
    refuse(event.from, event.fault.op, event.fault.code, event.fault.reason, "see PROTOCOL.md", more);
  }
  principal_ = nullptr;
  asker_ = nullptr;
}

// Refuses newcomers above the limit, and takes them again well below it.
void Broker::weighed(const Memory& event) {
  memory_ = event;
  if (event.most == 0) {
    overloaded_ = false;
  } else if (!overloaded_ && event.resident > event.most) {
    overloaded_ = true;
    count(Count::overloads);
  } else if (overloaded_ && event.resident < event.most - event.most / 10) {
    overloaded_ = false;
  }
}

void Broker::gone(const Gone& event) {
  count(Count::connections_gone);
  if (event.door == Door::workers) {
    // The lease judges the worker; but until it is heard from again it gets nobody.
    const auto found = workers_by_peer_.find(event.peer);
    if (found == workers_by_peer_.end()) return;
    for (Worker* worker = found->second.first(); worker; worker = found->second.after(*worker)) {
      worker->probing = true;
      if (worker->probe_ends == never) worker->probe_ends = now_ - forgiven_ + options_.probe;
      retime(*worker);
      refresh(*worker);
    }
    return;
  }
  drop_watchers([&](const Watcher& watcher) { return watcher.to.peer == event.peer; });
  // Its waiting requests keep their places for a moment: it may come back by another connection.
  const auto found = waiting_by_peer_.find(event.peer);
  if (found == waiting_by_peer_.end()) return;
  const Instant soon = now_ + std::chrono::seconds(2);
  for (Asked* asked = found->second.first(); asked; asked = found->second.after(*asked)) {
    if (asked->until <= soon) continue;
    asked->until = soon;
    deadlines_.reorder(*asked, deadline_of(*asked));
  }
}

void Broker::shut_down() {
  shutting_down_ = true;
  while (!deadlines_.empty()) {
    refuse_waiting(deadlines_.first(), Code::shutting_down, "the broker is stopping",
                   "ask again, with the same id, when it is back");
  }
  tell_workers(never);
}

// Somebody else may be about to do what this broker did: nobody waits here for that to be found out.
void Broker::suspend() {
  suspended_ = true;
  count(Count::suspensions);
  while (!deadlines_.empty()) {
    refuse_waiting(deadlines_.first(), Code::shutting_down, suspended_reason, suspended_remedy);
  }
}

void Broker::refuse(const Address& to, std::string_view about, Code code, std::string reason, std::string remedy,
                    Refused more) {
  ++refused_[static_cast<std::size_t>(code)];
  if (principal_) ++principal_->refused;
  more.about = about.substr(0, limits::name);
  more.code = code;
  more.reason = reason.substr(0, limits::text);
  more.remedy = std::move(remedy);
  audit_refusal(more);
  send(to, std::move(more));
}

bool Broker::offers(std::string_view service, std::string_view when) const {
  const auto found = services_.find(service);
  if (found == services_.end() || found->second->seats.empty()) return false;
  if (when.empty()) return true;
  const auto parsed = Condition::parse(when);
  const auto* condition = std::get_if<Condition>(&parsed);
  bool met = false;
  found->second->matching.each_class([&](const Class& one) {
    met |= condition != nullptr && one.slots > 0 && condition->holds(one.profile->attributes);
  });
  return met;
}

void Broker::check() const {
  worker_timers_.check();
  deadlines_.check();
  lapses_.check();

  // Workers agree with their sessions, and the indexes with the workers.
  MUST(workers_by_name_.size() == workers_.size());
  for (const auto& [name, below] : brokers_below_) {
    MUST(below.worker == workers_by_name_.at(name) && below.worker->direct == Direct::broker);
  }
  std::uint64_t by_peer = 0;
  for (const auto& [peer, chain] : workers_by_peer_) {
    MUST(!chain.empty());
    for (const Worker* w = chain.first(); w; w = chain.after(*w)) MUST(w->from.peer() == peer);
    by_peer += chain.size();
  }
  MUST(by_peer == workers_.size());
  std::uint64_t sessions = 0, silent = 0, charged = 0;
  for (const auto& [name, worker] : workers_by_name_) {
    MUST(worker->name.view() == name && worker->name.view().data() == name.data());
    MUST(workers_.at(worker->lease).get() == worker);
    std::uint64_t used = 0, digest = 0;
    for (const Session* s = worker->sessions.first(); s; s = worker->sessions.after(*s)) {
      MUST(s->worker() == worker);
      MUST(find_session(s->id) == s);
      MUST(s->released == worker->releasing.contains(*s));
      ++used;
      digest ^= digest_of(s->id);
    }
    MUST(used == worker->used);
    MUST(digest == worker->digest);
    sessions += used;
    silent += worker->silent;
    charged += worker->charge;
    MUST(worker_timers_.contains(*worker));
    MUST(worker->untold.empty() != untelling_.contains(*worker));
    MUST(worker->failures == 0 || doing_.contains(*worker));
    MUST(worker->untold.size() <= worker->assigned && worker->untold.size() < limits::events);
    for (const Seat& seat : worker->seats) {
      MUST(seat.worker == worker);
      MUST(seat.connections == worker->used);
      MUST(seat.pace == worker->pace.time);
      const bool room = worker->available() && worker->used < worker->slots && seat.used < seat.room;
      MUST(Chooser::contains(seat) == room);
    }
  }
  MUST(sessions == sessions_.size());
  MUST(sessions == all_sessions_.size());
  MUST(silent == silent_);
  MUST(charged == total_charge_);

  // Services agree with their seats and lines; nobody waits while a slot is free.
  std::uint64_t waiting = 0;
  for (const auto& [name, service] : services_) {
    service->chooser.check();
    service->matching.check(static_cast<std::size_t>(now_.time_since_epoch().count()));
    std::uint64_t used = 0, slots = 0, free = 0, in_line = 0, of_classes = 0;
    std::map<const Class*, std::pair<std::uint64_t, std::uint64_t>> of_class;  // seats, slots
    for (const Seat* seat : service->seats) {
      MUST(seat->service == service.get());
      used += seat->used;
      MUST(service->seats[seat->index] == seat);
      MUST(seat->counted == seat->worker->available());
      if (seat->counted) slots += seat->room;
      free += Chooser::contains(*seat);
      MUST(seat->of->index == seat->class_index && seat->of->profile->text == seat->worker->profile->text);
      ++of_class[seat->of].first;
      if (seat->counted) of_class[seat->of].second += seat->room;
    }
    service->matching.each_class([&](const Class& one) {
      MUST(of_class[&one] == std::pair(one.seats, one.slots));
      of_classes += one.seats;
    });
    MUST(of_classes == service->seats.size());
    MUST(service->matching.classes() <= options_.classes_max);
    MUST(used == service->used);
    MUST(slots == service->slots);
    MUST(free == service->chooser.size());
    for (const Demand* demand : service->matching.waiting()) {
      const bool served = demand->matching.meets(service->chooser.free());
      demand->line.check();
      std::size_t order = 0;
      Line::Walk walk = demand->line.walk();
      for (const Asked* asked = walk.next(); asked; asked = walk.next()) {
        MUST(asked->stage == Asked::Stage::waiting);
        MUST(asked->demand == demand && &asked->service() == service.get());
        MUST(demand->line.order_of(*asked) == order++);
        MUST(demand->line.before(demand->line.turn_of(*asked)) == demand->line.order_of(*asked));
        MUST(asked->until > now_);
        MUST(behind_ || !served || !asked->exclude().empty());
      }
      MUST(order == demand->line.size());
      in_line += demand->line.size();
    }
    MUST(in_line == service->waiting);
    MUST(service->waiting <= std::max<std::uint64_t>(service->settings.queue_max, options_.waiting_max));
    MUST(service->kept || !service->seats.empty() || service->waiting > 0);
    waiting += service->waiting;
  }
  MUST(waiting == waiting_);
  MUST(waiting == deadlines_.size());
  MUST(waiting == 0 || !suspended_);

  demands_.check();

  // Requests agree with what they became.
  std::uint64_t of_peers = 0, ended = 0, uses = 0;
  for (const auto& [peer, chain] : waiting_by_peer_) {
    MUST(!chain.empty());
    of_peers += chain.size();
  }
  MUST(of_peers == waiting);
  asked_.each([&](const Asked& asked) {
    MUST(find_request(*asked.client->owner, asked.client->name, asked.id) == &asked);
    ++uses;
    if (asked.stage == Asked::Stage::waiting)
      MUST(deadlines_.contains(asked) && asked.client->owner->waiting.contains(asked));
    if (asked.stage == Asked::Stage::granted) MUST(asked.session && asked.session->asked == &asked);
    ended += asked.stage == Asked::Stage::ended;
  });
  MUST(ended == ended_.size());
  MUST(ended <= options_.remembered_max);
  std::uint64_t reserved = 0;
  sessions_.each([&](const Session& session) {
    MUST(find_session(session.id) == &session);
    MUST(!session.asked || (session.asked->session == &session && session.asked->client == session.client));
    MUST(!session.asked || session.asked->stage == Asked::Stage::granted);
    ++uses;
    MUST(session.open != lapses_.contains(session));
    reserved += !session.open;
  });
  MUST(reserved == lapses_.size());
  std::uint64_t in_lines = 0, held = 0;  // by clients
  clients_.each([&](const Client& client) {
    MUST(find_client(*client.owner, client.name) == &client);
    MUST(client.uses > 0 && client.holder == holder_of(client.name));
    uses -= client.uses;
    in_lines += client.waiting;
    held += client.sessions;
  });
  MUST(in_lines == waiting_ && held == sessions_.size());
  MUST(uses == 0);
  MUST(watchers_.size() <= options_.watchers_max);
  check_principals();
}

// Everything belongs to somebody, who knows of it.
void Broker::check_principals() const {
  std::uint64_t workers = 0, waiting = 0, sessions = 0, remembered = 0, watchers = 0;
  const auto check = [&](const Principal& who) {
    for (const Worker* w = who.workers.first(); w; w = who.workers.after(*w)) MUST(w->owner == &who);
    for (const Asked* a = who.waiting.first(); a; a = who.waiting.after(*a)) {
      MUST(a->client->owner == &who && a->stage == Asked::Stage::waiting);
    }
    for (const Session* s = who.sessions.first(); s; s = who.sessions.after(*s))
      MUST(s->client->owner == &who);
    workers += who.workers.size();
    waiting += who.waiting.size();
    sessions += who.sessions.size();
    remembered += who.remembered;
    watchers += who.watchers;
    // A key that may nothing has nothing but sessions that are about to end.
    if (who.barred) MUST(who.workers.empty() && who.waiting.empty() && who.watchers == 0);
  };
  check(everybody_);
  MUST(principals_by_number_.size() == principals_.size());
  for (const auto& entry : principals_by_number_) {
    MUST(principals_.at(entry.second->key).get() == entry.second);
    MUST(entry.second->barred == (entry.second->may == nullptr));
    check(*entry.second);
  }
  MUST(workers == workers_.size());
  MUST(waiting == waiting_);
  MUST(sessions == sessions_.size());
  MUST(remembered == asked_.size());
  MUST(watchers == watchers_.size());
}

}  // namespace pointsman::broker
