// What a broker has to do, worked out the long way.

#include "test/sim/reference.hpp"

#include <algorithm>
#include <cmath>

#include "protocol/digest.hpp"
#include "test/sim/wishes.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::seconds;

std::string number(std::uint64_t n) { return std::to_string(n); }

// As many of a line as the broker looks at for one free slot.
constexpr std::size_t looked_at = 32;
constexpr const char* opening = "opened";

}  // namespace

const broker::ServiceSettings& Reference::settings(const std::string& service) const {
  const auto found = services_.find(service);
  return found == services_.end() ? options_.service : found->second;
}

Reference::Worker* Reference::by_name(const std::string& name) {
  for (auto& [lease, worker] : workers_)
    if (worker.name == name) return &worker;
  return nullptr;
}

// Slow start: what a newcomer may take so far.
std::uint64_t Reference::room(const Worker& worker, const std::string& service) const {
  const Seat& seat = worker.seats.at(service);
  const Duration over = settings(service).slow_start;
  const Duration age = now_ - worker.registered;
  if (over == Duration(0) || age >= over) return seat.slots;
  const auto share = static_cast<std::uint64_t>(age.count()) * seat.slots / static_cast<std::uint64_t>(over.count());
  return std::clamp<std::uint64_t>(share, 1, seat.slots);
}

bool Reference::is_free(const Worker& worker, const std::string& service) const {
  const auto seat = worker.seats.find(service);
  return seat != worker.seats.end() && worker.available() && worker.used < worker.slots &&
         seat->second.used < room(worker, service);
}

bool Reference::suits(const Worker& worker, const Asked& asked) {
  return worker.seats.contains(asked.service) && holds(asked.when, worker.attributes) && holds(worker.accepts, asked.attributes);
}

bool Reference::wants_the_same(const Asked& a, const Asked& b) {
  return a.when == b.when && a.prefer == b.prefer && a.attributes == b.attributes;
}

// Both might take the same worker, or want the same at least.
bool Reference::rivals(const Asked& a, const Asked& b) const {
  if (a.service != b.service) return false;
  return wants_the_same(a, b) || std::any_of(workers_.begin(), workers_.end(), [&](const auto& entry) {
           return suits(entry.second, a) && suits(entry.second, b);
         });
}

// Those that it excludes, too.
std::vector<Reference::Worker*> Reference::free_for(const Asked& asked) {
  std::vector<Worker*> free;
  for (auto& [lease, worker] : workers_)
    if (is_free(worker, asked.service) && suits(worker, asked)) free.push_back(&worker);
  return free;
}

std::vector<const Reference::Asked*> Reference::line(const std::string& service, std::vector<Name>* names) const {
  std::vector<std::pair<const Asked*, const Name*>> all;
  for (const auto& [name, asked] : waiting_)
    if (asked->service == service) all.emplace_back(asked, &name);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first->key < b.first->key; });
  std::vector<const Asked*> line;
  for (const auto& [asked, name] : all) {
    line.push_back(asked);
    if (names) names->push_back(*name);
  }
  return line;
}

// ---------------------------------------------------------------------------------------------------
// A step

void Reference::woken(Instant now, Instant deadline) {
  if (deadline == never || now <= deadline) return;
  const Duration late = now - deadline;
  forgiven_ += late + options_.stall;
  if (late > options_.stall) overslept_ += late;
}

void Reference::stepped(Instant now, const broker::Event& event, const broker::Actions& actions) {
  const bool settled = started_ != never && now >= started_ + options_.settle;
  const bool was_settled = started_ != never && now_ >= started_ + options_.settle;
  if (started_ == never) started_ = now;
  now_ = now;
  passing_ = std::holds_alternative<Elapsed>(event);
  while (!ended_.empty() && asked_.at(ended_.front()).forget <= now_) forget_oldest();
  if (const auto* received = std::get_if<Received>(&event)) {
    from_ = received->from;
    const bool worker = received->from.door == Door::workers;
    std::visit([&](const auto& m) {
      using M = std::remove_cvref_t<decltype(m)>;
      constexpr bool of_workers = std::is_same_v<M, Register> || std::is_same_v<M, Heartbeat> || std::is_same_v<M, Report> ||
                                  std::is_same_v<M, Holding> || std::is_same_v<M, Leave>;
      if (of_workers == worker) take(received->from, m);
    }, received->message);
  }
  if (const auto* gone = std::get_if<Gone>(&event)) {
    for (auto& [lease, worker] : workers_) {
      if (gone->door != Door::workers || worker.peer != gone->peer) continue;
      worker.probing = true;
      if (worker.asked_since == never) worker.asked_since = now_;
    }
    for (auto& [name, asked] : waiting_) {
      if (gone->door == Door::clients && asked->known_peer && asked->peer == gone->peer)
        asked->deadline = std::min(asked->deadline, now_ + seconds(2));
    }
  }
  for (const auto& action : actions) {
    const auto& send = std::get<Send>(action);
    std::visit([&](const auto& m) { fact(send.to, m); }, send.message);
  }
  if (settled && !was_settled)
    for (const auto& [name, asked] : waiting_)
      if (unserved(*asked))
        throw Violation(71, "request " + text(name) + " should be refused: the workers had their time to come back");
  settle();
}

