// The broker in a simulation.

#include "test/sim/parties.hpp"
#include "test/sim/telling.hpp"

namespace pointsman::sim {
namespace {

// The observer's connection, which is none.
const Address observer{Door::clients, Codec::msgpack, 1, {}};

}  // namespace

BrokerParty::BrokerParty(Stage& stage, Chance chance, Duration offset, double drift)
    : Party(stage.world, "broker", offset, drift), stage_(stage), chance_(chance) {}

void BrokerParty::start() {
  auto options = stage_.profile.broker;
  // Microseconds of the world's clock: larger at every start, even if the last one was a moment ago.
  options.epoch = 1'000'000'000'000 + static_cast<std::uint64_t>(world_.now().time_since_epoch().count());
  options.seed = chance_.next();
  core_ = std::make_unique<broker::Broker>(options);
  up_ = true;
  ++life_;
  world_.listen(clients_door, *this, Door::clients);
  world_.listen(workers_door, *this, Door::workers);
  stage_.history.broker_started();
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "starts");
  watch();
}

void BrokerParty::crash() {
  up_ = false;
  ++life_;
  world_.deafen(clients_door);
  world_.deafen(workers_door);
  core_.reset();
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "crashes");
}

void BrokerParty::watch() {
  step(Received{observer, Watch{}, {}});
  world_.later(*this, stage_.profile.broker.watch_term / 3, [this] { watch(); });
}

void BrokerParty::arrive(Incoming incoming) {
  std::visit([this](auto& event) { step(std::move(event)); }, incoming);
  if (!world_.calm() && !chance_.hit(0.03)) return;
  const auto lists = inspect();
  stage_.history.inspected(lists.workers, lists.sessions, lists.waiting);
}

void BrokerParty::step(broker::Event event) {
  const auto now = local();
  stage_.history.before_broker(event, now, core_->deadline());
  const auto actions = step_core<broker::Actions>(world_, stage_.story, *this, *core_, std::move(event));
  for (const auto& action : actions) {
    const auto& send = std::get<Send>(action);
    if (send.to.peer != observer.peer) world_.send(*this, send);
    else if (const auto* happened = std::get_if<Happened>(&send.message)) stage_.history.watched(*happened, now);
  }
  stage_.history.after_broker(actions, now);
  world_.rearm(*this);
}

Message BrokerParty::ask(Message question) {
  broker::Actions actions;
  stage_.history.before_broker(Elapsed{}, local(), core_->deadline());
  core_->step(local(), Received{observer, std::move(question), {}}, actions);
  Message answer;
  for (const auto& action : actions) {
    const auto& send = std::get<Send>(action);
    if (send.to.peer != observer.peer) world_.send(*this, send);
    else if (const auto* happened = std::get_if<Happened>(&send.message)) stage_.history.watched(*happened, local());
    else answer = send.message;
  }
  stage_.history.after_broker(actions, local());
  return answer;
}

BrokerParty::Lists BrokerParty::inspect() {
  Lists lists;
  const auto list = [this](Subject of) {
    auto answer = ask(List{.of = of, .limit = limits::rows});
    auto* rows = std::get_if<Listing>(&answer);
    if (!rows) throw Violation("the broker does not answer a listing");
    return std::move(*rows);
  };
  lists.workers = list(Subject::workers).workers;
  lists.sessions = list(Subject::sessions).sessions;
  lists.waiting = list(Subject::waiting).waiting;
  world_.rearm(*this);
  return lists;
}

void BrokerParty::order(Message message) { step(Received{observer, std::move(message), {}}); }

}  // namespace pointsman::sim
