// Checks the invariants.

#include "test/sim/history.hpp"

#include <algorithm>

#include "test/sim/wishes.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::milliseconds;

std::string number(std::uint64_t n) { return std::to_string(n); }

// As many of a line as the broker looks at for one free slot.
constexpr std::size_t looked_at = 8;

}  // namespace

void History::broker_started(std::uint64_t epoch) {
  if (epoch <= epoch_) throw Violation(31, "the epoch of the broker does not grow");
  epoch_ = epoch;
  leases_.clear();
  waiting_.clear();
  granted_.clear();
}

void History::before_broker(const broker::Event& event, Instant now, Instant deadline) {
  if (deadline != never && now > deadline) late_ += now - deadline + profile_.broker.stall;
  asking_.reset();
  registering_.reset();
  const auto* received = std::get_if<Received>(&event);
  if (!received) return;
  const auto* request = std::get_if<Request>(&received->message);
  if (request && received->from.door == Door::clients) wanted(*request, now);
  if (const auto* m = std::get_if<Register>(&received->message)) registering_ = *m;
  std::visit(
      [&](const auto& m) {
        using M = std::remove_cvref_t<decltype(m)>;
        if constexpr (std::is_same_v<M, Heartbeat> || std::is_same_v<M, Report> || std::is_same_v<M, Holding>)
          heard(m.lease, now);
      },
      received->message);
}

void History::heard(std::uint64_t lease, Instant now) {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return;
  found->second.heard = now;
  found->second.heard_global = world_.now();
  found->second.late_then = late_;
}

void History::wanted(const Request& request, Instant now) {
  asking_ = request;
  const auto [found, added] = waiting_.try_emplace(request.id);
  Want& want = found->second;
  want.deadline = now + request.wait_ms;
  if (!added) return;
  want.service = request.service;
  want.client = request.client;
  want.priority = request.priority;
  want.order = ++orders_;
  want.exclude = {request.exclude.begin(), request.exclude.end()};
  want.when = request.when;
  want.attributes = request.attributes;
}

bool History::suits(const Lease& worker, const Want& want) {
  return holds(want.when, worker.attributes) && holds(worker.accepts, want.attributes);
}

void History::after_broker(const broker::Event& event, const broker::Actions& actions, Instant now) {
  check_answers(event, actions);
  // A request that timed out just before it was repeated, in the same step, is asked anew.
  bool anew = false;
  const auto answered = [&](const std::string& id) {
    if (anew && id == asking_->id && !waiting_.contains(id)) wanted(Request(*asking_), now);
  };
  for (const auto& action : actions) {
    const auto& message = std::get<Send>(action).message;
    if (const auto* m = std::get_if<Registered>(&message)) registered(*m, now);
    if (const auto* m = std::get_if<Queued>(&message)) answered(m->id);
    if (const auto* m = std::get_if<Assign>(&message)) {
      for (const auto& row : m->sessions) answered(row.id);
      assigned(*m, now);
    }
    if (const auto* m = std::get_if<Granted>(&message)) {
      answered(m->id);
      granted(*m, now);
    }
    // One that could not be read is refused, too, but it was only a copy of the one that waits.
    if (const auto* m = std::get_if<Refused>(&message);
        m && m->about == Request::op && m->code != Code::bad_message && m->code != Code::unknown_op &&
        m->code != Code::wrong_version) {
      waiting_.erase(m->id);
      anew = anew || (asking_ && m->id == asking_->id && m->code == Code::timed_out);
    }
    if (const auto* m = std::get_if<Cancelled>(&message)) waiting_.erase(m->id);
  }
  for (const auto& [id, want] : waiting_)
    if (want.deadline < now)
      throw Violation(17, "request " + id + " waits past its deadline");
}