// Nothing that had to happen in this step is left, and nothing that could happen.
void Reference::settle() {
  if (many_silent()) braked_until_ = now_;
  if (!expected_.empty())
    throw Violation(25, "session " + number(expected_.front().first) + " should be " + expected_.front().second + " by a report");
  if (refuse_) throw Violation(71, "request " + text(*asking_) + " should be refused: " + std::string(word(*refuse_)));
  if (wanted_) throw Violation(15, "request " + text(*asking_) + " is neither granted nor put in line");
  if (!answer_.empty()) throw Violation(8, "request " + text(*answer_.begin()) + " is not answered with the session that it has");
  for (const auto lease : lost_)
    if (workers_.contains(lease)) throw Violation(50, workers_.at(lease).name + " lost sessions, but is not struck off");
  std::set<std::string> lines;
  for (const auto& [name, asked] : waiting_) {
    if (asked->deadline <= now_) throw Violation(17, "request " + text(name) + " waits past its deadline");
    lines.insert(asked->service);
  }
  for (const auto& service : lines) {
    std::size_t looked = 0;  // at those for whom somebody is free, excluded or not
    for (const Asked* waiting : line(service)) {
      const auto free = free_for(*waiting);
      if (free.empty()) continue;
      if (looked++ == looked_at) break;
      for (const Worker* worker : free)
        if (!waiting->exclude.contains(worker->name))
          throw Violation(15, "a request for " + service + " waits while " + worker->name + " has a free slot");
    }
  }
  if (must_sync_) throw Violation(85, "lease " + number(*must_sync_) + " is not asked for its list, though it differs");
  check_times();
  from_.reset();
  beat_.reset();
  registering_.reset();
  registered_before_.reset();
  asking_.reset();
  enqueue_ = false;
  may_leave_.clear();
  gone_.clear();
  may_release_.clear();
  lost_.clear();
  if (!must_release_.empty())
    throw Violation(84, "session " + number(*must_release_.begin()) + " comes back with its worker, and goes on though nobody wants it");
}

// So many that it is rather the network than they.
bool Reference::many_silent() const {
  const auto silent = static_cast<std::size_t>(
      std::count_if(workers_.begin(), workers_.end(), [](const auto& w) { return w.second.silent_since != never; }));
  return silent >= 3 && silent * 2 > workers_.size();
}

// What must have happened by now.
void Reference::check_times() const {
  const Duration slack = options_.stall + std::chrono::milliseconds(2);
  for (const auto& [lease, worker] : workers_) {
    const Duration given = forgiven_ - worker.forgiven_then + slack;
    if (worker.term > Duration(0) && worker.silent_since == never && now_ > worker.heard + worker.term + worker.term / 5 + given)
      throw Violation(2, "the lease of " + worker.name + " is over, but it is still taken for alive");
    // Long after the brake was on, too: it is put off to at most three terms after it was, and then goes in its turn.
    const auto due = std::max(worker.heard + worker.term + worker.term / 5 + worker.term,
                              braked_until_ + 3 * longest_ + seconds(static_cast<std::int64_t>(workers_.size())));
    if (worker.silent_since != never && now_ > due + given)
      throw Violation(78, worker.name + " has been silent for two terms and more, but is not struck off");
    if (worker.asked_since != never && !worker.unanswered && now_ > worker.asked_since + options_.probe + given)
      throw Violation(1, worker.name + " did not answer a probe, but is not suspect");
  }
  for (const auto& [id, session] : sessions_)
    if (!session.open && session.worker != 0 && session.lapses <= now_)
      throw Violation(29, "session " + number(id) + " is reserved for longer than it may be");
  if (ended_.size() > options_.remembered_max) throw Violation(36, "more requests are remembered than may be");
}

// ---------------------------------------------------------------------------------------------------
// Events

Reference::Worker* Reference::under_lease(const Address& from, std::uint64_t lease) {
  const auto found = workers_.find(lease);
  if (found == workers_.end()) return nullptr;
  Worker& worker = found->second;
  worker.peer = from.peer;
  worker.applied_before = worker.applied;
  worker.heard = now_;
  worker.forgiven_then = forgiven_;
  worker.overslept_then = overslept_;
  worker.probing = worker.unanswered = false;
  worker.asked_since = worker.silent_since = never;
  return &worker;
}

void Reference::take(const Address& from, const Request& m) {
  const Name name{m.client, m.id};
  asking_ = name;
  if (const auto known = asked_.find(name); known != asked_.end()) {
    Asked& asked = known->second;
    if (asked.stage == Asked::Stage::ended) {
      refuse_ = asked.ending;
      return;
    }
    asked.peer = from.peer;
    asked.known_peer = true;
    if (asked.stage == Asked::Stage::granted) {
      if (asked.released) refuse_ = Code::ended;
      else answer_.insert(name);
      return;
    }
    asked.deadline = now_ + std::max<Duration>(m.wait_ms, Duration(1));
    return;
  }
  if (const auto failed = sessions_.find(m.failed);
      failed != sessions_.end() && failed->second.client == m.client && !failed->second.failed && failed->second.worker != 0) {
    failed->second.failed = true;
    Worker& worker = workers_.at(failed->second.worker);
    worker.probing = true;
    if (worker.asked_since == never) worker.asked_since = now_;
    may_release_.insert(m.failed);
  }
  wanted_ = Asked{.service = m.service,
                  .exclude = {m.exclude.begin(), m.exclude.end()},
                  .linked = {m.linked.begin(), m.linked.end()},
                  .when = m.when,
                  .prefer = m.prefer,
                  .attributes = m.attributes,
                  .priority = m.priority,
                  .peer = from.peer,
                  .deadline = now_ + m.wait_ms,
                  .absent = m.absent};
  refuse_ = refusal(m, *wanted_);
  if (refuse_) wanted_.reset();
}

