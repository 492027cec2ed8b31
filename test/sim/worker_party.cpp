// A worker in a simulation: the core, and a program that takes its time, fails and hangs.

#include <algorithm>

#include "test/sim/parties.hpp"
#include "test/sim/telling.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Address to_broker{Door::broker, Codec::msgpack, 0, {}};

}  // namespace

WorkerParty::WorkerParty(Stage& stage, const WorkerPlan& plan, Chance chance, Duration offset, double drift)
    : Party(stage.world, plan.settings.name, offset, drift), stage_(stage), plan_(plan), chance_(chance) {}

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
  late_ = {};
  done_ = false;
  if (plan_.settings.direct == Direct::pointsman) world_.listen(endpoint_, *this, Door::direct);
  world_.dial(*this, to_broker, workers_door);
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "starts");
  step(Elapsed{});
}

void WorkerParty::crash() {
  up_ = false;
  ++life_;
  world_.deafen(endpoint_);
  world_.hang_up_all(*this);
  open_.clear();
  running_.clear();
  core_.reset();
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "crashes");
}

void WorkerParty::stop(bool now) { step(workers::Stop{now}); }

void WorkerParty::arrive(Incoming incoming) {
  if (const auto* received = std::get_if<Received>(&incoming); received && received->from.door == Door::broker)
    late_ = std::max(late_, world_.age());
  std::visit([this](auto& event) { step(std::move(event)); }, incoming);
}

void WorkerParty::step(workers::Event event) {
  const auto life = life_;
  const auto actions = step_core<workers::Actions>(world_, stage_.story, *this, *core_, std::move(event));
  for (const auto& action : actions) {
    if (life != life_) return;
    std::visit([this](const auto& a) { act(a); }, action);
  }
  if (done_) {
    // The process ends, and is started again some time later.
    crash();
    world_.later(chance_.between(milliseconds(100), milliseconds(5000)), [this] {
      if (!up_) start();
    });
    return;
  }
  if (open_.size() > plan_.settings.slots && plan_.settings.direct == Direct::pointsman)
    throw Violation(name() + " holds more sessions than it has slots");
  world_.rearm(*this);
}

void WorkerParty::act(const workers::SessionBegan& a) {
  if (!open_.insert(a.session).second) throw Violation(name() + " begins session " + std::to_string(a.session) + " twice");
  // Its clock may have drifted since the message by which it knows the broker's.
  stage_.history.began(name(), lease_, a.session, a.service, a.client, late_ + milliseconds(50));
}

void WorkerParty::act(const workers::SessionOver& a) {
  if (open_.erase(a.session) == 0) throw Violation(name() + " ends session " + std::to_string(a.session) + ", which it has not");
}

void WorkerParty::act(const workers::Reconnect&) {
  world_.hang_up(*this, to_broker);
  world_.dial(*this, to_broker, workers_door);
}

void WorkerParty::act(const workers::Done&) { done_ = true; }

void WorkerParty::act(const workers::Serve& call) {
  const auto what = std::to_string(call.session) + "/" + std::to_string(call.number);
  if (!open_.contains(call.session)) throw Violation(name() + " serves call " + what + " of no session");
  for (const auto& [session, number] : running_)
    if (session == call.session) throw Violation(name() + " serves call " + what + " beside another one of that session");
  running_.insert({call.session, call.number});
  if (call.payload.size() != 2) throw Violation("call " + what + " lost its payload on the way");
  stage_.history.served(call.payload[0].str(), std::stoull(call.payload[1].str()));
  if (world_.hit(Trouble::hang)) return;  // until it is abandoned
  const auto parts = chance_.hit(0.7) ? 1 : chance_.between(2, 5);
  answer(call, 0, parts);
}

// Part after part, each after its time.
void WorkerParty::answer(const workers::Serve& call, std::uint64_t part, std::uint64_t parts) {
  const auto time = chance_.around(stage_.profile.work / static_cast<std::int64_t>(parts));
  const bool fails = world_.hit(Trouble::failure);
  world_.later(*this, time, [this, call, part, parts, fails] {
    if (!running_.contains({call.session, call.number})) return;
    if (fails) return end(call.session, call.number, workers::FailedCall{call.session, call.number, Code::failed, "it failed", 1, {}});
    const bool more = part + 1 < parts;
    workers::Answered event{call.session, call.number, {call.payload[0], Frame(std::to_string(part))}, more};
    if (!more) return end(call.session, call.number, std::move(event));
    step(std::move(event));
    if (chance_.hit(0.2) && up_) step(workers::Progressed{1});
    if (up_) answer(call, part + 1, parts);
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
