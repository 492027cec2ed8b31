// The worker's lease: registration, renewal, leaving.
#include <algorithm>
#include <utility>

#include "workers/core/worker.hpp"

namespace pointsman::workers {

namespace {

// How much earlier than the broker the worker takes its lease for lost.
Duration margin(Duration term) { return std::max<Duration>(term / 20, std::chrono::milliseconds(200)); }

// A registration that was refused so is refused again, however often it is repeated.
bool hopeless(Code code) {
  return code == Code::bad_endpoint || code == Code::bad_message || code == Code::wrong_version ||
         code == Code::wrong_role || code == Code::unknown_op;
}

}  // namespace

// Sends a registration; repeats it by a new connection if the one before had no answer.
void WorkerCore::enroll() {
  if (stopping_ && sessions_.empty()) return finish(Code::none, "stopped");
  const bool patient = settings_.patience == Duration{0};
  if (waiting_for_answer_ && !patient && !enrolled_once_ && now_ - run_since_ >= settings_.patience) {
    return finish(Code::unreachable, "no broker answered within " +
                                         std::to_string(settings_.patience / std::chrono::milliseconds(1)) + " ms",
                  "start the broker, or name its listener for workers");
  }
  if (waiting_for_answer_) out_->push_back(Reconnect{});
  stage_ = Stage::registering;
  moves_by_ = never;
  waiting_for_answer_ = true;
  attempts_.emplace_back(++attempt_, now_);
  if (attempts_.size() > 8) attempts_.pop_front();
  // What happens from here on is told under the new lease; what happened before is in the list.
  events_.clear();
  first_event_ = 1;
  reported_ = 0;
  seen_ = 0;
  told();
  send(Register{.worker = settings_.name,
                .instance = settings_.instance,
                .services = settings_.offers,
                .slots = settings_.slots,
                .endpoint = settings_.endpoint,
                .direct = settings_.direct,
                .lease_ms = settings_.lease,
                .key = settings_.key,
                .draining = draining(),
                .completed = completed_,
                .busy_ms = std::chrono::duration_cast<Milliseconds>(busy_),
                .sessions = held(),
                .attempt = attempt_,
                .attributes = settings_.attributes,
                .accepts = settings_.accepts,
                .workers = settings_.workers});
  retry_later();
}

void WorkerCore::retry_later() {
  next_ = now_ + jitter(retry_);
  retry_ = std::min(2 * retry_, settings_.retry_max);
}

// The broker does not know the lease any more. One that forgets at once what it has just granted is not hurried.
void WorkerCore::register_anew() {
  const bool hurried = now_ - enrolled_at_ < std::chrono::seconds(1);
  run_since_ = now_;
  retry_ = settings_.retry;
  waiting_for_answer_ = false;
  moves_by_ = never;
  if (!hurried) return enroll();
  stage_ = Stage::registering;
  next_ = now_ + jitter(settings_.retry);
}

void WorkerCore::on(const Registered& message) {
  if (message.worker != settings_.name || message.lease == lease_ || admission_.knows(message.lease)) return;
  if (stage_ == Stage::leaving) return;
  const auto attempt = std::find_if(attempts_.begin(), attempts_.end(), [&](const auto& a) { return a.first == message.attempt; });
  const bool known = attempt != attempts_.end();
  // Not the answer to what was asked last: an earlier registration arrived twice or late, and the broker made a lease of
  // it, with the list of sessions as it was then.
  const bool unasked = stage_ == Stage::registered || !waiting_for_answer_ || message.attempt != attempt_;
  if (unasked && message.lease < lease_) return;
  admission_.add_key(now_, message.lease, message.key, message.now_ms);
  stage_ = Stage::registered;
  moves_by_ = never;  // a lease that was asked for before knows nothing of it
  waiting_for_answer_ = false;
  enrolled_once_ = true;
  enrolled_at_ = now_;
  lease_ = message.lease;
  term_ = message.term_ms == forever ? Duration{0} : Duration(message.term_ms);
  heartbeat_ = message.heartbeat_ms;
  retry_ = settings_.retry;
  beats_.clear();
  silent_since_ = never;
  broken_ = false;
  hurry_ = Duration{0};
  // The lease runs from when it was asked for. Of one that was asked for nobody knows when only the renewal counts.
  if (known) renewed_at(attempt->second);
  else fence_ = term_ == Duration{0} ? never : now_;
  if (known) attempts_.erase(attempts_.begin(), attempt + 1);
  // Workers that registered at the same moment do not renew at the same moment.
  if (unasked) next_ = now_;
  else next_ = now_ + heartbeat_ / 2 + Duration(static_cast<Duration::rep>(chance() % static_cast<std::uint64_t>(heartbeat_.count() / 2 + 1)));
  out_->push_back(Enrolled{lease_});
  if (unasked) {
    events_.clear();
    first_event_ = 1;
    reported_ = 0;
    seen_ = 0;
    told();
    send(Holding{.lease = lease_, .sessions = held()});
  }
  report_new();
  if (message.attempt < resized_ && !stopping_) enroll();
}

void WorkerCore::renewed_at(Instant sent) {
  fence_ = term_ == Duration{0} ? never : sent + term_ - margin(term_);
}

void WorkerCore::on(const Heard& message) {
  if (message.lease != lease_ || stage_ != Stage::registered) return;
  const auto beat = std::find_if(beats_.begin(), beats_.end(), [&](const auto& b) { return b.first == message.beat; });
  admission_.clock(now_, message.now_ms, beat == beats_.end() ? Instant::min() : beat->second);
  applied(message.applied);
  if (beat == beats_.end()) return;
  renewed_at(beat->second);
  beats_.erase(beats_.begin(), beat + 1);
  silent_since_ = beats_.empty() ? never : beats_.front().second;
  broken_ = false;
  // A connection that is gone may still bring an answer; the next broker behind it is to be looked for soon all the same.
  const bool hurried = std::exchange(hurry_, Duration{0}) != Duration{0};
  if (message.beat >= moves_after_) moves_after_ = 0;
  if (!hurried && beats_.empty() && message.next_ms > Milliseconds{0}) next_ = now_ + std::min<Duration>(message.next_ms, heartbeat_ + heartbeat_ / 2);
}

void WorkerCore::on(const Probe& message) {
  if (message.lease == lease_ && stage_ == Stage::registered) beat();
}

void WorkerCore::on(const Sync& message) {
  if (message.lease != lease_ || stage_ != Stage::registered) return;
  // The list contains what was not reported yet, too.
  reported_ = last_event();
  told();
  send(Holding{.lease = lease_, .seen = seen_, .reported = reported_, .sessions = held()});
}

// Says how things are, and with it everything that the broker has not applied.
void WorkerCore::beat() {
  next_ = now_ + heartbeat_;
  if (hurry_ != Duration{0}) {
    next_ = std::min(next_, now_ + jitter(hurry_));
    hurry_ = std::min(2 * hurry_, heartbeat_);
  }
  if (broken_ || (silent_since_ != never && now_ - silent_since_ >= 2 * heartbeat_)) {
    broken_ = false;
    silent_since_ = never;
    out_->push_back(Reconnect{});
  }
  report_unapplied();
  if (silent_since_ == never) silent_since_ = now_;
  beats_.emplace_back(++beat_, now_);
  if (beats_.size() > 8) beats_.pop_front();
  send(Heartbeat{.lease = lease_,
                 .beat = beat_,
                 .seen = seen_,
                 .used = sessions_.size(),
                 .digest = digest_,
                 .reported = reported_,
                 .progress = progress_ & limits::number,  // only that it differs matters
                 .completed = completed_,
                 .busy_ms = std::chrono::duration_cast<Milliseconds>(busy_),
                 .draining = draining(),
                 .refused = refused_tickets()});
}

std::vector<RefusedTickets> WorkerCore::refused_tickets() const {
  std::vector<RefusedTickets> rows;
  for (std::size_t i = 0; i < refused_tickets_.size(); ++i) {
    const auto code = static_cast<Code>(static_cast<std::size_t>(Code::bad_ticket) + i);
    if (refused_tickets_[i] != 0) rows.push_back({code, refused_tickets_[i]});
  }
  return rows;
}

void WorkerCore::on(const Refused& message) {
  if (message.code == Code::unknown_lease) {
    if (message.lease == lease_ && stage_ == Stage::registered) register_anew();
    return;
  }
  if (message.about != Register::op || stage_ != Stage::registering || !waiting_for_answer_) return;
  waiting_for_answer_ = false;
  out_->push_back(Denied{message.code, message.reason, message.remedy});
  const bool late = settings_.patience > Duration{0} && now_ - run_since_ >= settings_.patience;
  if (late || hopeless(message.code)) return finish(message.code, message.reason, message.remedy);
  next_ = now_ + jitter(retry_);
  if (message.retry_ms > Milliseconds{0}) next_ = std::max(next_, now_ + message.retry_ms);
}

void WorkerCore::on(const Drain& message) {
  switch (message.mode) {
    case DrainMode::drain: return set_draining(true);
    case DrainMode::resume: moves_by_ = never; return set_draining(stopping_);
    case DrainMode::leave: return stop(false);
    case DrainMode::forget:
      stop(true);
      return finish(Code::none, "the broker was told to forget this worker");
    case DrainMode::count_: return;
  }
}

void WorkerCore::set_draining(bool draining) {
  if (draining == draining_) return;
  draining_ = draining;
  if (stage_ == Stage::registered) beat();
}

// A lease that stands says what was offered before: that is said anew at once, or when the attempt under way is answered.
void WorkerCore::resize(const Resize& event) {
  MUST(event.slots <= limits::slots && event.weight >= 1 && event.weight <= limits::weight);
  const bool nothing = event.slots == 0;
  const bool same = event.slots == settings_.slots &&
                    std::all_of(settings_.offers.begin(), settings_.offers.end(),
                                [&](const Offer& offer) { return offer.weight == event.weight; });
  if (nothing == nothing_ && (nothing || same)) return;
  nothing_ = nothing;
  if (!nothing) {
    settings_.slots = event.slots;
    for (Offer& offer : settings_.offers) offer.weight = event.weight;
  }
  resized_ = attempt_ + 1;
  if (stage_ != Stage::registered || stopping_) return;
  // To drain is said by a heartbeat, which loses nobody who was assigned meanwhile.
  if (nothing) return beat();
  run_since_ = now_;
  enroll();
}

void WorkerCore::move() {
  if (stage_ == Stage::registering && !waiting_for_answer_) return enroll();
  if (stage_ != Stage::registered || draining()) return;
  moves_by_ = now_ + settings_.move;
  beat();
  moves_after_ = beat_;
}

// The broker has heard that it drains, so nobody is assigned any more.
void WorkerCore::move_when_empty() {
  if (moves_by_ != never && moves_after_ == 0 && sessions_.empty()) leave();
}

// It takes sessions again; that is said by a registration only.
void WorkerCore::stay() {
  run_since_ = now_;
  enroll();
}

void WorkerCore::stop(bool now) {
  stopping_ = true;
  moves_by_ = never;
  set_draining(true);
  if (!now) return;
  std::vector<std::uint64_t> all;
  for (const auto& entry : sessions_) all.push_back(entry.first);
  for (const std::uint64_t id : all) {
    close(sessions_.at(id), Ending::stopped, Code::shutting_down, "the worker stops");
  }
  // What is closing keeps its slot, but nobody waits for the work: the process ends with it.
  if (stage_ == Stage::registered) return leave();
  // One that registers anew is waited for, for a moment: it could not leave a lease that it has not heard of.
  if (stage_ == Stage::registering && waiting_for_answer_ && enrolled_once_ && sessions_.empty()) {
    next_ = std::min(next_, now_ + settings_.farewell);
  } else if (stage_ != Stage::leaving) {
    finish(Code::none, "stopped");
  }
}

void WorkerCore::leave_when_empty() {
  if (!sessions_.empty()) return;
  if (stage_ == Stage::registered) leave();
  else if (stage_ == Stage::registering && !waiting_for_answer_) finish(Code::none, "stopped");
}

void WorkerCore::leave() {
  if (farewells_ == settings_.farewells) return left("left without an answer");
  if (stage_ == Stage::registered) report_unapplied();
  stage_ = Stage::leaving;
  moves_by_ = never;
  ++farewells_;
  next_ = now_ + settings_.farewell;
  send(Leave{.lease = lease_, .reason = stopping_ ? "stopped" : "goes to another broker"});
}

void WorkerCore::left(std::string reason) {
  if (stopping_) return finish(Code::none, std::move(reason));
  out_->push_back(Departed{});
  farewells_ = 0;
  retry_ = settings_.retry;
  run_since_ = now_;
  enroll();
}

void WorkerCore::on(const Left& message) {
  if (message.lease == lease_ && stage_ == Stage::leaving) left("left");
}

void WorkerCore::finish(Code code, std::string reason, std::string remedy) {
  if (stage_ == Stage::done) return;
  stage_ = Stage::done;
  out_->push_back(Done{code, std::move(reason), std::move(remedy)});
}

std::vector<Held> WorkerCore::held() const {
  std::vector<Held> rows;
  rows.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) {
    rows.push_back({.session = id,
                    .service = settings_.offers[session.offer].service,
                    .client = session.client,
                    .id = session.request,
                    .key = bytes_of(session.key),
                    .open = session.stage != Session::Stage::assigned});
  }
  return rows;
}

}  // namespace pointsman::workers
