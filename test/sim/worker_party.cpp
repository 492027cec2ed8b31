// A worker in a simulation: the core, and a program that takes its time, fails and hangs.

#include <algorithm>
#include <functional>

#include "test/sim/parties.hpp"
#include "test/sim/storm.hpp"
#include "test/sim/telling.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Address to_broker{Door::broker, Codec::msgpack, 0, {}};

}  // namespace

WorkerParty::WorkerParty(Stage& stage, const WorkerPlan& plan, Chance chance, Duration offset, double drift,
                         std::string other)
    : Party(stage.world, Role::worker, plan.settings.name + other, offset, drift), stage_(stage), plan_(plan), chance_(chance), sizes_(plan.settings.seed) {}

std::unique_ptr<WorkerParty> WorkerParty::another(std::string other) {
  auto plan = plan_;
  plan.settings.seed = chance_.next();
  plan.moves = true;
  return std::make_unique<WorkerParty>(stage_, plan, chance_.fork(), std::chrono::seconds(chance_.between(1, 1000)), 1, std::move(other));
}

void WorkerParty::start() {
  up_ = true;
  ++life_;
  auto settings = plan_.settings;
  settings.instance = name() + "." + std::to_string(life_);
  settings.seed = chance_.next();
  endpoint_ = "tcp://" + name() + ":" + std::to_string(plan_.moves ? life_ : 1);
  settings.endpoint = endpoint_;
  core_ = std::make_unique<workers::WorkerCore>(settings);
  lease_ = 0;
  late_ = asleep_ = freeze_ = {};
  done_ = false;
  if (plan_.settings.direct == Direct::pointsman) world_.listen(endpoint_, *this, Door::direct);
  world_.dial(*this, to_broker, stage_.workers_door);
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "starts");
  if (plan_.resizes) resize_later();
  if (plan_.changes) change_later();
  step(Elapsed{});
}

// When all is well again, it offers all that it has.
void WorkerParty::resize_later() {
  world_.later(*this, sizes_.between(milliseconds(1), seconds(5)), [this] {
    const bool last = world_.calm();
    if (!last) resize_later();
    const auto slots = last ? plan_.settings.slots : sizes_.between(0, plan_.settings.slots);
    step(workers::Resize{slots, last ? 1 : sizes_.between(1, 5)});
  });
}

// To the worker the broker that it comes back to is another one, which knows it from before.
void WorkerParty::change_later() {
  world_.later(*this, sizes_.between(milliseconds(1), seconds(20)), [this] {
    if (!world_.calm()) change_later();
    step(workers::Move{});
  });
}

void WorkerParty::crash() {
  up_ = false;
  ++life_;
  world_.deafen(endpoint_);
  world_.hang_up_all(*this);
  open_.clear();
  running_.clear();
  lease_ = 0;
  core_.reset();
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "crashes");
}

void WorkerParty::stop(bool now) { step(workers::Stop{now}); }

void WorkerParty::arrive(Incoming incoming) {
  if (const auto* received = std::get_if<Received>(&incoming); received && received->from.door == Door::broker) {
    late_ = std::max(late_, world_.age());
    heard(received->message);
    std::visit([this](const auto& m) {
      if constexpr (requires { m.lease, m.applied; }) held_lease_ = m.lease, applied_ = m.applied;
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(m)>, Assign>)
        if (m.lease == lease_) told_ = std::max(told_, m.first + m.sessions.size() - 1);
    }, received->message);
  }
  std::visit([this](auto& event) { step(std::move(event)); }, incoming);
}

// How long its lease lasts by what it has heard, at most.
void WorkerParty::heard(const Message& message) {
  if (const auto* registered = std::get_if<Registered>(&message))
    offered_ = registered->term_ms == forever ? Duration(0) : Duration(registered->term_ms);
  const auto* answer = std::get_if<Heard>(&message);
  if (!answer || answer->lease != lease_ || term_ == Duration(0)) return;
  const auto beat = beats_.find(answer->beat);
  if (beat == beats_.end()) return;
  kept_ = std::max(kept_.value_or(Instant{}), beat->second + term_);
}

void WorkerParty::step(workers::Event event) {
  const auto life = life_;
  const auto actions = step_core<workers::Actions>(world_, stage_.story, *this, *core_, std::move(event), check_now());
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (cut_here(i, actions.size())) return stage_.storm.dies(*this);
    std::visit([this](const auto& a) { act(a); }, actions[i]);
    if (life != life_) return;
  }
  // The process ends, and is started again some time later.
  if (done_) return stage_.storm.dies(*this, 0);
  check();
  world_.rearm(*this);
}

