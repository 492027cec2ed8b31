// What comes in at a worker, and its account of itself.
#include "workers/core/worker.hpp"

#include <algorithm>
#include <type_traits>

#include "protocol/digest.hpp"
#include "protocol/names.hpp"

namespace pointsman::workers {

namespace {

template <class M, class... Ms>
constexpr bool is_one_of = (std::is_same_v<M, Ms> || ...);

template <class M>
constexpr bool from_broker = is_one_of<M, Registered, Heard, Probe, Sync, Drain, Refused, Left, Assign, Release, Renew>;

template <class M>
constexpr bool from_clients = is_one_of<M, Open, Call, Abandon, Release, Renew, Hello>;

}  // namespace

WorkerCore::WorkerCore(WorkerSettings settings)
    : settings_(std::move(settings)),
      used_of_(settings_.offers.size()),
      state_(settings_.seed),
      retry_(settings_.retry),
      admission_(settings_.ticket_memory, settings_.keys_max, settings_.used_max) {
  MUST(!settings_.offers.empty() && settings_.offers.size() <= limits::services);
  MUST(settings_.slots >= 1 && settings_.slots <= limits::slots);
  for (const Offer& offer : settings_.offers) fingerprints_.push_back(service_of(offer.service));
}

void WorkerCore::step(Instant now, Event event, Actions& out) {
  MUST(now >= now_);
  now_ = now;
  if (stage_ == Stage::done) return;
  out_ = &out;
  if (stage_ == Stage::starting) {
    run_since_ = now;
    enroll();
  }
  pass_time();
  std::visit(
      [this](auto& e) {
        using E = std::remove_cvref_t<decltype(e)>;
        if (stage_ == Stage::done) return;
        if constexpr (std::is_same_v<E, Received>) received(e);
        if constexpr (std::is_same_v<E, Garbled>) garbled(e);
        if constexpr (std::is_same_v<E, Gone>) gone(e);
        if constexpr (std::is_same_v<E, Answered>) answered(std::move(e));
        if constexpr (std::is_same_v<E, FailedCall>) failed(std::move(e));
        if constexpr (std::is_same_v<E, Progressed>) progress_ += e.more;
        if constexpr (std::is_same_v<E, Quiesce>) set_draining(true);
        if constexpr (std::is_same_v<E, Resize>) resize(e);
        if constexpr (std::is_same_v<E, Move>) move();
        if constexpr (std::is_same_v<E, Stop>) stop(e.now);
      },
      event);
  if (stopping_) leave_when_empty();
  else move_when_empty();
  if (events_.size() > settings_.events_max && stage_ == Stage::registered) register_anew();
  out_ = nullptr;
}

Instant WorkerCore::deadline() const {
  if (stage_ == Stage::starting) return Instant{};
  if (stage_ == Stage::done) return never;
  const Instant due = std::min({next_, report_due_, moves_by_});
  return timers_.empty() ? due : std::min(due, timers_.begin()->first);
}

// What has run out by now goes first: whatever the event is, it meets a world without it.
void WorkerCore::pass_time() {
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    due(sessions_.at(timers_.begin()->second));
  }
  if (report_due_ <= now_) report_new();
  if (moves_by_ <= now_) stay();
  if (next_ > now_) return;
  if (stage_ == Stage::registering) enroll();
  else if (stage_ == Stage::registered) beat();
  else if (stage_ == Stage::leaving) leave();
}

void WorkerCore::received(const Received& event) {
  const Address& from = event.from;
  asker_ = event.key;
  std::visit(
      [&](const auto& message) {
        using M = std::remove_cvref_t<decltype(message)>;
        if (from.door == Door::broker) {
          // A broker that says what a worker does not take is not answered: it would answer that.
          if constexpr (std::is_same_v<M, Release>) released_by_broker(message);
          else if constexpr (std::is_same_v<M, Renew>) renewed_by_broker(message);
          else if constexpr (from_broker<M>) on(message);
          return;
        }
        if constexpr (std::is_same_v<M, Call>) return on(from, message, event.payload);
        else if constexpr (std::is_same_v<M, Hello>) {
          return send(from, Welcome{.program = std::string(program_name),
                                    .version = std::string(program_version),
                                    .speaks = {protocol_version},
                                    .body_bytes = limits::body_bytes});
        } else if constexpr (from_clients<M>) return on(from, message);
        else if constexpr (!std::is_same_v<M, Refused>) {
          refuse(from, M::op, Code::wrong_role, std::string(M::op) + " is not for a worker's direct link",
                 "a worker takes: open call abandon renew release hello");
        }
      },
      event.message);
}

