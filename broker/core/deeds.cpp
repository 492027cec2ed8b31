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
          .failures = std::exchange(worker.failures, 0),
          .came = std::exchange(worker.came, false)};
}

}  // namespace

// A failure was a session's time from which nothing came. Whoever has done something since knows better.
void Broker::recall(const Recalled& event) {
  for (const Deeds& past : event.deeds) {
    const auto found = workers_by_name_.find(past.worker);
    if (past.jobs == 0 || found == workers_by_name_.end() || found->second->pace.known > 0) continue;
    Worker& worker = *found->second;
    const auto busy = static_cast<std::uint64_t>(past.busy.count()) * 1000;
    worker.pace.did(past.jobs, busy + past.failures * (busy / past.jobs));
    refresh(worker);
  }
}

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