// Why none of the registered workers will ever do for it, if it does not wait for one to come.
std::optional<Code> Reference::unserved(const Asked& asked) const {
  if (asked.absent) return std::nullopt;
  bool offered = false;
  for (const auto& [lease, worker] : workers_) {
    if (!worker.seats.contains(asked.service)) continue;
    if (suits(worker, asked)) return std::nullopt;
    offered = true;
  }
  return offered ? Code::no_match : Code::unknown_service;
}

// Why a request cannot even wait; nothing if it is granted or waits.
std::optional<Code> Reference::refusal(const Request& m, const Asked& asked) const {
  std::uint64_t seats = 0, matching = 0, slots = 0;
  bool free = false;
  for (const auto& [lease, worker] : workers_) {
    if (!worker.seats.contains(m.service)) continue;
    ++seats;
    if (!suits(worker, asked)) continue;
    ++matching;
    if (worker.available()) slots += room(worker, m.service);
    const bool excluded = std::count(m.exclude.begin(), m.exclude.end(), worker.name) > 0;
    free = free || (is_free(worker, m.service) && !excluded);
  }
  const bool settling = now_ < started_ + options_.settle && m.wait_ms.count() > 0;
  if (!m.absent && seats == 0 && !settling) return Code::unknown_service;
  if (!m.absent && matching == 0 && !settling) return Code::no_match;
  if (free) return std::nullopt;
  if (m.wait_ms.count() == 0) return Code::no_worker;
  const auto waiting = line(m.service);
  if (waiting.size() >= settings(m.service).queue_max) return Code::queue_full;
  const auto ahead = std::count_if(waiting.begin(), waiting.end(), [&](const Asked* other) { return rivals(*other, asked); });
  const auto mean = means_.find(m.service);
  if (mean == means_.end() || mean->second.done < 10 || slots == 0 || m.priority != 0) return std::nullopt;
  const double k = static_cast<double>(ahead + 1);
  const double wait = (k - 3 * std::sqrt(k)) * (mean->second.session / static_cast<double>(slots));
  if (wait > static_cast<double>(Duration(m.wait_ms).count())) return Code::hopeless;
  return std::nullopt;
}

void Reference::take(const Address&, const Cancel& m) {
  const Name name{m.client, m.id};
  const auto known = asked_.find(name);
  if (known == asked_.end()) return;
  if (known->second.stage == Asked::Stage::waiting) end(name, Code::cancelled);
  else if (known->second.stage == Asked::Stage::granted) may_release_.insert(known->second.session);
  else known->second.released = true;
}

void Reference::take(const Address&, const Release& m) {
  const auto found = sessions_.find(m.session);
  if (found == sessions_.end()) return let_go(m);
  if (found->second.client == m.client) may_release_.insert(m.session);
}

// No worker holds it, but one may come back with it: its client's word counts for a while.
void Reference::let_go(const Release& m) {
  if (options_.remembered_max == 0) return;
  while (late_.size() >= options_.remembered_max) late_.pop_front();
  late_.push_back({now_ + options_.remember, m.session, m.client});
}

bool Reference::was_let_go(const Held& held) {
  while (!late_.empty() && late_.front().until <= now_) late_.pop_front();
  return std::any_of(late_.begin(), late_.end(), [&](const Late& late) {
    return late.session == held.session && late.client == held.client;
  });
}

void Reference::take(const Address&, const Register& m) {
  registering_ = m;
  const Worker* holder = by_name(m.worker);
  if (!holder) return;
  if (holder->instance == m.instance) registered_before_ = *holder;
  if (holder->instance == m.instance || holder->suspect()) {
    may_leave_.insert(m.worker);
  } else if (auto& asked = workers_.at(holder->lease).asked_since; asked == never) {
    asked = now_;
  }
}

void Reference::take(const Address& from, const Heartbeat& m) {
  Worker* worker = under_lease(from, m.lease);
  if (!worker) return;
  beat_ = m;
  did(*worker, m.completed, m.busy_ms);
}

// What it says of all that it has done.
void Reference::did(Worker& worker, std::uint64_t completed, Milliseconds busy) {
  const auto sessions = std::max(completed, worker.completed) - worker.completed;
  const auto took = std::max(busy, worker.busy) - worker.busy;
  worker.pace.did(sessions, static_cast<std::uint64_t>(took.count()) * 1000);
  worker.completed += sessions;
  worker.busy += took;
}

void Reference::take(const Address& from, const Report& m) {
  Worker* worker = under_lease(from, m.lease);
  if (!worker) return;
  did(*worker, m.completed, m.busy_ms);
  std::uint64_t at = m.first;
  std::set<std::uint64_t> open, over;
  for (const auto& event : m.events) {
    const auto number = at++;
    if (number <= worker->applied) continue;
    if (number > worker->applied + 1) break;
    worker->applied = number;
    const auto found = sessions_.find(event.session);
    if (found == sessions_.end() || found->second.worker != m.lease || over.contains(event.session)) {
      if (!event.closed) must_sync_ = m.lease;
      continue;
    }
    const bool opens = !event.closed || event.ending != Ending::unused;
    if (opens && !found->second.open && open.insert(event.session).second) expected_.emplace_back(event.session, opening);
    if (!event.closed) continue;
    over.insert(event.session);
    expected_.emplace_back(event.session, std::string(word(event.ending)));
  }
}

void Reference::take(const Address& from, const Holding& m) {
  Worker* worker = under_lease(from, m.lease);
  if (!worker || m.reported < worker->applied) return;
  worker->applied = m.reported;
  std::set<std::uint64_t> held;
  for (const auto& row : m.sessions) held.insert(row.session);
  std::vector<std::pair<std::uint64_t, std::string>> over;
  for (const auto& [id, session] : sessions_) {
    if (session.worker != m.lease || held.contains(id) || (session.assignment > m.seen && !session.open)) continue;
    over.emplace_back(id, std::string(word(Ending::lost)));
  }
  expected_.assign(over.begin(), over.end());
  brought_ = m;
  if (expected_.empty()) adopt_brought();
}