void WorkerCore::garbled(const Garbled& event) {
  if (event.from.door == Door::broker) return;
  const Fault& fault = event.fault;
  refuse(event.from, fault.op, fault.code, fault.reason, "see PROTOCOL.md",
         {.id = fault.id.substr(0, limits::name), .session = fault.session, .number = fault.number});
}

void WorkerCore::gone(const Gone& event) {
  if (event.door == Door::broker) {
    // A heartbeat finds out, soon, but not all workers' at once; asking for a new connection at each loss would never
    // let one come about.
    broken_ = true;
    if (stage_ != Stage::registered || hurry_ != Duration{0}) return;
    hurry_ = settings_.retry;
    next_ = std::min(next_, now_ + Duration(static_cast<Duration::rep>(chance() % static_cast<std::uint64_t>(hurry_.count()))));
    return;
  }
  // The session goes on: its client may come back by another connection, with its ticket.
  for (auto& [id, session] : sessions_) {
    std::erase_if(session.waiting, [&](const PendingCall& call) { return call.from.peer == event.peer; });
    if (session.running && session.running->from.peer == event.peer) abandon(session);
  }
}

void WorkerCore::send(Message message) { out_->push_back(Send{Address{.door = Door::broker}, std::move(message), {}}); }

void WorkerCore::send(const Address& to, Message message, Payload payload) {
  out_->push_back(Send{to, std::move(message), std::move(payload)});
}

void WorkerCore::refuse(const Address& to, std::string_view about, Code code, std::string reason, std::string remedy,
                        Refused more) {
  more.about = about.substr(0, limits::name);
  more.code = code;
  more.reason = reason.substr(0, limits::text);
  more.remedy = std::move(remedy);
  send(to, std::move(more));
}

// SplitMix64: the same seed, the same course.
std::uint64_t WorkerCore::chance() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

Duration WorkerCore::jitter(Duration around) {
  const auto fifth = around.count() / 5;
  return around - Duration(fifth) + Duration(static_cast<Duration::rep>(chance() % static_cast<std::uint64_t>(2 * fifth + 1)));
}

void WorkerCore::check() const {
  admission_.check();
  std::uint64_t digest = 0;
  std::size_t running = 0;
  std::vector<std::uint64_t> used_of(settings_.offers.size());
  for (const auto& [id, session] : sessions_) {
    MUST(session.id == id);
    digest ^= digest_of(id);
    ++used_of[session.offer];
    running += session.running.has_value();
    MUST(timers_.contains({session.timer, id}));
    MUST(session.timer <= wanted(session));
    MUST(session.running || session.waiting.empty());
    MUST(session.stage == Session::Stage::open || session.waiting.empty());
    MUST(session.stage != Session::Stage::assigned || !session.running);
    MUST(session.stage != Session::Stage::closing || (session.running && session.running->abandoned));
    MUST(session.waiting.size() <= settings_.calls_max);
    MUST(session.finished.ranges() <= finished_ranges);
  }
  MUST(sessions_.size() <= limits::slots);
  MUST(timers_.size() == sessions_.size());
  MUST(digest == digest_);
  MUST(running == running_);
  MUST(used_of == used_of_);
  MUST(reported_ + 1 >= first_event_ && reported_ <= last_event());
  MUST(untold_ <= last_event() - reported_);
  MUST((report_due_ != never) <= (untold_ > 0));
  MUST(beats_.size() <= 8);
  MUST(moves_by_ == never || stage_ == Stage::registered);
}

}  // namespace pointsman::workers