void WorkerParty::check() {
  if (plan_.settings.direct != Direct::pointsman) return;
  if (open_.size() > plan_.settings.slots) throw Violation(24, name() + " holds more sessions than it has slots");
  for (const auto& offer : plan_.settings.offers) {
    const auto of = std::count_if(open_.begin(), open_.end(), [&](const auto& o) { return o.second == offer.service; });
    if (offer.slots > 0 && static_cast<std::uint64_t>(of) > offer.slots)
      throw Violation(24, name() + " holds more sessions of " + offer.service + " than it has slots for it");
  }
}

void WorkerParty::act(const workers::Enrolled& action) {
  if (action.lease != lease_) {
    told_ = 0;
    beats_.clear();
    kept_.reset();
    term_ = offered_;
  }
  lease_ = action.lease;
}

void WorkerParty::act(const Send& action) {
  check_said(action.message);
  if (const auto* beat = std::get_if<Heartbeat>(&action.message)) beats_[beat->beat] = local();
  world_.send(*this, action);
  if (freeze_ > Duration(0) && !world_.calm() && std::holds_alternative<Heartbeat>(action.message))
    world_.pause(*this, std::exchange(freeze_, Duration(0)));
}

// What it tells of its sessions is whole, and it counts only what it was assigned under its lease.
void WorkerParty::check_said(const Message& message) const {
  std::visit([this](const auto& m) {
    using M = std::remove_cvref_t<decltype(m)>;
    if constexpr (std::is_same_v<M, Register> || std::is_same_v<M, Holding>)
      for (const auto& open : open_)
        if (std::none_of(m.sessions.begin(), m.sessions.end(), [&](const Held& held) { return held.session == open.first; }))
          throw Violation(28, name() + " leaves session " + std::to_string(open.first) + " out of its list");
    if constexpr (requires { m.lease, m.seen; })
      if (m.lease == lease_ && m.seen > told_) throw Violation(5, name() + " counts assignments of another lease");
  }, message);
}

void WorkerParty::freeze_after_beat() {
  const auto& asked = plan_.settings.lease;
  const Duration term = asked.count() == 0 || asked == forever ? Duration(stage_.profile.broker.lease) : Duration(asked);
  freeze_ = term * 6 / 5 + chance_.between(Duration(0), Duration(stage_.profile.broker.ticket_ttl));
}

