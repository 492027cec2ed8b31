// What the worker tells the broker of its sessions: numbered, in order, until it is applied.
#include <algorithm>

#include "workers/core/worker.hpp"

namespace pointsman::workers {

namespace {

// With one heartbeat at most so many reports are repeated; the others follow with the next.
constexpr std::uint64_t repeats = 16;

}  // namespace

void WorkerCore::note(std::uint64_t session, bool closed, Ending ending) {
  events_.push_back({.session = session, .closed = closed, .ending = ending});
  // An opening can wait for the next closing or heartbeat; a closing frees a slot.
  if (closed) report_new();
}

void WorkerCore::report_new() {
  if (stage_ == Stage::registered && reported_ < last_event()) report(reported_ + 1, last_event());
}

void WorkerCore::report_unapplied() {
  if (events_.empty()) return;
  report(first_event_, std::min(last_event(), first_event_ + repeats * limits::events - 1));
}

void WorkerCore::report(std::uint64_t first, std::uint64_t last) {
  while (first <= last) {
    const std::uint64_t end = std::min<std::uint64_t>(last, first + limits::events - 1);
    const auto at = [&](std::uint64_t number) { return events_.begin() + static_cast<std::ptrdiff_t>(number - first_event_); };
    send(Report{.lease = lease_,
                .first = first,
                .events = {at(first), at(end) + 1},
                .seen = seen_,
                .completed = completed_,
                .busy_ms = std::chrono::duration_cast<Milliseconds>(busy_)});
    reported_ = std::max(reported_, end);
    first = end + 1;
  }
}

void WorkerCore::applied(std::uint64_t number) {
  // Not more than was said: a broker that claims it is not believed.
  number = std::min(number, reported_);
  while (!events_.empty() && first_event_ <= number) {
    events_.pop_front();
    ++first_event_;
  }
}

}  // namespace pointsman::workers
