// Starts and ends the parties that the supervisor says.

#include "test/sim/supervisor_party.hpp"

#include <algorithm>
#include <csignal>

#include "protocol/notation.hpp"
#include "test/sim/storm.hpp"
#include "test/sim/telling.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Address to_broker{Door::broker, Codec::msgpack, 0, {}};

}  // namespace

SupervisorParty::SupervisorParty(Stage& stage, Cast& cast, Chance chance, Duration offset, double drift)
    : Party(stage.world, Role::stranger, "super", offset, drift), stage_(stage), cast_(cast), chance_(chance) {
  const auto watchdog = stage.profile.quiet ? chance_.between(seconds(30), seconds(120)) : chance_.between(seconds(2), seconds(10));
  supervisor::Group group{.name = "broker", .kind = ProcessKind::broker, .watchdog = watchdog};
  options_.groups.push_back(group);
  for (const auto& worker : stage.profile.workers) {
    group.name = worker.settings.name;
    group.kind = ProcessKind::worker;
    options_.groups.push_back(group);
  }
}

void SupervisorParty::start() {
  up_ = true;
  ++life_;
  auto options = options_;
  options.seed = chance_.next();
  core_ = std::make_unique<supervisor::Supervisor>(options);
  lives_.clear();
  late_ = {};
  world_.dial(*this, to_broker, stage_.clients_door);
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "starts");
  step(Elapsed{});
}

void SupervisorParty::crash() {
  up_ = false;
  ++life_;
  world_.hang_up_all(*this);
  core_.reset();
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "crashes");
  if (cast_.broker().up()) cast_.broker().crash();
  for (auto& worker : cast_.workers)
    if (worker->up()) worker->crash();
}

void SupervisorParty::arrive(Incoming incoming) {
  std::visit([this](auto& event) { step(std::move(event)); }, incoming);
}

void SupervisorParty::step(supervisor::Event event) {
  if (const auto due = core_->deadline(); due != never && due != Instant{} && local() > due) late_ += local() - due + options_.stall;
  if (stage_.story.wanted()) {
    if (const auto* received = std::get_if<Received>(&event))
      stage_.story.tell(world_.now(), name(), world_.name_of(*this, received->from) + " > " + to_line(received->message));
  }
  supervisor::Actions actions;
  core_->step(local(), std::move(event), actions);
  if (check_now()) core_->check();
  const auto life = life_;
  for (const auto& action : actions) {
    if (const auto* send = std::get_if<Send>(&action); send && stage_.story.wanted())
      stage_.story.tell(world_.now(), name(), "    " + world_.name_of(*this, send->to) + " < " + to_line(send->message));
    std::visit([this](const auto& a) { act(a); }, action);
    if (life != life_) return;
  }
  check();
  world_.rearm(*this);
}

// What shows no sign of life for long is dead by now.
void SupervisorParty::check() {
  const auto longest = options_.groups.front().watchdog + options_.abort + seconds(2) + late_;
  for (const auto& [name, life] : lives_)
    if (life.running && life.ticked != never && local() > life.ticked + longest)
      throw Violation(82, name + " has hung for long and is not killed");
}

Party* SupervisorParty::party_of(const std::string& name) const {
  if (name == cast_.broker().name()) return &cast_.broker();
  for (auto& worker : cast_.workers)
    if (worker->name() == name) return worker.get();
  throw Violation(80, "the supervisor starts " + name + ", which nobody asked for");
}

const std::string* SupervisorParty::name_of_run(supervisor::Run run) const {
  for (const auto& [name, life] : lives_)
    if (life.run == run && life.running) return &name;
  return nullptr;
}

void SupervisorParty::act(const supervisor::Start& a) {
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "    start " + a.process);
  Party* party = party_of(a.process);
  Life& life = lives_[a.process];
  if (life.running || party->up()) throw Violation(80, a.process + " is started while it still runs");
  std::erase_if(life.starts, [&](Instant at) { return at <= local() - options_.loop_within; });
  life.starts.push_back(local());
  // A process that was well for so long begins anew, so that its last end may stand just before.
  if (life.starts.size() > options_.loop_exits + 1) throw Violation(81, a.process + " is started again and again without a pause");
  life.run = a.run;
  life.running = true;
  life.ticked = never;
  world_.later(*this, chance_.between(milliseconds(1), milliseconds(30)), [this, name = a.process, run = a.run] { launched(name, run); });
}

void SupervisorParty::launched(const std::string& name, supervisor::Run run) {
  Party* party = party_of(name);
  const Life& life = lives_.at(name);
  if (life.run != run || !life.running || party->up()) return;
  party->start();
  step(supervisor::Started{.run = run, .pid = run + 1000});
  world_.later(*this, chance_.between(milliseconds(1), milliseconds(50)), [this, party, name, run] {
    if (lives_.at(name).run != run || !lives_.at(name).running || !party->up()) return;
    supervisor::Noticed noticed{.run = run, .ready = true, .alive = true};
    if (party != &cast_.broker()) {
      noticed.worker = name;
      noticed.instance = name + "." + std::to_string(party->life());
    }
    lives_.at(name).ticked = local();
    step(std::move(noticed));
    if (up_) tick(name, run);
  });
}

// A process that stands still says nothing.
void SupervisorParty::tick(const std::string& name, supervisor::Run run) {
  world_.later(*this, options_.groups.front().watchdog / 4, [this, name, run] {
    const auto found = lives_.find(name);
    if (found == lives_.end() || found->second.run != run || !found->second.running) return;
    if (const Party* party = party_of(name); party->up() && !world_.paused(*party)) {
      found->second.ticked = local();
      step(supervisor::Noticed{.run = run, .alive = true});
    }
    if (up_) tick(name, run);
  });
}

void SupervisorParty::act(const supervisor::Signal& a) {
  const auto* name = name_of_run(a.run);
  if (!name) return;
  Party* party = party_of(*name);
  if (!party->up() || world_.paused(*party)) return;  // it waits until it goes on, and is killed before
  if (a.number == SIGABRT) return dies(*name, SIGABRT);
  if (party == &cast_.broker())
    cast_.broker().stop();
  else dynamic_cast<WorkerParty&>(*party).stop(false);
}

void SupervisorParty::act(const supervisor::KillTree& a) {
  if (const auto* name = name_of_run(a.run)) dies(*name, SIGKILL);
}

void SupervisorParty::act(const supervisor::Reconnect&) {
  world_.hang_up(*this, to_broker);
  world_.dial(*this, to_broker, stage_.clients_door);
}

void SupervisorParty::dies(const std::string& name, int signal) {
  Party* party = party_of(name);
  // It may not even have begun.
  if (party->up()) party->crash();
  world_.later(*this, milliseconds(1), [this, party, signal] { ended(*party, 0, signal); });
}

void SupervisorParty::ended(const Party& party, int code, int signal) {
  const auto found = lives_.find(party.name());
  if (!up_ || found == lives_.end() || !found->second.running || party.up()) return;
  found->second.running = false;
  step(supervisor::Exited{.run = found->second.run, .code = code, .signal = signal});
}

}  // namespace pointsman::sim