// Who asks gets a bounded number of answers, and who talks of a lease that is not current gets nothing else.
void History::check_answers(const broker::Event& event, const broker::Actions& actions) {
  const auto* received = std::get_if<Received>(&event);
  if (!received) return;
  // What is told without being asked: sessions that are granted, and the new place of a request that goes on waiting.
  const auto unasked = [&](const Message& message) {
    if (const auto* queued = std::get_if<Queued>(&message)) return !asking_ || queued->id != asking_->id;
    return std::holds_alternative<Happened>(message) || std::holds_alternative<Assign>(message);
  };
  std::size_t back = 0;
  for (const auto& action : actions) {
    const auto& send = std::get<Send>(action);
    back += send.to == received->from && !unasked(send.message);
  }
  std::visit([&](const auto& m) {
    using M = std::remove_cvref_t<decltype(m)>;
    constexpr bool of_lease = std::is_same_v<M, Heartbeat> || std::is_same_v<M, Report> || std::is_same_v<M, Holding>;
    if constexpr (of_lease) {
      const auto lease = leases_.find(m.lease);
      if ((lease != leases_.end() && !lease->second.over) || received->from.door != Door::workers) return;
      for (const auto& action : actions) {
        const auto& send = std::get<Send>(action);
        const auto* refused = std::get_if<Refused>(&send.message);
        if (send.to == received->from && !unasked(send.message) && (!refused || refused->code != Code::unknown_lease || refused->lease != m.lease)) back = 0;
      }
      if (back != 1) throw Violation(m.lease <= epoch_ ? 32 : 5, "lease " + number(m.lease) + " is not current, but its message is not refused as such");
    } else if constexpr (!std::is_same_v<M, Register> && !std::is_same_v<M, Watch>) {
      // What time has brought about in the same step is told apart only beside a reference.
      if (profile_.reference && received->from.door == Door::clients && back > 2)
        throw Violation(37, std::string(M::op) + " has " + number(back) + " answers");
    }
  }, received->message);
}

void History::registered(const Registered& m, Instant now) {
  if (m.lease <= last_id_) throw Violation(m.lease <= epoch_ ? 31 : 4, "lease " + number(m.lease) + " is not larger than all ids before");
  last_id_ = m.lease;
  Lease& lease = leases_[m.lease];
  lease = {.worker = m.worker, .term = m.term_ms, .heard = now, .heard_global = world_.now(), .late_then = late_};
  lease.attributes = registering_.value().attributes;
  lease.accepts = registering_->accepts;
}

void History::assigned(const Assign& assign, Instant now) {
  const auto lease = leases_.find(assign.lease);
  if (lease == leases_.end()) throw Violation(1, "an assignment under lease " + number(assign.lease) + ", which is not known");
  const Lease& held = lease->second;
  if (held.term != forever) {
    const auto until = held.heard + held.term + held.term / 5 + (late_ - held.late_then) + milliseconds(2);
    if (now > until) throw Violation(1, "granted to " + held.worker + ", whose lease is over at the broker");
  }
  for (const auto& row : assign.sessions) {
    if (const auto known = promises_.find(row.session); known != promises_.end() && known->second.tell_by != never) {
      if (now > std::exchange(known->second.tell_by, never) + (late_ - known->second.late_then))
        throw Violation(83, held.worker + " is told too late of session " + number(row.session));
      continue;
    }
    if (row.session <= last_id_) throw Violation(31, "session " + number(row.session) + " is not larger than all ids before");
    last_id_ = row.session;
    ++grants_;
    const auto want = waiting_.find(row.id);
    if (want == waiting_.end()) throw Violation(8, "granted to request " + row.id + ", which does not wait");
    for (const auto& [id, other] : waiting_) {
      if (other.service != row.service || other.priority != want->second.priority) continue;
      if (other.order < want->second.order && !other.exclude.contains(held.worker) && suits(held, other))
        throw Violation(16, "request " + row.id + " was granted before " + id + ", which came earlier");
    }
    if (want->second.exclude.contains(held.worker))
      throw Violation(18, "request " + row.id + " was granted " + held.worker + ", which it excludes");
    if (!suits(held, want->second))
      throw Violation(87, "request " + row.id + " (" + want->second.when + ") was granted " + held.worker + ", which does not suit it");
    waiting_.erase(want);
    const auto before = granted_.find(row.id);
    if (before != granted_.end()) {
      // Once its session was given up, even if it was found again, the request is remembered for so long only.
      const Promise& old = promises_.at(before->second);
      const bool over = old.given_up != never;
      const bool remembered = over && now - old.given_up < profile_.broker.remember && profile_.broker.remembered_max > 1000;
      if (!over || remembered)
        throw Violation(8, "request " + row.id + " was granted a second session");
    }
    granted_[row.id] = row.session;
    promises_[row.session] = {.worker = held.worker, .client = row.client, .service = row.service, .id = row.id,
                              .expires = world_.now() + row.ttl_ms, .slept_then = slept_};
  }
}

