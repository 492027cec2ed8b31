// What workers have done, for a history: noted where it happens, handed out where nobody waits for it.
#include "broker/core/broker.hpp"

namespace pointsman::broker {

namespace {

constexpr std::size_t parted_max = 10'000;  // of workers that have left; further ones are lost until asked

Deeds deeds_of(Worker& worker) {
  return {.worker = std::string(worker.name),
          .instance = std::string(worker.instance),
          .jobs = worker.completed,
          .busy = worker.busy,
          .failures = std::exchange(worker.failures, 0)};
}

}  // namespace

void Broker::note_deeds(Worker& worker) {
  if (informed_ && !doing_.contains(worker)) doing_.append(worker);
}

void Broker::fail(Worker& worker) {
  if (!informed_) return;
  ++worker.failures;
  note_deeds(worker);
}

void Broker::part(Worker& worker) {
  if (!doing_.contains(worker)) return;
  doing_.erase(worker);
  if (parted_.size() < parted_max) parted_.push_back(deeds_of(worker));
}

std::vector<Deeds> Broker::take_deeds(std::size_t most) {
  std::vector<Deeds> some;
  while (some.size() < most && !parted_.empty()) {
    some.push_back(std::move(parted_.back()));
    parted_.pop_back();
  }
  while (some.size() < most && !doing_.empty()) {
    Worker& worker = *doing_.first();
    doing_.erase(worker);
    some.push_back(deeds_of(worker));
  }
  return some;
}

}  // namespace pointsman::broker
