// Waiting at the broker: the lines, whose turn it is, and what those who wait are told.
//
// Every demand has a line of its own. A slot that comes free looks at the first of each line that may have it, so nobody
// is passed over for whom it would do, and nobody looks at those for whom it would not.
#include <algorithm>
#include <array>

#include "broker/core/broker.hpp"

namespace pointsman::broker {

namespace {

Milliseconds in_ms(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration); }

// A waiting client is told its position again this often at most.
constexpr Duration tell_interval{std::chrono::seconds(1)};
// Positions looked at in one step, so that telling never holds up a grant.
constexpr int tell_batch = 64;
// Waiting requests that exclude every free worker are passed over, this many at most per grant.
constexpr int pass_over_max = 32;

}  // namespace

void Broker::enqueue(Asked& asked) {
  Demand& demand = *asked.demand;
  Service& service = asked.service();
  asked.arrival = ++arrivals_;
  if (demand.line.empty()) demands_.starts_waiting(demand);
  demand.line.append(asked);
  ++service.waiting;
  deadlines_.insert(asked, deadline_of(asked));
  join_peer(asked);
  asked.client->owner->waiting.append(asked);
  ++asked.client->waiting;
  ++waiting_;
  emit(Happening::queued,
       {.service = service.name, .client = asked.client->name, .id = asked.id, .asker = asked.client->owner});
  tell(asked, true);
}

void Broker::join_peer(Asked& asked) {
  waiting_by_peer_.try_emplace(asked.from.peer(), asked_pool_).first->second.append(asked);
}

void Broker::leave_peer(Asked& asked) {
  const auto peers = waiting_by_peer_.find(asked.from.peer());
  peers->second.erase(asked);
  if (peers->second.empty()) waiting_by_peer_.erase(peers);
}

void Broker::unqueue(Asked& asked) {
  Demand& demand = *asked.demand;
  demand.line.erase(asked);
  if (demand.line.empty()) demands_.stops_waiting(demand);
  --asked.service().waiting;
  deadlines_.erase(asked);
  leave_peer(asked);
  asked.client->owner->waiting.erase(asked);
  --asked.client->waiting;
  stop_telling(asked);
  --waiting_;
}

// Grants free slots to those who wait. Called after anything that may have freed one.
void Broker::match(Service& service) {
  while (match_first(service)) {
  }
}

// The same for all services of a worker: they share its slots, so the request that comes first over all of
// them is granted first. Otherwise a busy service would starve the others.
void Broker::match(const Worker& worker) {
  if (worker.seats.size() == 1) return match(*worker.seats.front().service);
  std::array<bool, limits::services> done{};
  for (;;) {
    std::size_t next = worker.seats.size();
    std::optional<Line::Turn> first;
    for (std::size_t i = 0; i < worker.seats.size(); ++i) {
      if (done[i]) continue;
      const auto turn = next_turn(*worker.seats[i].service);
      if (!turn || (first && *first < *turn)) continue;
      first = turn;
      next = i;
    }
    if (next == worker.seats.size()) return;
    done[next] = !match_first(*worker.seats[next].service);
  }
}

bool Broker::match_first(Service& service) {
  if (shutting_down_ || service.waiting == 0 || service.chooser.size() == 0) return false;
  Seat* seat = nullptr;
  Asked* asked = next_for(service, seat);
  if (!asked) return false;
  const std::size_t free = free_for(service, *asked->demand);
  unqueue(*asked);
  grant(*asked, *seat, free);
  return true;
}

// The first turn of those for whom a slot is free, but for workers that they exclude; none if there is nobody.
std::optional<Line::Turn> Broker::next_turn(const Service& service) {
  std::optional<Line::Turn> first;
  for (const Demand* demand : service.matching.waiting()) {
    if (!demand->matching.meets(service.chooser.free())) continue;
    const Line::Turn turn = demand->line.turn_of(demand->line.first());
    if (!first || turn < *first) first = turn;
  }
  return first;
}

Asked* Broker::next_for(Service& service, Seat*& seat) {
  heads_.clear();
  for (const Demand* demand : service.matching.waiting()) {
    if (!demand->matching.meets(service.chooser.free())) continue;
    Line::Walk walk = demand->line.walk();
    Asked* first = walk.next();
    heads_.push_back({demand, walk, first});
  }
  for (int passed = 0; !heads_.empty() && passed < pass_over_max; ++passed) {
    const auto next = std::min_element(heads_.begin(), heads_.end(), [](const Head& a, const Head& b) {
      return a.demand->line.turn_of(*a.first) < b.demand->line.turn_of(*b.first);
    });
    seat = choose(service, *next->demand, next->first->exclude());
    if (seat) return next->first;
    if (behind_) break;
    next->first = next->walk.next();
    if (!next->first) heads_.erase(next);
  }
  return nullptr;
}