// After those that the list ends, which may push requests out of what is remembered.
void Reference::adopt_brought() {
  const Holding brought = *std::exchange(brought_, std::nullopt);
  for (const auto& row : brought.sessions) adopt(workers_.at(brought.lease), row);
}

void Reference::take(const Address&, const Leave& m) {
  if (const auto found = workers_.find(m.lease); found != workers_.end()) may_leave_.insert(found->second.name);
}

void Reference::take(const Address&, const Drain& m) {
  Worker* worker = by_name(m.worker);
  if (!worker || (!m.instance.empty() && m.instance != worker->instance)) return;
  if (m.mode == DrainMode::forget) may_leave_.insert(m.worker);
}

void Reference::take(const Address&, const Configure& m) {
  const auto found = services_.find(m.service);
  if (found == services_.end() || !m.policy || *m.policy == found->second.policy) return;
  found->second.policy = *m.policy;
  for (auto& [lease, worker] : workers_)
    if (const auto seat = worker.seats.find(m.service); seat != worker.seats.end()) seat->second.credit = 0;
}

// A worker says that it holds a session: one that is known, or one of before.
void Reference::adopt(Worker& worker, const Held& held) {
  const auto known = sessions_.find(held.session);
  if (known != sessions_.end() && known->second.worker != 0 && known->second.worker != worker.lease) return;
  const auto seat = worker.seats.find(held.service);
  if (seat == worker.seats.end()) {
    if (known != sessions_.end() && known->second.worker == 0) drop(held.session);
    return;
  }
  const bool fresh = known == sessions_.end();
  if (fresh && sessions_.size() >= options_.sessions_max) return;
  Session& session = sessions_[held.session];
  if (session.worker == 0) {
    session.worker = worker.lease;
    session.service = held.service;
    ++worker.used;
    ++seat->second.used;
  }
  if (fresh) {
    session.client = held.client;
    session.request = {held.client, held.id};
    session.granted = now_;
    session.lapses = now_ + options_.ticket_ttl + 2 * worker.heartbeat + seconds(1);
  }
  session.assignment = fresh ? session.assignment : 0;
  if (held.open && !session.open) expected_.emplace_back(held.session, opening);
  if (!fresh) {
    if (session.released) must_release_.insert(held.session);
    return;
  }
  if (was_let_go(held)) {
    must_release_.insert(held.session);
    return;
  }
  if (held.id.empty()) return;
  const auto [found, unknown] = asked_.try_emplace(session.request);
  Asked& asked = found->second;
  if (!unknown && (asked.stage != Asked::Stage::waiting || asked.service != held.service)) {
    if (!held.open || asked.released) must_release_.insert(held.session);
    return;
  }
  if (unknown) asked.known_peer = false;
  else answer_.insert(session.request);
  waiting_.erase(session.request);
  asked.stage = Asked::Stage::granted;
  asked.session = held.session;
  session.answers = true;
}

// ---------------------------------------------------------------------------------------------------
// Facts

void Reference::fact(const Address& to, const Registered& m) {
  if (!registering_ || registering_->worker != m.worker) throw Violation(50, m.worker + " is registered, but did not ask");
  if (by_name(m.worker)) throw Violation(4, m.worker + " has two leases");
  Worker worker{.name = m.worker, .instance = registering_->instance, .lease = m.lease, .peer = to.peer,
                .slots = registering_->slots, .registered = registered_before_ ? registered_before_->registered : now_, .heard = now_,
                .completed = registering_->completed, .busy = registering_->busy_ms};
  if (registered_before_) worker.pace = registered_before_->pace;
  if (worker.pace.known == 0) worker.pace.did(worker.completed, static_cast<std::uint64_t>(worker.busy.count()) * 1000);
  const bool endless = registering_->lease_ms == forever && options_.lease_forever;
  Duration term = registering_->lease_ms.count() == 0 ? options_.lease : Duration(registering_->lease_ms);
  if (registering_->lease_ms == forever) term = options_.lease_max;
  if (!endless) worker.term = std::clamp(term, options_.lease_min, options_.lease_max);
  worker.heartbeat = (endless ? options_.lease : worker.term) / static_cast<std::int64_t>(options_.heartbeats);
  longest_ = std::max(longest_, worker.term);
  worker.forgiven_then = forgiven_;
  worker.overslept_then = overslept_;
  worker.draining = registering_->draining;
  worker.attributes = registering_->attributes;
  worker.accepts = registering_->accepts;
  for (const auto& offer : registering_->services) {
    const auto slots = offer.slots == 0 ? worker.slots : std::min(offer.slots, worker.slots);
    worker.seats[offer.service] = {.weight = offer.weight, .slots = slots, .order = ++orders_};
  }
  Worker& added = workers_.emplace(m.lease, std::move(worker)).first->second;
  for (const auto& held : registering_->sessions) adopt(added, held);
}

