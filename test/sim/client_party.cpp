// A client in a simulation: the core, and a program that acquires, calls, changes its mind and releases.

#include <algorithm>
#include <cstdlib>

#include "test/sim/parties.hpp"
#include "test/sim/telling.hpp"
#include "test/sim/wishes.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Address to_broker(std::uint64_t number) { return {Door::broker, Codec::msgpack, number, {}}; }

Address to_worker(std::uint64_t link) { return {Door::direct, Codec::msgpack, link, {}}; }

}  // namespace

ClientParty::ClientParty(std::vector<Stage*> at, const clients::ClientSettings& settings, Chance chance,
                         Duration offset, double drift)
    : Party(at.front()->world, Role::client, settings.name, offset, drift),
      stage_(*at.front()),
      at_(std::move(at)),
      settings_(settings),
      chance_(chance) {}

void ClientParty::start() {
  up_ = true;
  ++life_;
  auto settings = settings_;
  settings.seed = chance_.next();
  core_ = std::make_unique<clients::ClientCore>(settings);
  for (const Stage* stage : at_) {
    const auto number = brokers_.size();
    brokers_[number] = stage->clients_door;
    world_.dial(*this, to_broker(number), stage->clients_door);
  }
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "starts");
  asks_ = 0;
  if (at_.size() > 1) {
    clients::BrokersAre all;
    for (const auto& [number, endpoint] : brokers_) all.numbers.push_back(number);
    step(std::move(all));
  }
  step(Elapsed{});
  for (std::uint64_t i = 0; i < stage_.profile.parallel; ++i) begin_soon();
}

void ClientParty::crash() {
  up_ = false;
  ++life_;
  world_.hang_up_all(*this);
  handles_.clear();
  brokers_.clear();
  core_.reset();
  if (stage_.story.wanted()) stage_.story.tell(world_.now(), name(), "crashes");
}

void ClientParty::arrive(Incoming incoming) {
  if (const auto* received = std::get_if<Received>(&incoming);
      received && received->from.door == Door::broker) {
    heard_from_ = received->from.peer;
    note_over(received->message);
    const auto* granted = std::get_if<Granted>(&received->message);
    if (granted && granted->direct == Direct::broker)
      if (Handle* handle = handle_of(granted->id)) {
        const bool over = std::any_of(handle->passes.begin(), handle->passes.end(), [&](const Pass& pass) {
          return pass.over && pass.broker == heard_from_ && pass.session == granted->session;
        });
        handle->passes.push_back({heard_from_, granted->session, granted->endpoint, over});
      }
  }
  std::visit([this](auto& event) { step(std::move(event)); }, incoming);
}

void ClientParty::step(clients::Event event) {
  const auto actions = step_core<clients::Actions>(world_, stage_.story, *this, *core_, std::move(event), check_now());
  for (const auto& action : actions) std::visit([this](const auto& a) { act(a); }, action);
  for (const auto number : std::exchange(over_, {})) over(number);
  check();
  for (const auto& pass : std::exchange(let_go_, {}))
    for (const auto& [number, handle] : handles_)
      if (handle.way.contains(pass))
        throw Violation(
            94, name() + " gives a pass back while it has session " + std::to_string(number) + " by it");
  world_.rearm(*this);
}

// No call waits longer than it said.
void ClientParty::check() {
  for (const auto& [number, handle] : handles_)
    for (const auto& [call, state] : handle.calls)
      if (state.due + milliseconds(1) < local()) throw Violation(61, "call " + state.text + " outlives its limit");
}

std::string ClientParty::outstanding() const {
  if (handles_.empty()) return name() + " has farewells left";
  return name() + " still has session " + std::to_string(handles_.begin()->first);
}

// ---------------------------------------------------------------------------------------------------
// The program

void ClientParty::begin_soon() {
  world_.later(*this, chance_.around(stage_.profile.think), [this] {
    if (resting_) return;
    const auto& service = chance_.pick(stage_.profile.services);
    if (!world_.session()) return begin_soon();
    begin(service, false);
  });
}