void History::granted(const Granted& m, Instant now) {
  if (!promises_.contains(m.session) && waiting_.contains(m.id) && profile_.broker.notice_wait.count() > 0) {
    // Its worker is told later, together with what else is granted there.
    const auto lease = std::find_if(leases_.rbegin(), leases_.rend(), [&](const auto& entry) { return entry.second.worker == m.worker; });
    if (lease == leases_.rend()) throw Violation(19, "granted " + m.worker + ", which is not registered");
    assigned({.lease = lease->first,
              .sessions = {{.session = m.session, .service = m.service, .client = waiting_.at(m.id).client, .id = m.id, .ttl_ms = m.ttl_ms}}},
             now);
    Promise& promise = promises_.at(m.session);
    promise.tell_by = now + profile_.broker.notice_wait;
    promise.late_then = late_;
  }
  waiting_.erase(m.id);
  const auto found = promises_.find(m.session);
  if (found == promises_.end()) throw Violation(19, "granted session " + number(m.session) + ", which was never assigned");
  Promise& promise = found->second;
  if (promise.worker != m.worker || promise.service != m.service || promise.id != m.id)
    throw Violation(19, "session " + number(m.session) + " was granted differently before");
  if (promise.reported) throw Violation(27, "request " + m.id + " is answered with session " + number(m.session) + ", which is over");
  promise.direct = m.direct;
  promise.expires = std::max(promise.expires, world_.now() + m.ttl_ms - (slept_ - promise.slept_then));
  const auto before = granted_.find(m.id);
  if (before != granted_.end() && before->second != m.session)
    throw Violation(8, "request " + m.id + " was answered with session " + number(before->second) + " before");
  granted_[m.id] = m.session;
  tickets_.push_back({m.endpoint, m.ticket, promise.client, m.session});
  if (tickets_.size() > 20) tickets_.pop_front();
}

void History::watched(const Happened& event, Instant now) {
  if (event.kind == Happening::expired || event.kind == Happening::left)
    for (auto& [number, lease] : leases_) lease.over = lease.over || lease.worker == event.worker;
  if (event.kind != Happening::closed && event.kind != Happening::opened) return;
  const auto found = promises_.find(event.session);
  if (found == promises_.end()) return;
  const bool closed = event.kind == Happening::closed;
  const bool unsaid = event.detail == word(Ending::lost) || event.detail == word(Ending::unused);
  found->second.reported = closed && !unsaid;
  if (closed && found->second.given_up == never) found->second.given_up = now;
}