void Reference::fact(const Address&, const Assign& m) {
  const auto found = workers_.find(m.lease);
  if (found == workers_.end()) throw Violation(1, "an assignment under lease " + number(m.lease) + ", which nobody has");
  Worker& worker = found->second;
  if (m.applied != worker.applied && m.applied != worker.applied_before) throw Violation(25, worker.name + " is told " + number(m.applied) + " events as applied");
  if (m.sessions.size() != 1 || m.first != worker.assigned + 1) throw Violation(25, "assignments are numbered with a gap");
  const auto& row = m.sessions.front();
  const Name name{row.client, row.id};
  if (worker.suspect() || worker.probing || worker.draining)
    throw Violation(1, "request " + row.id + " is granted " + worker.name + ", which is not available");
  const auto seat = worker.seats.find(row.service);
  if (seat == worker.seats.end()) throw Violation(12, worker.name + " does not offer " + row.service);
  if (worker.used >= worker.slots || seat->second.used >= room(worker, row.service))
    throw Violation(9, worker.name + " is granted more sessions than it has slots");
  const bool at_once = wanted_ && asking_ == name;
  if (at_once) {
    asked_[name] = *std::exchange(wanted_, std::nullopt);
  }
  const auto waiting = asked_.find(name);
  if (waiting == asked_.end() || waiting->second.stage != Asked::Stage::waiting)
    throw Violation(8, "request " + row.id + " is granted, but does not wait");
  Asked& asked = waiting->second;
  if (asked.service != row.service) throw Violation(12, "request " + row.id + " is granted another service");
  if (asked.exclude.contains(worker.name)) throw Violation(18, "request " + row.id + " is granted " + worker.name + ", which it excludes");
  if (!suits(worker, asked))
    throw Violation(87, "request " + row.id + " (" + asked.when + ") is granted " + worker.name + ", which does not suit it");
  if (!at_once) {
    // With a slow start slots appear in the middle of a step, at one worker after the other.
    const bool appear = settings(row.service).slow_start > Duration(0);
    for (const Asked* earlier : line(row.service)) {
      if (earlier == &asked) break;
      for (const Worker* one : free_for(*earlier))
        if (!earlier->exclude.contains(one->name) && (!appear || one == &worker))
          throw Violation(16, "request " + row.id + " is granted before one that comes earlier in line");
    }
  }
  check_choice(asked, worker);
  worker.assigned = m.first;
  worker.assigned_at = now_;
  ++worker.used;
  ++seat->second.used;
  waiting_.erase(name);
  asked.stage = Asked::Stage::granted;
  asked.session = row.session;
  sessions_[row.session] = {.worker = m.lease, .service = row.service, .request = name, .client = row.client, .answers = true,
                            .granted = now_, .lapses = now_ + options_.ticket_ttl + 2 * worker.heartbeat + seconds(1),
                            .assignment = m.first};
  answer_.insert(name);
}

// The choice is made among those of the free ones that are liked best, and not all excluded.
void Reference::check_choice(const Asked& asked, const Worker& chosen) {
  if (settings(asked.service).slow_start > Duration(0)) return;  // slots appear in the middle of a step
  auto free = free_for(asked);
  const auto likes_less = [&](const Worker* a, const Worker* b) { return better(asked.prefer, b->attributes, a->attributes); };
  while (!free.empty()) {
    const Worker* best = *std::max_element(free.begin(), free.end(), likes_less);
    std::vector<Worker*> level;
    for (Worker* one : free)
      if (!likes_less(one, best)) level.push_back(one);
    if (std::any_of(level.begin(), level.end(), [&](const Worker* one) { return !asked.exclude.contains(one->name); })) {
      if (likes_less(&chosen, best))
        throw Violation(87, chosen.name + " is chosen, but " + best->name + " is liked better (" + asked.prefer + ")");
      return check_choice(asked, chosen, level);
    }
    std::erase_if(free, [&](const Worker* one) { return !likes_less(one, best); });
  }
}

// Whether the policy may choose so. Where it is exact, so is this.
void Reference::check_choice(const Asked& asked, const Worker& chosen, std::vector<Worker*> free) {
  const std::string& service = asked.service;
  const auto& set = settings(service);
  const auto weight = [&](const Worker* w) { return w->seats.at(service).weight; };
  const auto less = [&](const Worker* a, const Worker* b) { return a->used * weight(b) < b->used * weight(a); };
  switch (set.policy) {
    case Policy::weighted_round_robin: {
      // Each free seat earns its weight; the richest pays what all earned. Excluded ones step aside when it is their turn.
      Worker* best = nullptr;
      for (;;) {
        best = nullptr;
        for (Worker* w : free) {
          const auto& a = w->seats.at(service);
          const auto* b = best ? &best->seats.at(service) : nullptr;
          const auto has = a.credit + static_cast<std::int64_t>(a.weight);
          const auto most = b ? b->credit + static_cast<std::int64_t>(b->weight) : 0;
          if (!b || has > most || (has == most && a.order < b->order)) best = w;
        }
        if (!best || !asked.exclude.contains(best->name)) break;
        std::erase(free, best);
      }
      if (best != &chosen) throw Violation(14, chosen.name + " is chosen for " + service + ", but it is " + (best ? best->name : "nobody") + "'s turn");
      std::int64_t sum = 0;
      for (Worker* w : free) {
        w->seats.at(service).credit += static_cast<std::int64_t>(weight(w));
        sum += static_cast<std::int64_t>(weight(w));
      }
      best->seats.at(service).credit -= sum;
      return;
    }
    case Policy::least_connections:
      for (const Worker* w : free)
        if (!asked.exclude.contains(w->name) && less(w, &chosen))
          throw Violation(13, chosen.name + " is chosen for " + service + ", but " + w->name + " has less sessions");
      for (const Worker* w : free)
        if (asked.linked.contains(w->name) && !asked.linked.contains(chosen.name) &&
            !asked.exclude.contains(w->name) && !less(&chosen, w))
          throw Violation(88, chosen.name + " is chosen for " + service +
                                  ", but the client is connected to " + w->name + ", which is as good");
      return;
    case Policy::shortest_expected_delay: {
      const auto sooner = [&](const Worker* a, const Worker* b) {
        return (a->used + 1) * a->pace.time * weight(b) < (b->used + 1) * b->pace.time * weight(a);
      };
      // What the broker guesses of those that have done nothing is its own affair.
      for (const Worker* w : free)
        if (!asked.exclude.contains(w->name) && w->pace.known > 0 && chosen.pace.known > 0 && sooner(w, &chosen))
          throw Violation(98, chosen.name + " is chosen for " + service + ", but " + w->name + " would have done it sooner");
      return;
    }
    case Policy::two_choices:
      if (std::any_of(free.begin(), free.end(), [&](const Worker* w) { return w != &chosen && !asked.exclude.contains(w->name); }) &&
          std::all_of(free.begin(), free.end(), [&](const Worker* w) { return w == &chosen || less(w, &chosen); }))
        throw Violation(13, chosen.name + " is chosen for " + service + ", but all others have less sessions");
      return;
    default: return;
  }
}