void ClientParty::spam(std::uint64_t sessions) {
  for (std::uint64_t i = 0; i < sessions && up_; ++i) begin(chance_.pick(stage_.profile.services), false, true);
}

void ClientParty::prove(const std::string& service) {
  proofs_.insert(service);
  begin(service, true);
}

void ClientParty::begin(const std::string& service, bool proof, bool extra) {
  const auto number = ++last_handle_;
  Handle handle{.service = service, .proof = proof, .extra = extra};
  handle.reassign = proof ? 3 : chance_.below(4);
  handle.calls_left = proof ? 1 : chance_.below(stage_.profile.calls + 1);
  clients::Acquire acquire{.handle = number, .id = name() + "-" + std::to_string(number), .service = service};
  acquire.reassign = static_cast<int>(handle.reassign);
  acquire.wait = proof ? Milliseconds(60'000) : stage_.profile.wait;
  acquire.absent = proof || chance_.hit(0.3);
  if (!proof) {
    if (chance_.hit(0.2)) acquire.priority = chance_.below(10);
    if (chance_.hit(0.2)) acquire.term = Milliseconds(chance_.between(500, 20'000));
    if (chance_.hit(0.1)) acquire.exclude = {"w" + std::to_string(chance_.between(1, 3))};
    acquire.apart = chance_.hit(0.05);
    if (stage_.profile.conditional) {
      acquire.when = draw_condition(chance_);
      acquire.prefer = draw_preference(chance_);
    }
    handle.calls_allowed = !acquire.apart;
  }
  handles_.emplace(number, std::move(handle));
  const bool apart = acquire.apart;
  step(std::move(acquire));
  if (!apart && !proof && chance_.hit(0.3)) world_.later(*this, chance_.around(milliseconds(20)), [this, number] { invoke(number); });
  if (!proof && chance_.hit(0.05)) {
    world_.later(*this, chance_.around(milliseconds(500)), [this, number] {
      if (handles_.contains(number)) step(clients::CancelAcquire{number});
    });
  }
  if (!proof && chance_.hit(0.05)) {
    ++asks_;
    step(clients::Ask{1'000'000 + number, List{.of = Subject::services}});
  }
}

void ClientParty::invoke(std::uint64_t number) {
  const auto found = handles_.find(number);
  if (found == handles_.end() || found->second.released) return;
  Handle& handle = found->second;
  if (handle.calls_left == 0) return;
  --handle.calls_left;
  const auto call = ++handle.last_call;
  const bool proof = handle.proof;  // the step may be its end
  const auto limit = proof ? Milliseconds(60'000) : Milliseconds(chance_.between(200, static_cast<std::uint64_t>(stage_.profile.limit.count())));
  const auto text = name() + "-" + std::to_string(number) + "/" + std::to_string(call);
  handle.calls[call] = {.text = text, .due = local() + limit};
  // The worker of the simulation reads how often it may be served: once more than it may be sent again.
  const bool gather = call % 2 == 0;
  step(clients::Invoke{number, call, {Frame(text), Frame(std::to_string(handle.reassign + 1))}, limit, gather});
  if (!proof && chance_.hit(0.05)) {
    world_.later(*this, chance_.around(milliseconds(300)), [this, number, call] {
      const auto still = handles_.find(number);
      if (still != handles_.end() && still->second.calls.contains(call)) step(clients::AbandonCall{number, call});
    });
  }
}

// After a call, or at the beginning: another call, a while of holding, or the release.
void ClientParty::go_on(std::uint64_t number) {
  world_.later(*this, chance_.around(milliseconds(30)), [this, number] {
    const auto found = handles_.find(number);
    if (found == handles_.end() || found->second.released || !found->second.calls.empty()) return;
    if (found->second.calls_allowed && found->second.calls_left > 0) return invoke(number);
    const bool proof = found->second.proof;
    if (!proof && chance_.hit(0.05)) step(clients::RenewSession{number, Milliseconds(chance_.between(500, 5000))});
    const Duration hold = proof || chance_.hit(0.7) ? milliseconds(2) : 2 * stage_.profile.hold;
    world_.later(*this, chance_.between(Duration(1), hold), [this, number] {
      const auto still = handles_.find(number);
      if (still == handles_.end() || !still->second.calls.empty()) return;
      still->second.released = true;
      step(clients::ReleaseSession{number});
    });
  });
}

void ClientParty::over(std::uint64_t number) {
  if (!handles_.at(number).calls.empty()) throw Violation(60, name() + ": a session ended before its calls did");
  const bool extra = handles_.at(number).extra;
  handles_.erase(number);
  if (!extra) begin_soon();
}

// ---------------------------------------------------------------------------------------------------
// What the core says

ClientParty::Handle& ClientParty::handle(std::uint64_t number, const char* what) {
  const auto found = handles_.find(number);
  if (found == handles_.end())
    throw Violation(60, name() + " is told '" + what + "' of session " + std::to_string(number) + ", which had ended");
  return found->second;
}

// A pass that is over above is none: it may be given back, should it be granted once more.
void ClientParty::note_over(const Message& message) {
  const auto* lost = std::get_if<Lost>(&message);
  const auto* refused = std::get_if<Refused>(&message);
  if (!lost && !(refused && refused->about == Renew::op)) return;
  const std::uint64_t session = lost ? lost->session : refused->session;
  for (auto& [number, handle] : handles_) {
    handle.way.erase({heard_from_, session});
    for (Pass& pass : handle.passes) pass.lost = pass.lost || (pass.broker == heard_from_ && pass.session == session);
  }
  end_pass(heard_from_, session);
}

void ClientParty::end_pass(std::uint64_t broker, std::uint64_t session) {
  for (auto& [number, handle] : handles_)
    for (Pass& pass : handle.passes) pass.over = pass.over || (pass.broker == broker && pass.session == session);
}

// The handle of a request: its id begins with our name and that number, and those that follow it have a suffix.
ClientParty::Handle* ClientParty::handle_of(const std::string& id) {
  const auto found = handles_.find(std::strtoull(id.c_str() + name().size() + 1, nullptr, 10));
  return found == handles_.end() ? nullptr : &found->second;
}

void ClientParty::act(const Send& a) {
  if (a.to.door == Door::broker) check_way(a);
  world_.send(*this, a);
}

// Below it asks where it was sent, and gives no pass back that it needs.
void ClientParty::check_way(const Send& a) {
  const auto to = brokers_.find(a.to.peer);
  if (to == brokers_.end()) throw Violation(91, name() + " talks to a broker that it has left");
  if (const auto* release = std::get_if<Release>(&a.message)) {
    let_go_.emplace_back(a.to.peer, release->session);
    end_pass(a.to.peer, release->session);
  }
  const auto* request = std::get_if<Request>(&a.message);
  if (!request || a.to.peer < at_.size()) return;
  const Handle* handle = handle_of(request->id);
  if (!handle || std::none_of(handle->passes.begin(), handle->passes.end(),
                              [&](const Pass& pass) { return pass.endpoint == to->second; }))
    throw Violation(95, name() + " asks the broker at " + to->second + " for " + request->id +
                            ", which no pass led there");
}

void ClientParty::act(const clients::Connect& a) { world_.dial(*this, to_worker(a.link), a.endpoint); }

void ClientParty::act(const clients::Disconnect& a) { world_.hang_up(*this, to_worker(a.link)); }

void ClientParty::act(const clients::Reconnect& a) {
  const auto found = brokers_.find(a.broker);
  if (found == brokers_.end()) throw Violation(91, name() + " connects anew to a broker that it has left");
  world_.hang_up(*this, to_broker(a.broker));
  world_.dial(*this, to_broker(a.broker), found->second);
}

// A broker is reached once, however many sessions lead there; that it is one of those known already is another connection.
void ClientParty::act(const clients::ReachBroker& a) {
  const bool known = std::any_of(brokers_.begin(), brokers_.end(), [&](const auto& one) {
    return one.first >= at_.size() && one.second == a.endpoint;
  });
  if (known) throw Violation(91, name() + " reaches the broker at " + a.endpoint + " twice");
  if (!brokers_.emplace(a.broker, a.endpoint).second)
    throw Violation(91, name() + " gives two brokers one number");
  world_.dial(*this, to_broker(a.broker), a.endpoint);
}

void ClientParty::act(const clients::LeaveBroker& a) {
  if (a.broker < at_.size() || brokers_.erase(a.broker) == 0)
    throw Violation(91, name() + " leaves broker " + std::to_string(a.broker) + ", which no pass led to");
  world_.hang_up(*this, to_broker(a.broker));
}

void ClientParty::act(const clients::Acquired& a) {
  auto& state = handle(a.handle, "acquired");
  if (a.granted.service != state.service) throw Violation(12, name() + " acquired another service than it asked for");
  if (state.acquired != (a.reassigned > 0)) throw Violation(60, name() + " is told of a session twice");
  state.acquired = true;
  // Each broker on the way was the end of the last pass that led there, of those that are still held.
  state.way.clear();
  for (auto broker = heard_from_; broker >= at_.size();) {
    const auto pass = std::find_if(state.passes.rbegin(), state.passes.rend(),
                                   [&](const Pass& one) { return !one.over && one.endpoint == brokers_.at(broker); });
    const auto led = [&](const Pass& one) { return one.endpoint == brokers_.at(broker); };
    const bool lost = std::any_of(state.passes.begin(), state.passes.end(), [&](const Pass& one) { return led(one) && one.lost; });
    if (pass == state.passes.rend() && !lost && std::any_of(state.passes.begin(), state.passes.end(), led))
      throw Violation(94, name() + " has a session by passes that it gave back");
    if (pass == state.passes.rend() || !state.way.emplace(pass->broker, pass->session).second) break;
    broker = pass->broker;
  }
  if (a.granted.direct == Direct::own) state.calls_allowed = false;
  ++acquired_;
  if (a.reassigned == 0) go_on(a.handle);
}

void ClientParty::act(const clients::NotAcquired& a) {
  auto& state = handle(a.handle, "not acquired");
  if (state.acquired) throw Violation(60, name() + " is told that it has no session, after it had");
  const bool proof = state.proof;
  const auto service = state.service;
  over_.push_back(a.handle);
  if (a.refused.code == Code::loop && !stage_.profile.fleet.circle)
    throw Violation(93, name() + " is sent in a circle: " + a.refused.reason);
  if (proof) throw Violation(66, name() + " cannot acquire " + service + " in calm: " + std::string(word(a.refused.code)) +
                             ", " + a.refused.reason);
}

void ClientParty::act(const clients::Part& a) {
  auto& state = handle(a.handle, "part");
  const auto found = state.calls.find(a.number);
  if (found == state.calls.end()) throw Violation(60, name() + " gets a part of call " + std::to_string(a.number) + ", which had ended");
  Call& call = found->second;
  if (a.payload.empty() || a.payload.size() != 3 * a.parts)
    throw Violation(62, "call " + call.text + " gets parts of another size");
  for (auto frame = a.payload.begin(); frame != a.payload.end(); frame += 3) {
    if (frame[0].view() != call.text) throw Violation(62, "call " + call.text + " gets the answer of another one");
    if (frame[1].view() != std::to_string(call.next_part)) throw Violation(62, "call " + call.text + " gets its parts out of order");
    if (call.next_part++ == 0) call.by = frame[2].str();
    if (call.by != frame[2].view())
      throw Violation(62, "call " + call.text + " gets an answer that " + call.by + " began and " + frame[2].str() + " went on with");
  }
  if (a.more) return;
  ++answered_;
  if (state.proof) proofs_.erase(state.service);
  state.calls.erase(found);
  go_on(a.handle);
}

void ClientParty::act(const clients::CallFailed& a) {
  auto& state = handle(a.handle, "call failed");
  if (state.calls.erase(a.number) == 0) throw Violation(60, name() + ": call " + std::to_string(a.number) + " fails, but it had ended");
  if (state.proof) throw Violation(66, name() + " cannot call " + state.service + " in calm: " + std::string(word(a.code)) + ", " + a.reason);
  go_on(a.handle);
}

void ClientParty::act(const clients::SessionEnded& a) {
  handle(a.handle, "ended");
  over_.push_back(a.handle);
}

}  // namespace pointsman::sim