void History::inspected(const Lists& lists) {
  const auto& [workers, sessions, waiting] = lists;
  std::map<std::string, std::map<std::string, std::uint64_t>> used;  // by worker and service
  for (const auto& row : sessions) ++used[row.worker][row.service];
  for (const auto& row : workers) {
    std::uint64_t sum = 0;
    for (const auto& [service, n] : used[row.worker]) sum += n;
    if (sum != row.used)
      throw Violation(10, row.worker + " has " + number(row.used) + " sessions by its row, " + number(sum) + " in the list");
  }
  std::set<std::string> listed;
  for (const auto& row : waiting) listed.insert(row.id);
  for (const auto& [id, want] : waiting_)
    if (!listed.contains(id)) throw Violation(60, "request " + id + " was never answered and does not wait");
  if (listed.size() != waiting_.size()) throw Violation(72, "the broker lists requests as waiting that were answered");

  std::map<std::string, std::size_t> ahead;
  for (const auto& row : waiting) {
    const auto settings = profile_.broker.services.find(row.service);
    if (settings == profile_.broker.services.end()) continue;  // made up; nobody offers it
    if (++ahead[row.service] > looked_at || settings->second.slow_start.count() > 0) continue;
    for (const auto& worker : workers) {
      if (worker.state != State::alive || !worker.why.empty() || worker.used >= worker.slots) continue;
      const auto& plans = profile_.workers;
      const auto plan = std::find_if(plans.begin(), plans.end(), [&](const auto& p) { return p.settings.name == worker.worker; });
      const Want& want = waiting_.at(row.id);
      if (plan == plans.end() || want.exclude.contains(worker.worker) || !suits(leases_.at(worker.lease), want)) continue;
      for (const auto& offer : plan->settings.offers)
        if (offer.service == row.service && (offer.slots == 0 || used[worker.worker][row.service] < offer.slots))
          throw Violation(15, "request " + row.id + " waits while " + worker.worker + " has a free slot");
    }
  }
}

void History::began(const std::string& worker, std::uint64_t lease, std::uint64_t session, const std::string& service,
                    const std::string& client, Duration late, Duration asleep) {
  const auto found = promises_.find(session);
  const auto what = "session " + number(session) + " at " + worker;
  if (found == promises_.end()) throw Violation(19, what + " was never granted");
  Promise& promise = found->second;
  if (promise.worker != worker) throw Violation(19, what + " was granted at " + promise.worker);
  if (promise.client != client) throw Violation(20, what + " was opened by " + client + ", granted to " + promise.client);
  if (promise.service != service) throw Violation(19, what + " is for another service");
  if (promise.begun) throw Violation(21, what + " was opened a second time");
  promise.begun = true;
  ++begun_;
  if (promise.direct != Direct::pointsman) return;
  const auto expires = promise.expires + (slept_ - promise.slept_then);
  if (world_.now() > expires + late + asleep)
    throw Violation(22, what + " was opened " +
                    number(static_cast<std::uint64_t>((world_.now() - expires).count() / 1000)) +
                    " ms after its ticket had expired");
  const auto held = leases_.find(lease);
  if (held == leases_.end() || held->second.term == forever) return;
  const auto term = Duration(held->second.term);
  if (world_.now() > held->second.heard_global + term + term / 5 + asleep)
    throw Violation(3, what + " was opened when the lease " + number(lease) + " was over at the broker");
}

void History::finished(std::uint64_t session) {
  if (const auto found = promises_.find(session); found != promises_.end()) found->second.ended = true;
}

Instant History::lease_end(const std::string& worker) const {
  for (auto it = leases_.rbegin(); it != leases_.rend(); ++it)
    if (it->second.worker == worker && it->second.term != forever)
      return it->second.heard_global + it->second.term + it->second.term / 5;
  return never;
}

// A worker that refused a session may let it in later, for a copy of the call that only a network made: no client sends
// one. In one session even then each call is served once.
void History::served(const std::string& call, std::uint64_t session, std::uint64_t call_number, std::uint64_t most) {
  if (!served_in_.emplace(session, call_number).second) throw Violation(63, "call " + call + " was served twice in session " + number(session));
  if (++served_[call] > most + world_.copies(call)) throw Violation(63, "call " + call + " was served " + number(served_[call]) + " times");
}

}  // namespace pointsman::sim
