// The broker in a simulation.

#include <algorithm>

#include "protocol/codec.hpp"
#include "protocol/notation.hpp"
#include "protocol/ticket.hpp"
#include "test/sim/parties.hpp"
#include "test/sim/storm.hpp"
#include "test/sim/telling.hpp"

namespace pointsman::sim {
namespace {

// The observer's connection, which is none.
const Address observer{Door::clients, Codec::msgpack, 1, {}};

// Secrets that no client may see, in what is sent to one.
void check_secrets(const broker::Options& options, const Send& send) {
  const auto bytes = encode(send.message);
  std::string_view secret = options.master.data;
  if (bytes.find(secret) != std::string::npos) throw Violation(52, "a message to a client has the broker's secret");
  const auto* granted = std::get_if<Granted>(&send.message);
  const auto lease = granted ? lease_of(granted->ticket) : std::nullopt;
  if (lease && bytes.find(ticket_key(options.master, *lease).data) != std::string::npos)
    throw Violation(52, "a message to a client has the key of a worker's tickets");
}

}  // namespace

BrokerParty::BrokerParty(Stage& stage, Chance chance, Duration offset, double drift)
    : Party(stage.world, Role::broker, stage.broker, offset, drift), stage_(stage), chance_(chance) {}

void BrokerParty::start() {
  auto options = stage_.profile.broker;
  // Microseconds of the world's clock: larger at every start, even if the last one was a moment ago.
  options.epoch = 1'000'000'000'000 + static_cast<std::uint64_t>(world_.now().time_since_epoch().count());
  options.seed = chance_.next();
  core_ = std::make_unique<broker::Broker>(options);
  reference_ = stage_.profile.reference ? std::make_unique<Reference>(options) : nullptr;
  watched_ = {};
  up_ = true;
  ++life_;
  world_.listen(stage_.clients_door, *this, Door::clients);
  world_.listen(stage_.workers_door, *this, Door::workers);
  stage_.history.broker_started(options.epoch);
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "starts");
  step(Elapsed{});
}

void BrokerParty::crash() {
  up_ = false;
  ++life_;
  world_.deafen(stage_.clients_door);
  world_.deafen(stage_.workers_door);
  core_.reset();
  reference_.reset();
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "crashes");
}

void BrokerParty::stop() {
  step(broker::Shutdown{});
  if (up_) world_.later(*this, std::chrono::milliseconds(chance_.between(1, 300)), [this] { stage_.storm.dies(*this, 0); });
}

void BrokerParty::arrive(Incoming incoming) {
  broker::Event event = std::visit([](auto& e) -> broker::Event { return std::move(e); }, incoming);
  const bool again = stage_.profile.network == Network::hostile && chance_.hit(0.005);
  if (again) repeat(event);
  else step(std::move(event));
  if (!up_ || !chance_.hit(world_.calm() ? 0.2 : stage_.profile.deep ? 0.2 : 0.02)) return;
  const auto lists = inspect();
  if (up_) stage_.history.inspected(lists);
}

// The same message twice: the second time nothing changes.
void BrokerParty::repeat(const broker::Event& event) {
  const auto* received = std::get_if<Received>(&event);
  step(event);
  // A registration that comes twice makes a new lease, as it has to.
  if (!up_ || !received || std::holds_alternative<Register>(received->message)) return;
  const auto before = inspect();
  step(event);
  if (!up_) return;
  const auto after = inspect();
  const bool same_workers = std::equal(before.workers.begin(), before.workers.end(), after.workers.begin(), after.workers.end(),
                                       [](const auto& a, const auto& b) { return a.worker == b.worker && a.state == b.state && a.used == b.used && a.lease == b.lease; });
  if (!same_workers || before.sessions != after.sessions || before.waiting != after.waiting)
    throw Violation(26, "a message that came twice changed something: " + to_line(received->message));
}

// The observer hears of everything. Then time passes, then comes what came.
void BrokerParty::step(broker::Event event, Message* answer) {
  const auto now = local();
  if (reference_) {
    reference_->woken(now, core_->deadline());
    if (core_->deadline() <= now) one(Elapsed{}, nullptr);
  }
  if (up_ && now >= watched_) {
    one(Received{observer, Watch{}, {}}, nullptr);
    watched_ = now + stage_.profile.broker.watch_term / 2;
  }
  if (up_) one(std::move(event), answer);
  if (up_) world_.rearm(*this);
}

void BrokerParty::one(broker::Event event, Message* answer) {
  const auto now = local();
  stage_.history.before_broker(event, now, core_->deadline());
  const bool check = check_now();
  const auto actions = step_core<broker::Actions>(world_, stage_.story, *this, *core_, broker::Event(event), check);
  for (const auto& action : actions) {
    const auto& send = std::get<Send>(action);
    if (send.to.peer != observer.peer) continue;
    if (const auto* happened = std::get_if<Happened>(&send.message)) stage_.history.watched(*happened, now);
    else if (answer) *answer = send.message;
  }
  stage_.history.after_broker(event, actions, now);
  if (reference_) reference_->stepped(now, event, actions);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (cut_here(i, actions.size())) return stage_.storm.dies(*this);
    const auto& send = std::get<Send>(actions[i]);
    if (send.to.peer == observer.peer) continue;
    if (send.to.door == Door::clients && check) check_secrets(stage_.profile.broker, send);
    world_.send(*this, send);
  }
}

Message BrokerParty::ask(Message question) {
  Message answer;
  step(Received{observer, std::move(question), {}}, &answer);
  return answer;
}

Lists BrokerParty::inspect() {
  Lists lists;
  const auto list = [this](Subject of) {
    auto answer = ask(List{.of = of, .limit = limits::rows});
    auto* rows = std::get_if<Listing>(&answer);
    if (up_ && !rows) throw Violation(72, "the broker does not answer a listing");
    return rows ? std::move(*rows) : Listing{};
  };
  if (up_) lists.workers = list(Subject::workers).workers;
  if (up_) lists.sessions = list(Subject::sessions).sessions;
  if (up_) lists.waiting = list(Subject::waiting).waiting;
  if (up_ && reference_) reference_->compare(local(), lists);
  return lists;
}

std::uint64_t BrokerParty::counter(const std::string& name) {
  auto answer = ask(Status{});
  if (const auto* stats = std::get_if<Stats>(&answer))
    for (const auto& counter : stats->counters)
      if (counter.name == name) return counter.value;
  return 0;
}

std::string BrokerParty::difference(const std::vector<Holder>& workers) {
  std::map<std::string, std::set<std::uint64_t>> open, all;
  for (const auto& row : inspect().sessions) {
    all[row.worker].insert(row.session);
    if (row.state == State::open) open[row.worker].insert(row.session);
  }
  for (const Holder& worker : workers) {
    if (!worker.up) return worker.name + " is not up";
    std::set<std::uint64_t> held;
    for (const auto& [session, service] : *worker.open) held.insert(session);
    // It may have opened one without having said so; and what it has closed it has said.
    const auto& here = all[worker.name];
    if (here.size() != worker.held)
      return worker.name + " and the broker differ in the number of its sessions";
    if (!std::includes(here.begin(), here.end(), held.begin(), held.end()))
      return worker.name + " has opened sessions that the broker does not know";
  }
  return {};
}

void BrokerParty::order(Message message) { step(Received{observer, std::move(message), {}}); }

}  // namespace pointsman::sim
