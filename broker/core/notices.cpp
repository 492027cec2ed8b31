// Telling workers who is coming: at once where it is quiet, several at a time where it is not (more than 100 a second). A message to a
// worker costs the broker the same whether it tells of one session or of many, and a client that is quicker than
// the notice is admitted by its ticket.
#include "broker/core/broker.hpp"

namespace pointsman::broker {

void Broker::announce(Worker& worker, Assignment assignment) {
  const bool quiet = worker.untold.empty() && worker.told_at + options_.notice_wait / 5 <= now_;
  worker.untold.push_back(std::move(assignment));
  if (!untelling_.contains(worker)) {
    worker.tell_at = now_ + options_.notice_wait;
    untelling_.append(worker);
  }
  // A broker that comes after this one learns from the worker whom it was told of, and fills the other slots: there have
  // to be enough for those whom it was not told of. Who does not serve clients by the direct link sees no tickets at all.
  const bool scarce = 4 * worker.used > worker.slots || worker.direct != Direct::pointsman;
  if (quiet || scarce || worker.untold.size() == limits::events) tell(worker);
}

void Broker::tell(Worker& worker) {
  if (worker.untold.empty()) return;
  untelling_.erase(worker);
  worker.told_at = now_;
  const std::uint64_t first = worker.assigned - worker.untold.size() + 1;
  send(worker.from.address(),
       Assign{.lease = worker.lease,
              .first = first,
              .sessions = std::exchange(worker.untold, {}),
              .applied = worker.applied,
              .now_ms = std::chrono::duration_cast<Milliseconds>(now_.time_since_epoch())});
}

void Broker::tell_workers(Instant until) {
  while (!untelling_.empty() && untelling_.first()->tell_at <= until) tell(*untelling_.first());
}

}  // namespace pointsman::broker
