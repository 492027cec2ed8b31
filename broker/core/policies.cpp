// The policies. Each keeps what it needs to pick without looking at every seat.
#include "broker/core/policies.hpp"

#include <algorithm>

namespace pointsman::broker {

namespace {

bool less_loaded(const Seat& a, const Seat& b) {
  return a.connections * b.weight < b.connections * a.weight;
}

// One turn of a seat of weight 1. Divisible by all weights up to 10, so that their turns come out exact.
constexpr std::uint64_t turn_unit = 2520ULL * 1024;

}  // namespace

void SmoothOrder::add(Seat& seat) {
  seat.credit -= static_cast<std::int64_t>(seat.weight) * turns_;
  by_weight_[seat.weight].insert(seat, {seat.credit, seat.order});
  weights_ += static_cast<std::int64_t>(seat.weight);
  ++size_;
}

void SmoothOrder::remove(Seat& seat) {
  const auto found = by_weight_.find(seat.weight);
  MUST(found != by_weight_.end());
  found->second.erase(seat);
  if (found->second.empty()) by_weight_.erase(found);
  seat.credit += static_cast<std::int64_t>(seat.weight) * turns_;
  weights_ -= static_cast<std::int64_t>(seat.weight);
  --size_;
}

Seat* SmoothOrder::best() const {
  Seat* best = nullptr;
  std::int64_t most = 0;
  for (const auto& [weight, heap] : by_weight_) {
    const auto& [credit, order] = heap.first_key();
    const std::int64_t has = static_cast<std::int64_t>(weight) * (turns_ + 1) + credit;
    if (!best || has > most || (has == most && order < best->order)) {
      best = &heap.first();
      most = has;
    }
  }
  return best;
}

void SmoothOrder::chosen(Seat& seat) {
  ++turns_;
  seat.credit -= weights_;
  by_weight_.find(seat.weight)->second.reorder(seat, {seat.credit, seat.order});
}

void SmoothOrder::check() const {
  std::size_t count = 0;
  std::int64_t sum = 0;
  for (const auto& [weight, heap] : by_weight_) {
    MUST(!heap.empty());
    heap.check();
    count += heap.size();
    sum += static_cast<std::int64_t>(weight * heap.size());
  }
  MUST(count == size_);
  MUST(sum == weights_);
}

KeyOrder::Less KeyOrder::key_of(const Seat& seat) const {
  const std::uint64_t weight = policy_ == Policy::least_recent ? 1 : seat.weight;
  const std::uint64_t value = policy_ == Policy::least_connections ? seat.connections
                              : policy_ == Policy::least_busy      ? seat.busy
                                                                   : seat.completed;
  return {value, weight, seat.turn, seat.order};
}

void KeyOrder::add(Seat& seat) {
  seat.turn = std::max(seat.turn, floor_);
  heap_.insert(seat, key_of(seat));
}

void KeyOrder::remove(Seat& seat) { heap_.erase(seat); }

void KeyOrder::touch(Seat& seat) { heap_.reorder(seat, key_of(seat)); }

Seat* KeyOrder::best() const { return heap_.empty() ? nullptr : &heap_.first(); }

void KeyOrder::chosen(Seat& seat) {
  floor_ = seat.turn;
  seat.turn += turn_unit / seat.weight;
  heap_.reorder(seat, key_of(seat));
}

void DenseOrder::add(Seat& seat) {
  seats_.push_back(&seat);
  seat.place = static_cast<Place>(seats_.size());
}

void DenseOrder::remove(Seat& seat) {
  MUST(seat.place != 0);
  Seat* last = seats_.back();
  seats_[seat.place - 1] = last;
  last->place = seat.place;
  seat.place = 0;
  seats_.pop_back();
}

Seat* DenseOrder::best() {
  if (seats_.empty()) return nullptr;
  Seat* one = seats_[chance_.below(seats_.size())];
  if (policy_ == Policy::random || seats_.size() == 1) return one;
  // The second is drawn among the others, so that two seats are always compared.
  std::size_t at = chance_.below(seats_.size() - 1);
  if (at >= one->place - 1) ++at;
  Seat* other = seats_[at];
  return less_loaded(*other, *one) ? other : one;
}

void DenseOrder::check() const {
  for (std::size_t i = 0; i < seats_.size(); ++i) MUST(seats_[i]->place == i + 1);
}

namespace {

std::variant<SmoothOrder, KeyOrder, DenseOrder> order_for(Policy policy, std::uint64_t seed) {
  switch (policy) {
    case Policy::weighted_round_robin: return SmoothOrder();
    case Policy::least_connections:
    case Policy::least_busy:
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
}

void Chooser::remove(Seat& seat) {
  std::visit([&](auto& order) { order.remove(seat); }, order_);
}

void Chooser::touch(Seat& seat) {
  std::visit([&](auto& order) { order.touch(seat); }, order_);
}

Seat* Chooser::choose(std::span<const std::string> exclude) {
  // Excluded seats step aside while the choice is made; there are limits::exclude of them at most, and a
  // worker has one seat here.
  std::vector<Seat*> aside;
  Seat* best = nullptr;
  for (;;) {
    best = std::visit([](auto& order) { return order.best(); }, order_);
    if (!best || std::find(exclude.begin(), exclude.end(), best->name) == exclude.end()) break;
    remove(*best);
    aside.push_back(best);
  }
  if (best) std::visit([&](auto& order) { order.chosen(*best); }, order_);
  for (Seat* seat : aside) add(*seat);
  return best;
}

std::size_t Chooser::size() const {
  return std::visit([](const auto& order) { return order.size(); }, order_);
}

void Chooser::check() const {
  std::visit([](const auto& order) { order.check(); }, order_);
}

}  // namespace pointsman::broker
