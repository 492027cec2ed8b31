// The policies. Each keeps what it needs to pick without looking at every seat.
#include "broker/core/policies.hpp"

#include <algorithm>

namespace pointsman::broker {

namespace {

bool less_loaded(const Seat& a, const Seat& b) {
  return std::uint64_t{a.connections} * b.weight < std::uint64_t{b.connections} * a.weight;
}

bool names(std::span<const std::string> workers, const Seat& seat) {
  return std::find(workers.begin(), workers.end(), seat.name) != workers.end();
}

// One turn of a seat of weight 1. Divisible by all weights up to 10, so that their turns come out exact.
constexpr std::uint64_t turn_unit = 2520ULL * 1024;

}  // namespace

SmoothOrder::OfWeight& SmoothOrder::of_weight(OfClass& one, std::uint64_t weight) {
  const auto wanted = static_cast<std::int64_t>(weight);
  auto at = one.by_weight.begin();
  while (at != one.by_weight.end() && at->weight < wanted) ++at;
  if (at == one.by_weight.end() || at->weight != wanted) at = one.by_weight.insert(at, OfWeight{wanted, {}});
  return *at;
}

void SmoothOrder::add(Seat& seat) {
  if (seat.class_index >= classes_.size()) classes_.resize(seat.class_index + 1);
  OfClass& one = classes_[seat.class_index];
  seat.credit -= static_cast<std::int64_t>(seat.weight) * one.turns;
  of_weight(one, seat.weight).heap.insert(seat, {seat.credit, seat.order});
  one.weights += static_cast<std::int64_t>(seat.weight);
  ++one.size;
}

void SmoothOrder::remove(Seat& seat) {
  OfClass& one = classes_[seat.class_index];
  of_weight(one, seat.weight).heap.erase(seat);
  seat.credit += static_cast<std::int64_t>(seat.weight) * one.turns;
  one.weights -= static_cast<std::int64_t>(seat.weight);
  --one.size;
}

Seat* SmoothOrder::best(const ClassSet& free, const ClassSet* among) const {
  Seat* best = nullptr;
  std::int64_t most = 0;
  free.each(among, [&](std::size_t index) {
    const OfClass& one = classes_[index];
    for (const auto& [weight, heap] : one.by_weight) {
      if (heap.empty()) continue;
      const auto& [credit, order] = heap.first_key();
      const std::int64_t has = weight * (one.turns + 1) + credit;
      if (!best || has > most || (has == most && order < best->order)) {
        best = &heap.first();
        most = has;
      }
    }
  });
  return best;
}

void SmoothOrder::chosen(Seat& seat, const ClassSet& free, const ClassSet* among) {
  free.each(among, [&](std::size_t index) {
    ++classes_[index].turns;
    seat.credit -= classes_[index].weights;
  });
  of_weight(classes_[seat.class_index], seat.weight).heap.reorder(seat, {seat.credit, seat.order});
}

void SmoothOrder::check() const {
  for (const OfClass& one : classes_) {
    std::size_t count = 0;
    std::int64_t sum = 0;
    for (const auto& [weight, heap] : one.by_weight) {
      heap.check();
      count += heap.size();
      sum += weight * static_cast<std::int64_t>(heap.size());
    }
    MUST(count == one.size);
    MUST(sum == one.weights);
  }
}

KeyOrder::Less KeyOrder::key_of(const Seat& seat) const {
  const std::uint64_t weight = policy_ == Policy::least_recent ? 1 : seat.weight;
  const auto value = [&]() -> std::uint64_t {
    switch (policy_) {
      case Policy::least_connections: return seat.connections;
      case Policy::least_busy: return seat.busy;
      case Policy::shortest_expected_delay: return (std::uint64_t{seat.connections} + 1) * seat.pace;
      default: return seat.completed;
    }
  };
  return {value(), weight, seat.turn, seat.order};
}

void KeyOrder::add(Seat& seat) {
  if (seat.class_index >= heaps_.size()) heaps_.resize(seat.class_index + 1);
  seat.turn = std::max(seat.turn, floor_);
  heaps_[seat.class_index].insert(seat, key_of(seat));
}

void KeyOrder::remove(Seat& seat) { heaps_[seat.class_index].erase(seat); }

void KeyOrder::touch(Seat& seat) { heaps_[seat.class_index].reorder(seat, key_of(seat)); }

Seat* KeyOrder::best(const ClassSet& free, const ClassSet* among) const {
  Seat* best = nullptr;
  const Less* least = nullptr;
  free.each(among, [&](std::size_t index) {
    const auto& heap = heaps_[index];
    if (least && !(heap.first_key() < *least)) return;
    best = &heap.first();
    least = &heap.first_key();
  });
  return best;
}

void KeyOrder::chosen(Seat& seat, const ClassSet&, const ClassSet*) {
  floor_ = seat.turn;
  seat.turn += turn_unit / seat.weight;
  touch(seat);
}

bool KeyOrder::level(const Seat& seat, const Seat& best) const {
  if (!has_ties(policy_)) return false;
  const Less its = key_of(seat);
  const Less least = key_of(best);
  return its.value * least.weight <= least.value * its.weight && !less_loaded(best, seat);
}

void KeyOrder::check() const {
  for (const auto& heap : heaps_) heap.check();
}

void DenseOrder::add(Seat& seat) {
  if (seat.class_index >= classes_.size()) classes_.resize(seat.class_index + 1);
  auto& seats = classes_[seat.class_index];
  seats.push_back(&seat);
  seat.place = static_cast<Place>(seats.size());
}

void DenseOrder::remove(Seat& seat) {
  MUST(seat.place != 0);
  auto& seats = classes_[seat.class_index];
  Seat* last = seats.back();
  seats[seat.place - 1] = last;
  last->place = seat.place;
  seat.place = 0;
  seats.pop_back();
}

// Draws over all classes that may be chosen from, as if their seats stood in one row.
Seat* DenseOrder::best(const ClassSet& free, const ClassSet* among) {
  std::size_t count = 0;
  free.each(among, [&](std::size_t index) { count += classes_[index].size(); });
  if (count == 0) return nullptr;
  const auto seat_at = [&](std::size_t at) {
    Seat* found = nullptr;
    free.each(among, [&](std::size_t index) {
      const auto& seats = classes_[index];
      if (!found && at < seats.size()) found = seats[at];
      at -= std::min(at, seats.size());
    });
    return found;
  };
  const std::size_t first = chance_.below(count);
  Seat* one = seat_at(first);
  if (policy_ == Policy::random || count == 1) return one;
  // The second is drawn among the others, so that two seats are always compared.
  std::size_t second = chance_.below(count - 1);
  if (second >= first) ++second;
  Seat* other = seat_at(second);
  return less_loaded(*other, *one) ? other : one;
}

void DenseOrder::check() const {
  for (const auto& seats : classes_) {
    for (std::size_t i = 0; i < seats.size(); ++i) MUST(seats[i]->place == i + 1);
  }
}

namespace {

std::variant<SmoothOrder, KeyOrder, DenseOrder> order_for(Policy policy, std::uint64_t seed) {
  switch (policy) {
    case Policy::weighted_round_robin: return SmoothOrder();
    case Policy::least_connections:
    case Policy::least_busy:
    case Policy::shortest_expected_delay:
    case Policy::least_recent: return KeyOrder(policy);
    case Policy::two_choices:
    case Policy::random: return DenseOrder(policy, seed);
    case Policy::count_: break;
  }
  MUST(false && "a policy");
  return SmoothOrder();
}

}  // namespace

Chooser::Chooser(Policy policy, std::uint64_t seed) : order_(order_for(policy, seed)) {}

void Chooser::add(Seat& seat) {
  std::visit([&](auto& order) { order.add(seat); }, order_);
  free_.add(seat.class_index);
  ++size_;
}

void Chooser::remove(Seat& seat) {
  std::visit([&](auto& order) { order.remove(seat); }, order_);
  if (size_of(seat.class_index) == 0) free_.erase(seat.class_index);
  --size_;
}

void Chooser::touch(Seat& seat) {
  std::visit([&](auto& order) { order.touch(seat); }, order_);
}

Seat* Chooser::choose(std::span<const std::string> exclude, const ClassSet* among,
                      std::span<Seat* const> linked) {
  // Excluded seats step aside while the choice is made; there are limits::exclude of them at most, and a
  // worker has one seat here.
  std::vector<Seat*> aside;
  Seat* best = nullptr;
  for (;;) {
    best = std::visit([&](auto& order) { return order.best(free_, among); }, order_);
    if (!best || !names(exclude, *best)) break;
    remove(*best);
    aside.push_back(best);
  }
  Seat* near = best ? level(*best, linked, among, exclude) : nullptr;
  if (best && !near) std::visit([&](auto& order) { order.chosen(*best, free_, among); }, order_);
  for (Seat* seat : aside) add(*seat);
  return near ? near : best;
}

Seat* Chooser::level(const Seat& best, std::span<Seat* const> linked, const ClassSet* among,
                     std::span<const std::string> exclude) const {
  const auto* order = std::get_if<KeyOrder>(&order_);
  if (!order) return nullptr;
  for (Seat* seat : linked) {
    const bool may =
        contains(*seat) && (!among || among->contains(seat->class_index)) && !names(exclude, *seat);
    if (may && order->level(*seat, best)) return seat;
  }
  return nullptr;
}

std::size_t Chooser::size_of(std::size_t index) const {
  return std::visit([&](const auto& order) { return order.size(index); }, order_);
}

std::size_t Chooser::size(const ClassSet& among) const {
  std::size_t count = 0;
  free_.each(&among, [&](std::size_t index) { count += size_of(index); });
  return count;
}

void Chooser::check() const {
  std::visit([](const auto& order) { order.check(); }, order_);
  std::size_t count = 0;
  free_.each(nullptr, [&](std::size_t index) {
    MUST(size_of(index) > 0);
    count += size_of(index);
  });
  MUST(count == size_);
}

}  // namespace pointsman::broker
