// An uplink in a simulation.
#include "test/sim/uplink_party.hpp"

#include <algorithm>
#include <utility>

#include "test/sim/storm.hpp"
#include "test/sim/telling.hpp"

namespace pointsman::sim {
namespace {

Address broker(std::uint64_t peer) { return {Door::broker, Codec::msgpack, peer, {}}; }

// Of one of several connections, what a core calls the only one.
template <class Event>
std::uint64_t peer_of(const Event& event) {
  if constexpr (requires { event.from; })
    return event.from.peer;
  else
    return event.peer;
}

template <class Event>
void call_only(Event& event) {
  if constexpr (requires { event.from; })
    event.from.peer = 0;
  else
    event.peer = 0;
}

}  // namespace

UplinkParty::UplinkParty(Stage& below, std::vector<Stage*> above, const UplinkPlan& plan, std::string name,
                         Chance chance, Duration offset, double drift)
    : Party(below.world, Role::uplink, std::move(name), offset, drift),
      below_(below),
      at_(std::move(above)),
      plan_(plan),
      chance_(chance) {}

void UplinkParty::start() {
  up_ = true;
  ++life_;
  clients::ClientSettings settings;
  settings.name = name();
  settings.seed = chance_.next();
  settings.patience = plan_.patience;
  core_ = std::make_unique<clients::ClientCore>(settings);
  look_ = std::make_unique<uplink::Look>(local(), below_.clients_door, plan_.every, plan_.patience);
  for (Stage* stage : at_)
    above_.push_back({.stage = *stage,
                      .instance = name() + "." + std::to_string(life_),
                      .registrations = uplink::Registrations(name()),
                      .members = {}});
  world_.dial(*this, broker(0), below_.clients_door);
  if (below_.story.wanted()) below_.story.tell(world_.now(), name(), "starts");
  elapse();
}

void UplinkParty::crash() {
  up_ = false;
  ++life_;
  world_.hang_up_all(*this);
  above_.clear();
  look_.reset();
  core_.reset();
  if (below_.story.wanted()) below_.story.tell(world_.now(), name(), "crashes");
}

Instant UplinkParty::deadline() const {
  auto due = std::min(core_->deadline(), look_->deadline());
  for (const Above& above : above_)
    for (const Member& member : above.members) due = std::min(due, member.core->deadline());
  return due;
}

void UplinkParty::elapse() {
  if (core_->deadline() <= local()) step(Elapsed{});
  if (look_->deadline() <= local()) ask(look_->begin(local()));
  for (Above& above : above_)
    for (Member& member : above.members)
      if (!member.done && member.core->deadline() <= local()) step(above, member, Elapsed{});
  tend();
}

void UplinkParty::arrive(Incoming incoming) {
  const auto peer = std::visit([](const auto& event) { return peer_of(event); }, incoming);
  if (peer == 0) std::visit([this](auto& event) { step(std::move(event)); }, incoming);
  for (Above& above : above_)
    for (Member& member : above.members)
      if (member.peer == peer && !member.done)
        std::visit([&](auto& event) { step(above, member, std::move(event)); }, incoming);
  tend();
}

// Those that have left are forgotten; one that was refused for good ends the process.
void UplinkParty::tend() {
  bool refused = false;
  for (Above& above : above_) {
    for (auto at = above.members.begin(); at != above.members.end();) {
      Member& member = *at;
      if (!member.done) {
        ++at;
        continue;
      }
      if (member.leaving)
        above.registrations.left(member.name);
      else
        above.registrations.sent_away(member.name);
      refused = refused || (!member.leaving && member.done->code != Code::none);
      world_.hang_up(*this, broker(member.peer));
      at = above.members.erase(at);
    }
  }
  if (refused) return below_.storm.dies(*this, 0);
  world_.rearm(*this);
}

std::vector<Holder> UplinkParty::holders(const Stage& at) const {
  std::vector<Holder> all;
  for (const Above& above : above_) {
    if (&above.stage != &at) continue;
    for (const Member& member : above.members)
      all.push_back({.name = member.name,
                     .up = up(),
                     .lease = member.lease,
                     .held = member.core->sessions(),
                     .open = &member.open});
  }
  return all;
}

// ---------------------------------------------------------------------------------------------------
// What is below

void UplinkParty::ask(Message question) { step(clients::Ask{++questions_, std::move(question)}); }

void UplinkParty::hear(const Message& answer) {
  auto found = look_->hear(local(), answer);
  if (found.question) ask(std::move(*found.question));
  if (found.seen) apply(look_->census());
  if (found.lost) apply(uplink::Census());
}

void UplinkParty::step(clients::Event event) {
  const auto actions =
      step_core<clients::Actions>(world_, below_.story, *this, *core_, std::move(event), check_now());
  for (const auto& action : actions) std::visit([this](const auto& a) { act(a); }, action);
}

void UplinkParty::act(const clients::Reconnect&) {
  world_.hang_up(*this, broker(0));
  world_.dial(*this, broker(0), below_.clients_door);
}

// ---------------------------------------------------------------------------------------------------
// What it is above

void UplinkParty::apply(const uplink::Census& census) {
  for (Above& above : above_) {
    const auto member = [&](const std::string& name) -> Member& {
      const auto found = std::find_if(above.members.begin(), above.members.end(),
                                      [&](const Member& one) { return !one.leaving && one.name == name; });
      if (found == above.members.end())
        throw Violation(90, this->name() + " has no registration " + name + ", which it should");
      return *found;
    };
    const auto passes = [&](const std::string& name) -> std::uint64_t {
      return member(name).core->sessions();
    };
    for (auto& what : above.registrations.look(census, passes)) {
      if (const auto* one = std::get_if<uplink::Join>(&what)) join(above, *one);
      if (const auto* one = std::get_if<uplink::Change>(&what))
        step(above, member(one->name), workers::Resize{.slots = one->slots, .weight = one->weight});
      if (const auto* one = std::get_if<uplink::Leave>(&what)) {
        Member& leaving = member(one->name);
        leaving.leaving = true;
        step(above, leaving, workers::Stop{});
      }
    }
  }
}

void UplinkParty::join(Above& above, const uplink::Join& join) {
  Member& member = above.members.emplace_back();
  member.name = join.name;
  member.peer = ++last_peer_;
  workers::WorkerSettings settings{.name = join.name,
                                   .instance = above.instance,
                                   .offers = {},
                                   .slots = join.slots,
                                   .endpoint = below_.clients_door,
                                   .direct = Direct::broker,
                                   .attributes = join.of.attributes,
                                   .accepts = join.of.accepts,
                                   .seed = chance_.next()};
  for (const std::string& service : join.of.services)
    settings.offers.push_back({.service = service, .weight = join.weight});
  member.core = std::make_unique<workers::WorkerCore>(std::move(settings));
  world_.dial(*this, broker(member.peer), above.stage.workers_door);
  step(above, member, Elapsed{});
}

void UplinkParty::step(Above& above, Member& member, workers::Event event) {
  Story& story = below_.story;
  if (story.wanted())
    if (const auto line = told(world_, *this, event); !line.empty())
      story.tell(world_.now(), member.name, line);
  std::visit(
      [](auto& e) {
        if constexpr (
            requires { e.from; } || requires { e.peer; })
          call_only(e);
      },
      event);
  workers::Actions actions;
  member.core->step(local(), std::move(event), actions);
  if (check_now()) member.core->check();
  for (auto& action : actions) {
    if (auto* send = std::get_if<Send>(&action)) send->to.peer = member.peer;
    if (story.wanted()) story.tell(world_.now(), member.name, said(world_, *this, action));
    std::visit([&](const auto& a) { act(above, member, a); }, action);
  }
}

void UplinkParty::act(Above&, Member& member, const workers::Enrolled& action) {
  member.lease = action.lease;
}

void UplinkParty::act(Above&, Member& member, const workers::Done& action) { member.done = action; }

void UplinkParty::act(Above& above, Member& member, const workers::Reconnect&) {
  world_.hang_up(*this, broker(member.peer));
  world_.dial(*this, broker(member.peer), above.stage.workers_door);
}

void UplinkParty::act(Above&, Member& member, const workers::Serve&) {
  throw Violation(64, member.name + " is to serve a call, and is a broker");
}

void UplinkParty::act(Above& above, Member& member, const workers::SessionBegan& a) {
  if (!member.open.emplace(a.session, a.service).second)
    throw Violation(21, member.name + " begins session " + std::to_string(a.session) + " twice");
  above.stage.history.began(member.name, member.lease, a.session, a.service, a.client, {}, {});
}

void UplinkParty::act(Above& above, Member& member, const workers::SessionOver& a) {
  if (member.open.erase(a.session) == 0)
    throw Violation(60, member.name + " ends session " + std::to_string(a.session) + ", which it has not");
  above.stage.history.finished(a.session);
  if (world_.profile().faultless && a.ending == Ending::expired)
    throw Violation(92, member.name + " loses session " + std::to_string(a.session) +
                            ", which nobody renewed, though nothing went wrong");
}

}  // namespace pointsman::sim