void Reference::fact(const Address& to, const Granted& m) {
  // The client is not named in it: it is one of those that must be answered now.
  const auto found = std::find_if(answer_.begin(), answer_.end(), [&](const Name& name) { return name.second == m.id; });
  if (found == answer_.end()) throw Violation(8, "request " + m.id + " is answered with a session, but did not ask");
  const Asked& asked = asked_.at(*found);
  if (asked.session != m.session) throw Violation(8, "request " + m.id + " has session " + number(asked.session) + ", not " + number(m.session));
  if (asked.known_peer && asked.peer != to.peer) throw Violation(74, "the answer to request " + m.id + " goes to another connection");
  const Session& session = sessions_.at(m.session);
  if (m.worker != workers_.at(session.worker).name || m.service != session.service)
    throw Violation(12, "request " + m.id + " is told another worker or service than it has");
  answer_.erase(found);
}

void Reference::fact(const Address&, const Refused& m) {
  if (m.about == Request::op) {
    // Of waiting ones the event tells, too; of those that were over, nothing else does.
    if (refuse_ && asking_ && asking_->second == m.id && m.code == *refuse_) refuse_.reset();
    else if (!passing_ && m.code != Code::shutting_down && m.code != Code::wrong_role && m.code != Code::bad_message)
      throw Violation(71, "request " + m.id + " is refused: " + std::string(word(m.code)));
  }
  if (m.about != Register::op || !registering_) return;
  const Worker* holder = by_name(registering_->worker);
  const bool taken = holder && holder->instance != registering_->instance && !holder->suspect();
  if ((m.code == Code::name_taken) != taken && m.code != Code::shutting_down)
    throw Violation(71, "the registration of " + registering_->worker + " is refused: " + std::string(word(m.code)));
}

void Reference::fact(const Address&, const Queued& m) {
  if (!asking_ || asking_->second != m.id) return;
  std::vector<Name> names;
  const auto found = asked_.find(*asking_);
  if (found == asked_.end() || found->second.stage != Asked::Stage::waiting) return;
  line(found->second.service, &names);
  std::uint64_t at = 1;
  for (const Name& name : names) {
    if (name == *asking_) break;
    at += rivals(asked_.at(name), found->second) ? 1U : 0U;
  }
  if (at != m.position) throw Violation(16, "request " + m.id + " is told position " + number(m.position) + ", it has " + number(at));
}

void Reference::check_next_beat(const Address& to, const Worker& worker, Duration next) {
  using std::chrono::milliseconds;
  const Duration beat = worker.heartbeat;
  const Duration moment = (now_ + next).time_since_epoch() % beat;
  const auto known = moments_.emplace(std::pair(to.peer, beat), moment).first->second;
  const Duration apart = moment > known ? moment - known : known - moment;
  if (next > beat / 4 && next <= beat * 5 / 4 + milliseconds(1) && std::min(apart, beat - apart) <= milliseconds(1)) return;
  throw Violation(97, worker.name + " is told to send its next heartbeat in " + number(static_cast<std::uint64_t>(next / milliseconds(1))) + " ms");
}

void Reference::fact(const Address& to, const Heard& m) {
  const auto found = workers_.find(m.lease);
  if (found == workers_.end()) throw Violation(5, "lease " + number(m.lease) + " is renewed, but nobody has it");
  if (found->second.applied != m.applied)
    throw Violation(25, found->second.name + " is told " + number(m.applied) + " events as applied, not " + number(found->second.applied));
  Worker& worker = found->second;
  check_next_beat(to, worker, m.next_ms);
  const bool all_seen = beat_ && (beat_->seen >= worker.assigned || worker.assigned_at + 2 * worker.heartbeat < now_);
  if (!all_seen || beat_->reported != worker.applied) return;
  std::uint64_t digest = 0;
  for (const auto& [id, session] : sessions_)
    if (session.worker == m.lease) digest ^= digest_of(id);
  worker.differs = beat_->used == worker.used && beat_->digest == digest ? 0 : worker.differs + 1;
  if (worker.differs < 2) return;
  worker.differs = 0;
  must_sync_ = m.lease;
}

void Reference::fact(const Address&, const Sync& m) {
  if (must_sync_ != m.lease) throw Violation(85, "lease " + number(m.lease) + " is asked for its list without a reason");
  must_sync_.reset();
}