// What it says of itself is wrong: figures, events of others, and such that come after a gap.
void WorkerParty::lie() {
  if (!up_ || lease_ == 0) return;
  const auto any = chance_.between(1, 1000);
  switch (chance_.below(4)) {
    case 3: return lie_of_sessions();
    case 0:
      return world_.send(*this, {to_broker, Heartbeat{.lease = lease_, .used = any, .digest = any, .reported = any % 3, .progress = any}, {}});
    case 1:
      return world_.send(*this, {to_broker, Report{.lease = lease_, .first = 100'000 + any, .events = {{.session = any, .closed = true}}}, {}});
    default: {
      std::vector<SessionEvent> events;
      for (const auto& [session, service] : open_) events.push_back({.session = session, .closed = true});
      if (events.empty()) return;
      return world_.send(*this, {to_broker, Report{.lease = lease_, .first = 100'000 + any, .events = events}, {}});
    }
  }
}

// That it has a session which nobody knows of, instead of one that it has.
void WorkerParty::lie_of_sessions() {
  if (held_lease_ != lease_ || plan_.settings.direct != Direct::pointsman) return;
  std::vector<Held> sessions;
  for (const auto& [session, service] : open_)
    sessions.push_back({.session = session, .service = service, .client = "somebody", .open = true});
  if (!sessions.empty()) sessions.erase(sessions.begin() + static_cast<std::ptrdiff_t>(chance_.below(sessions.size())));
  sessions.push_back({.session = chance_.between(1, 1000), .service = plan_.settings.offers.front().service,
                      .client = "somebody", .open = chance_.hit(0.7)});
  world_.send(*this, {to_broker, Holding{.lease = lease_, .reported = applied_, .sessions = sessions}, {}});
}

// By how much its clock may differ from the broker's over the longest time that it counts by it.
Duration WorkerParty::skew() const {
  const double drift = 2 * stage_.profile.of(Trouble::drift) / 1e6;
  const auto longest = 2 * stage_.profile.heal + std::chrono::minutes(2);
  return milliseconds(2) + std::chrono::duration_cast<Duration>(longest * drift);
}

void WorkerParty::act(const workers::SessionBegan& a) {
  if (!open_.emplace(a.session, a.service).second) throw Violation(21, name() + " begins session " + std::to_string(a.session) + " twice");
  // One with a protocol of its own takes whom the broker assigned, whenever it hears of it.
  if (kept_ && local() > *kept_ && plan_.settings.direct == Direct::pointsman)
    throw Violation(86, name() + " begins session " + std::to_string(a.session) + " a term after the last heartbeat that was answered");
  // Its clock may have drifted since the message by which it knows the broker's.
  stage_.history.began(plan_.settings.name, lease_, a.session, a.service, a.client, late_ + skew(), asleep_);
}

void WorkerParty::act(const workers::SessionOver& a) {
  if (open_.erase(a.session) == 0) throw Violation(60, name() + " ends session " + std::to_string(a.session) + ", which it has not");
  stage_.history.finished(a.session);
}

void WorkerParty::act(const workers::Reconnect&) {
  world_.hang_up(*this, to_broker);
  world_.dial(*this, to_broker, stage_.workers_door);
}

void WorkerParty::act(const workers::Departed&) {
  if (!open_.empty()) throw Violation(96, name() + " leaves for another broker with " + std::to_string(open_.size()) + " sessions");
  act(workers::Reconnect{});
}

void WorkerParty::act(const workers::Done&) { done_ = true; }

void WorkerParty::act(const workers::Serve& call) {
  const auto what = std::to_string(call.session) + "/" + std::to_string(call.number);
  if (!open_.contains(call.session)) throw Violation(64, name() + " serves call " + what + " of no session");
  for (const auto& [session, number] : running_)
    if (session == call.session) throw Violation(64, name() + " serves call " + what + " beside another one of that session");
  running_.insert({call.session, call.number});
  if (call.payload.size() != 2) throw Violation(62, "call " + what + " lost its payload on the way");
  stage_.history.served(call.payload[0].str(), call.session, call.number, std::stoull(call.payload[1].str()));
  if (world_.hit(Trouble::hang)) return;  // until it is abandoned
  // Whoever works on a call answers with as many parts as anybody else would.
  const auto digits = std::hash<std::string>()(call.payload[0].str());
  const auto parts = digits % 3 != 0 ? 1 : 2 + digits / 3 % 4;
  answer(call, 0, parts);
}

// Part after part, each after its time.
void WorkerParty::answer(const workers::Serve& call, std::uint64_t part, std::uint64_t parts) {
  const auto time = chance_.around(stage_.profile.work / static_cast<std::int64_t>(parts));
  const bool fails = world_.hit(Trouble::failure);
  world_.later(*this, time, [this, call, part, parts, fails] {
    if (!running_.contains({call.session, call.number})) return;
    if (fails) return end(call.session, call.number, workers::FailedCall{call.session, call.number, Code::failed, "it failed", 1, {}});
    const std::uint64_t together = call.gather ? std::min<std::uint64_t>(parts - part, 2) : 1;
    const bool more = part + together < parts;
    const auto by = name() + "." + std::to_string(life_) + "/" + std::to_string(call.session);
    workers::Answered event{call.session, call.number, {}, more, together};
    for (auto said = part; said < part + together; ++said) {
      event.payload.insert(event.payload.end(), {call.payload[0], Frame(std::to_string(said)), Frame(by)});
    }
    if (!more) return end(call.session, call.number, std::move(event));
    step(std::move(event));
    if (chance_.hit(0.2) && up_) step(workers::Progressed{1});
    if (up_) answer(call, part + together, parts);
  });
}

void WorkerParty::end(std::uint64_t session, std::uint64_t number, workers::Event event) {
  running_.erase({session, number});
  step(std::move(event));
}

void WorkerParty::act(const workers::Abandoned& a) {
  // The program needs a moment to stop, and may have ended meanwhile.
  world_.later(*this, chance_.between(milliseconds(0), milliseconds(300)), [this, a] {
    if (!running_.contains({a.session, a.number})) return;
    end(a.session, a.number, workers::FailedCall{a.session, a.number, Code::cancelled, "stopped", 0, {}});
  });
}

}  // namespace pointsman::sim
