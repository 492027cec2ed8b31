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
  if (!closed) return;
  ++untold_;
  const bool quiet = reported_at_ + settings_.report_wait <= now_;
  const bool scarce = 4 * (sessions_.size() + untold_) > settings_.slots;
  if (quiet || scarce) return report_new();
  report_due_ = std::min(report_due_, now_ + settings_.report_wait);
}

// All of them are told, or will never be.
void WorkerCore::told() {
  untold_ = 0;
  report_due_ = never;
}

void WorkerCore::report_new() {
  if (stage_ == Stage::registered && reported_ < last_event()) report(reported_ + 1, last_event());
  told();
}

void WorkerCore::report_unapplied() {
  if (events_.empty()) return;
  report(first_event_, std::min(last_event(), first_event_ + repeats * limits::events - 1));
  if (reported_ == last_event()) told();
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
    reported_at_ = now_;
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