void Reference::fact(const Address&, const Release& m) {
  // Said again with each heartbeat, once somebody has asked for it.
  if (must_release_.erase(m.session) > 0) may_release_.insert(m.session);
  const auto found = sessions_.find(m.session);
  if (found != sessions_.end() && may_release_.contains(m.session)) {
    found->second.released = true;
    if (found->second.answers) asked_.at(found->second.request).released = true;
  }
  const bool again = found != sessions_.end() && found->second.released;
  if (!again && !may_release_.contains(m.session)) throw Violation(50, "session " + number(m.session) + " is released, but its client did not ask");
}

void Reference::fact(const Address&, const Happened& m) {
  const Name name{m.client, m.id};
  switch (m.kind) {
    case Happening::suspected:
      if (Worker* worker = by_name(m.worker)) return suspected(*worker, m.detail);
      throw Violation(72, m.worker + " is suspected, but not registered");
    case Happening::restored:
      if (Worker* worker = by_name(m.worker)) worker->hung = worker->hung && m.detail != "it shows progress again";
      return;
    case Happening::draining:
    case Happening::resumed:
      if (Worker* worker = by_name(m.worker)) worker->draining = m.kind == Happening::draining;
      return;
    case Happening::expired: return struck_off(m.worker, true);
    case Happening::left: return struck_off(m.worker, false);
    case Happening::opened: return opened(m.session);
    case Happening::closed: return closed(m.session, m.detail);
    case Happening::refused: return refused(name, m.detail);
    case Happening::queued: {
      if (refuse_ == Code::queue_full && asking_ == name) throw Violation(35, "request " + m.id + " is put in a line that is full");
      if (!wanted_ || asking_ != name) throw Violation(71, "request " + m.id + " is put in line, but did not ask");
      Asked asked = *std::exchange(wanted_, std::nullopt);
      for (const Worker* worker : free_for(asked))
        if (!asked.exclude.contains(worker->name)) throw Violation(15, "request " + m.id + " is put in line while " + worker->name + " is free");
      const auto head_start = static_cast<std::int64_t>(asked.priority) * settings(asked.service).aging.count();
      asked.key = {now_.time_since_epoch().count() - head_start, ++arrivals_};
      asked.linked.clear();
      waiting_[name] = &(asked_[name] = std::move(asked));
      return;
    }
    case Happening::protect:
      protect_since_ = m.detail == "off" ? never : now_;
      protect_term_ = Duration::max() / 4;
      for (const auto& [lease, worker] : workers_)
        if (worker.term > Duration(0)) protect_term_ = std::min(protect_term_, worker.term);
      return;
    default: return;
  }
}

void Reference::suspected(Worker& worker, const std::string& why) {
  worker.probing = false;
  const Duration heard = now_ - worker.heard;
  if (why.starts_with("its lease")) {
    const Duration after = worker.term + worker.term / 5 - std::chrono::microseconds(2);
    if (worker.term == Duration(0) || heard < after) throw Violation(2, worker.name + " is taken for silent before its lease is over");
    if (heard - (overslept_ - worker.overslept_then) < after)
      throw Violation(6, worker.name + " is taken for silent, but it was the broker that slept");
    worker.silent_since = now_;
  } else if (why.starts_with("it did not answer")) {
    if (worker.asked_since == never || now_ < worker.asked_since + options_.probe)
      throw Violation(1, worker.name + " is suspect before it had time to answer");
    worker.asked_since = never;
    worker.unanswered = true;
  } else {
    worker.hung = true;
  }
}

void Reference::struck_off(const std::string& name, bool expired) {
  if (gone_.contains(name)) return;  // told for each of its services
  Worker* worker = by_name(name);
  if (!worker) throw Violation(72, name + " is struck off, but not registered");
  if (!expired && !may_leave_.contains(name)) throw Violation(50, name + " is struck off, but nobody asked for it");
  if (expired) {
    if (worker->silent_since == never || now_ < worker->heard + 2 * worker->term)
      throw Violation(2, name + " is struck off before its time");
    if (many_silent()) {
      if (protect_since_ == never || now_ < protect_since_ + 3 * protect_term_)
        throw Violation(7, name + " is struck off while most workers are silent");
      if (now_ < next_strike_) throw Violation(7, name + " is struck off too soon after the one before");
      const auto a_second = std::max<std::size_t>(1, workers_.size() / 20);
      next_strike_ = now_ + Duration(1'000'000 / static_cast<std::int64_t>(a_second));
    }
  }
  std::set<std::uint64_t> go_on;
  if (registering_ && registering_->worker == name && registering_->instance == worker->instance)
    for (const auto& held : registering_->sessions) go_on.insert(held.session);
  for (auto& [id, session] : sessions_) {
    if (session.worker != worker->lease) continue;
    if (!go_on.contains(id)) throw Violation(72, "session " + number(id) + " outlives its worker " + name);
    session.worker = 0;
  }
  gone_.insert(name);
  workers_.erase(worker->lease);
}

void Reference::opened(std::uint64_t id) {
  const auto found = sessions_.find(id);
  const auto expected = std::find(expected_.begin(), expected_.end(), std::pair{id, std::string(opening)});
  if (found == sessions_.end() || expected == expected_.end() || found->second.open)
    throw Violation(25, "session " + number(id) + " is opened, but no worker says so");
  found->second.open = true;
  expected_.erase(expected);
}