// The policy's choice among those that meet the demand, or one that the client is linked to and that is level with it;
// never a worker whose lease has run out, though it may not have been come to yet. None also if it were one such after the
// other.
Seat* Broker::choose(Service& service, const Demand& demand, std::span<const std::string> exclude,
                     std::span<const std::string> linked) {
  const auto once = [&] {
    find_linked(service, linked);
    if (service.matching.any(demand)) return service.chooser.choose(exclude, nullptr, linked_);
    return demand.prefer ? preferred(service, demand, exclude)
                         : service.chooser.choose(exclude, &demand.matching, linked_);
  };
  Seat* seat = once();
  for (std::size_t seen = 0; behind_ && seat && due_of(*seat->worker) <= now_ - forgiven_; ++seen) {
    if (seen == sweep_max) return nullptr;
    worker_due(*seat->worker);
    seat = once();
  }
  MUST(!seat || demand.matching.contains(seat->class_index));
  return seat;
}

// Takes down the seats of these workers, where it matters.
void Broker::find_linked(const Service& service, std::span<const std::string> workers) {
  linked_.clear();
  if (!has_ties(service.settings.policy)) return;
  for (const std::string& name : workers) {
    const auto worker = workers_by_name_.find(name);
    if (worker == workers_by_name_.end()) continue;
    for (Seat& seat : worker->second->seats) {
      if (seat.service == &service) linked_.push_back(&seat);
    }
  }
}

// Among the classes that are liked best of those with a free slot; then among the next best, if the request excludes
// all of these.
Seat* Broker::preferred(Service& service, const Demand& demand, std::span<const std::string> exclude) const {
  for (auto from = demand.liked.begin(); from != demand.liked.end();) {
    ClassSet level;
    bool free = false;
    auto to = from;
    for (; to != demand.liked.end() && to->rank == from->rank; ++to) {
      if (!service.chooser.free().contains(to->index)) continue;
      level.add(to->index);
      free = true;
    }
    from = to;
    if (!free) continue;
    if (Seat* seat = service.chooser.choose(exclude, &level, linked_)) return seat;
  }
  return nullptr;
}

// How many workers with a free slot meet the demand.
std::size_t Broker::free_for(const Service& service, const Demand& demand) {
  const bool all = demand.matches == service.matching.classes();
  return all ? service.chooser.size() : service.chooser.size(demand.matching);
}

// How many wait for some of the workers that this demand waits for, its own included.
std::uint64_t Broker::rivals(const Service& service, const Demand& demand) {
  std::uint64_t sum = demand.line.size();
  for (const Demand* other : service.matching.waiting()) {
    if (other != &demand && other->matching.meets(demand.matching)) sum += other->line.size();
  }
  return sum;
}

// Among those.
std::uint64_t Broker::position(const Asked& asked) {
  const Demand& demand = *asked.demand;
  const Line::Turn turn = demand.line.turn_of(asked);
  std::uint64_t before = demand.line.order_of(asked);
  for (const Demand* other : demand.of->waiting()) {
    if (other != &demand && other->matching.meets(demand.matching)) before += other->line.before(turn);
  }
  return before + 1;
}

// Of the workers that meet it and are available.
std::uint64_t Broker::slots_for(const Service& service, const Demand& demand) {
  if (demand.matches == service.matching.classes()) return service.slots;
  std::uint64_t slots = 0;
  demand.matching.each(nullptr, [&](std::size_t index) { slots += service.matching.at(index).slots; });
  return slots;
}

// The time until `ahead` + 1 sessions have ended on so many slots, by the mean of the last ones
// (M/M/c: (ahead + 1) S / c).
Duration Broker::expected(const Service& service, std::uint64_t ahead, std::uint64_t slots) {
  if (slots == 0) return Duration{0};
  return Duration(static_cast<std::int64_t>(static_cast<double>(ahead + 1) * service.mean_session /
                                            static_cast<double>(slots)));
}

// When to try again: after the expected wait, spread by half so that the refused do not come back together.
Milliseconds Broker::retry_hint(const Service& service) {
  const std::int64_t wait = in_ms(expected(service, service.waiting, service.slots)).count();
  const std::int64_t base = std::clamp<std::int64_t>(wait, 200, 60'000);
  return Milliseconds(base / 2 + static_cast<std::int64_t>(chance_.below(static_cast<std::uint64_t>(base))));
}

void Broker::tell(Asked& asked, bool first) {
  if (!asked.updates) return;
  const Service& service = asked.service();
  const std::uint64_t at = position(asked);
  const std::uint64_t slots = slots_for(service, *asked.demand);
  const Duration wait = expected(service, at - 1, slots);
  // Worth telling: the position changed, or the estimate by more than a fifth.
  Aside& told = aside(asked);
  if (first || at != told.position || std::abs((wait - told.wait).count()) * 5 > told.wait.count()) {
    told.position = at;
    told.wait = wait;
    send(asked.from.address(), Queued{.id = asked.id,
                                      .position = at,
                                      .expected_ms = in_ms(wait),
                                      .estimated = slots > 0 && service.sessions_done > 0});
  }
  told.tell = now_ + tell_interval;
  telling_.append(told);
}

void Broker::stop_telling(Asked& asked) {
  if (asked.aside && telling_.contains(*asked.aside)) telling_.erase(*asked.aside);
}

void Broker::tell_due() {
  for (int i = 0; i < tell_batch && !telling_.empty() && telling_.first()->tell <= now_; ++i) {
    Aside& next = *telling_.first();
    telling_.erase(next);
    tell(*next.asked, false);
  }
}

}  // namespace pointsman::broker