void Reference::closed(std::uint64_t id, const std::string& ending) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) throw Violation(72, "session " + number(id) + " is closed, but there is none");
  Session& session = found->second;
  const auto expected = std::find(expected_.begin(), expected_.end(), std::pair{id, ending});
  if (expected != expected_.end()) {
    expected_.erase(expected);
  } else if (ending == word(Ending::lost)) {
    lost_.insert(session.worker);
  } else if (ending != word(Ending::unused) || session.open || session.lapses > now_) {
    throw Violation(25, "session " + number(id) + " is closed (" + ending + "), but no worker says so");
  } else if (session.released) {
    let_go({.session = id, .client = session.client});  // only its worker knows whether it was opened
  }
  if (session.open && ending != word(Ending::lost)) {
    Means& mean = means_[session.service];
    const double share = 1.0 / static_cast<double>(std::min<std::uint64_t>(++mean.done, 16));
    mean.session += (static_cast<double>((now_ - session.granted).count()) - mean.session) * share;
  }
  Worker& worker = workers_.at(session.worker);
  auto& seat = worker.seats.at(session.service);
  if (worker.used == 0 || seat.used == 0) throw Violation(11, worker.name + " has less than no session");
  --worker.used;
  --seat.used;
  drop(id);
  if (brought_ && expected_.empty()) adopt_brought();
}

void Reference::drop(std::uint64_t id) {
  const Session session = sessions_.at(id);
  sessions_.erase(id);
  if (session.answers) end(session.request, Code::ended);
}

// Over, but known for a while.
void Reference::end(const Name& name, Code how) {
  waiting_.erase(name);
  if (options_.remembered_max == 0) {
    asked_.erase(name);
    return;
  }
  if (ended_.size() >= options_.remembered_max) forget_oldest();
  Asked& asked = asked_.at(name);
  asked.stage = Asked::Stage::ended;
  asked.ending = how;
  asked.forget = now_ + options_.remember;
  ended_.push_back(name);
}

void Reference::forget_oldest() {
  asked_.erase(ended_.front());
  ended_.pop_front();
}

void Reference::refused(const Name& name, const std::string& code) {
  const auto waiting = asked_.find(name);
  if (waiting != asked_.end() && waiting->second.stage == Asked::Stage::waiting) {
    const bool late = waiting->second.deadline <= now_;
    if (code == word(Code::timed_out) && !late) throw Violation(17, "request " + text(name) + " is refused as late before its deadline");
    const auto none = unserved(waiting->second);
    const bool settled = now_ >= started_ + options_.settle && none && code == word(*none);
    if (code != word(Code::timed_out) && code != word(Code::shutting_down) && !settled)
      throw Violation(71, "request " + text(name) + ", which waits, is refused: " + code);
    waiting_.erase(name);
    asked_.erase(waiting);
    return;
  }
  if (code == word(Code::shutting_down)) {
    wanted_.reset();
    refuse_.reset();
    return;
  }
  if (!refuse_ || word(*refuse_) != code) throw Violation(71, "request " + text(name) + " is refused: " + code + (refuse_ ? ", not " + std::string(word(*refuse_)) : ""));
}

// ---------------------------------------------------------------------------------------------------

void Reference::compare(Instant now, const Lists& lists) const {
  static_cast<void>(now);
  if (lists.workers.size() != workers_.size()) throw Violation(72, "the broker lists " + number(lists.workers.size()) + " workers, the reference " + number(workers_.size()));
  for (const auto& row : lists.workers) {
    const auto found = workers_.find(row.lease);
    if (found == workers_.end() || found->second.name != row.worker) throw Violation(72, "the broker lists " + row.worker + " with another lease");
    const Worker& worker = found->second;
    if (row.used != worker.used) throw Violation(10, row.worker + " has " + number(worker.used) + " sessions, the broker counts " + number(row.used));
    const auto state = worker.suspect() ? State::suspect : worker.draining ? State::draining : State::alive;
    if (row.state != state) throw Violation(72, row.worker + " is " + std::string(word(state)) + ", at the broker " + std::string(word(row.state)));
    if (row.slots != worker.slots) throw Violation(72, row.worker + " has another number of slots at the broker");
  }
  if (lists.sessions.size() != sessions_.size()) throw Violation(72, "the broker lists " + number(lists.sessions.size()) + " sessions, the reference " + number(sessions_.size()));
  for (const auto& row : lists.sessions) {
    const auto found = sessions_.find(row.session);
    if (found == sessions_.end()) throw Violation(72, "the broker lists session " + number(row.session) + ", which is over");
    const Session& session = found->second;
    if (session.open != (row.state == State::open) || session.service != row.service || session.client != row.client ||
        workers_.at(session.worker).name != row.worker)
      throw Violation(72, "the broker lists session " + number(row.session) + " as something else");
  }
  std::map<std::string, std::vector<std::string>> lines;
  for (const auto& row : lists.waiting) lines[row.service].push_back(row.id);
  std::size_t waiting = 0;
  for (const auto& [service, ids] : lines) {
    std::vector<Name> names;
    line(service, &names);
    waiting += names.size();
    if (names.size() != ids.size()) throw Violation(72, "another number of requests waits for " + service);
    // The line of one condition after the other, each in its order.
    std::vector<Name> listed;
    for (const auto& id : ids) {
      const auto name = std::find_if(names.begin(), names.end(), [&](const Name& n) { return n.second == id; });
      if (name == names.end()) throw Violation(72, "request " + id + " is listed for " + service + ", but does not wait");
      listed.push_back(*name);
    }
    for (std::size_t i = 0; i < listed.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const Asked& before = asked_.at(listed[j]);
        const Asked& after = asked_.at(listed[i]);
        if (wants_the_same(before, after) && after.key < before.key)
          throw Violation(16, "the line of " + service + " is in another order");
      }
    }
  }
  if (waiting_.size() != waiting) throw Violation(72, "the broker lists less requests as waiting than do");
}

}  // namespace pointsman::sim
