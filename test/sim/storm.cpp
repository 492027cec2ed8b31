// Makes trouble.

#include "test/sim/storm.hpp"

#include <algorithm>
#include <utility>

namespace pointsman::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<Party*> Cast::everybody() const {
  std::vector<Party*> all;
  for (auto& broker : brokers) all.push_back(broker.get());
  for (auto& worker : workers) all.push_back(worker.get());
  for (auto& client : clients) all.push_back(client.get());
  all.push_back(eve.get());
  if (supervisor) all.push_back(supervisor.get());
  for (auto& uplink : uplinks) all.push_back(uplink.get());
  return all;
}

BrokerParty& Cast::broker_of(const WorkerParty& worker) const {
  return **std::find_if(brokers.begin(), brokers.end(),
                        [&](const auto& broker) { return &broker->stage() == &worker.stage(); });
}

bool Cast::supervised(const Party& party) const {
  return supervisor && (party.role() == Role::broker || party.role() == Role::worker);
}

void Storm::begin() {
  network();
  processes();
  actors();
  if (profile_.fleet.tiers()) tiers();
  if (profile_.of(Trouble::coarse_timer) <= 0) return;
  for (Party* party : cast_.everybody())
    if (world_.hit(Trouble::coarse_timer)) world_.coarse(*party, milliseconds(chance_.hit(0.5) ? 10 : 100));
}

// Calls `act` again and again, as often in an hour as the profile says.
void Storm::every(Trouble trouble, std::function<void()> act) {
  if (profile_.of(trouble) <= 0) return;
  // A chance of its own, so that leaving one kind out changes the others little.
  auto chance = std::make_shared<Chance>(profile_.seed * 1000 + static_cast<std::uint64_t>(trouble));
  auto again = std::make_shared<std::function<void()>>();
  *again = [this, trouble, chance, act = std::move(act), weak = std::weak_ptr(again)] {
    const auto mean = Duration(static_cast<std::int64_t>(3.6e9 / profile_.of(trouble)));
    world_.later(chance->around(mean), [this, trouble, chance, act, next = weak.lock()] {
      if (world_.calm()) return;
      std::swap(chance_, *chance);
      if (world_.strike(trouble)) act();
      std::swap(chance_, *chance);
      (*next)();
    });
  };
  (*again)();
}

void Storm::dies(Party& party, int code) {
  if (!party.up()) return;
  party.crash();
  if (std::any_of(cast_.twins.begin(), cast_.twins.end(), [&](const auto& twin) { return twin.get() == &party; })) return;
  if (cast_.supervised(party)) {
    if (!cast_.supervisor->up()) return;
    return world_.later(*cast_.supervisor, milliseconds(1), [this, &party, code] { cast_.supervisor->ended(party, code, 0); });
  }
  world_.later(chance_.between(milliseconds(10), 5 * profile_.outage), [&party] {
    if (!party.up()) party.start();
  });
}

BrokerParty& Storm::some_broker() {
  return cast_.brokers.size() == 1 ? cast_.broker() : *cast_.brokers[chance_.below(cast_.brokers.size())];
}

Party& Storm::somebody() {
  const auto any = chance_.below(4);
  if (any == 0) return some_broker();
  if (any == 1) return some_client();
  return some_worker();
}

// ---------------------------------------------------------------------------------------------------

void Storm::network() {
  every(Trouble::burst, [this] { world_.burst_one(); });
  every(Trouble::echo, [this] { world_.echo_one(); });
  every(Trouble::reset, [this] { world_.reset_one(); });
  every(Trouble::reset_all, [this] { world_.reset_all(); });
  every(Trouble::half_open, [this] { world_.half_open_one(); });
  every(Trouble::slow_peer, [this] { world_.slow_one(); });
  every(Trouble::one_way, [this] { part(false); });
  every(Trouble::two_way, [this] { part(true); });
  every(Trouble::bridge, [this] { world_.bridge(chance_.around(2 * profile_.outage)); });
  every(Trouble::clog, [this] { clog(); });
  every(Trouble::flap, [this] { flap(); });
  every(Trouble::blackout, [this] { blackout(); });
  every(Trouble::edge, [this] { edge(); });
}

void Storm::part(bool both) {
  WorkerParty& worker = some_worker();
  Party& broker = cast_.broker_of(worker);
  Party& client = some_client();
  const auto time = chance_.around(2 * profile_.outage);
  switch (chance_.below(7)) {
    case 0: return world_.part(broker, &worker, both, {}, time);
    case 1: return world_.part(worker, &broker, both, {}, time);
    case 2: return world_.part(broker, &client, both, {}, time);
    case 3: return world_.part(client, &broker, both, {}, time);
    case 4: return world_.part(client, &worker, both, {}, time);
    case 5: return world_.part(worker, &client, both, {}, time);
    default: return world_.part(broker, nullptr, both, {}, time);
  }
}

// Swizzle-clog: one after the other is cut off, one after the other comes back, in another order.
void Storm::clog() {
  for (Party* party : cast_.everybody()) {
    if (!chance_.hit(0.5)) continue;
    const auto from = chance_.between(Duration(0), 2 * profile_.outage);
    world_.part(*party, nullptr, true, from, chance_.between(2 * profile_.outage, 4 * profile_.outage) - from);
  }
}

void Storm::flap() {
  Party& party = somebody();
  auto at = Duration(0);
  for (int i = 0; i < 10; ++i) {
    const auto time = chance_.between(milliseconds(100), milliseconds(900));
    world_.part(party, nullptr, true, at, time);
    at += time + chance_.between(milliseconds(100), milliseconds(900));
  }
}

void Storm::blackout() {
  const Duration lease = profile_.broker.lease;
  const auto first = chance_.between(2 * lease, 4 * lease);
  const auto back = chance_.between(lease / 10, lease);
  Party& broker = some_broker();
  world_.part(broker, nullptr, true, {}, first);
  world_.part(broker, nullptr, true, first + back, chance_.between(3 * lease / 2, 3 * lease));
}

// What a worker says next arrives at the very end of its lease.
void Storm::edge() {
  WorkerParty& worker = some_worker();
  const auto end = worker.stage().history.lease_end(worker.plan().settings.name);
  if (end == never || end < world_.now()) return;
  world_.hold(worker, {Door::broker, Codec::msgpack, 0, {}}, end + milliseconds(static_cast<int>(chance_.below(3)) - 1));
}

// ---------------------------------------------------------------------------------------------------

void Storm::processes() {
  const auto pause = [this](Party& party) { world_.pause(party, chance_.around(profile_.outage)); };
  const auto freeze = [this](Party& party) {
    world_.pause(party, profile_.broker.lease + chance_.between(Duration(0), 2 * Duration(profile_.broker.lease)));
  };
  every(Trouble::broker_crash, [this] { dies(some_broker()); });
  every(Trouble::broker_cut, [this] { some_broker().cut(); });
  every(Trouble::broker_stop, [this] {
    if (auto& broker = some_broker(); awake(broker)) broker.stop();
  });
  every(Trouble::broker_pause, [=, this] { pause(some_broker()); });
  every(Trouble::broker_freeze, [=, this] { freeze(some_broker()); });
  if (cast_.supervisor) {
    every(Trouble::supervisor_crash, [this] { dies(*cast_.supervisor); });
    every(Trouble::supervisor_pause, [=, this] { pause(*cast_.supervisor); });
  }
  every(Trouble::worker_crash, [this] { dies(some_worker()); });
  every(Trouble::worker_cut, [this] { some_worker().cut(); });
  every(Trouble::worker_pause, [=, this] { pause(some_worker()); });
  every(Trouble::worker_freeze, [=, this] {
    if (chance_.hit(0.5)) freeze(some_worker());
    else some_worker().freeze_after_beat();
  });
  every(Trouble::worker_loop, [this] { loop(); });
  every(Trouble::worker_stop, [this] {
    auto& worker = some_worker();
    if (awake(worker)) worker.stop(chance_.hit(0.3));
  });
  every(Trouble::twin, [this] { twin(); });
  every(Trouble::client_crash, [this] { dies(some_client()); });
  every(Trouble::client_pause, [=, this] { pause(some_client()); });
  every(Trouble::suspend, [this] {
    Party& party = somebody();
    if (!awake(party)) return;
    const auto time = chance_.around(2 * profile_.outage);
    world_.suspend(party, time);
    for (auto& broker : cast_.brokers)
      if (broker.get() == &party) broker->slept(time);
    for (auto& worker : cast_.workers)
      if (worker.get() == &party) worker->slept(time);
  });
  every(Trouble::slow_cpu, [this] {
    world_.slow(somebody(), chance_.between(milliseconds(1), milliseconds(30)), chance_.around(4 * profile_.outage));
  });
  every(Trouble::jump, [this] {
    Party& party = somebody();
    // A broker's clock cannot: it is one that only counts while the machine runs.
    if (party.role() == Role::broker || !awake(party)) return;
    world_.jump(party, chance_.around(seconds(3)));
    // Once its broker has told a worker the time.
    if (party.role() == Role::worker && profile_.of(Trouble::reuse) > 0)
      world_.later(chance_.between(milliseconds(5), milliseconds(500)), [this, &party] { cast_.eve->reuse_ticket(party.name()); });
  });
}

// It dies again and again, each time soon after it was started.
void Storm::loop() {
  WorkerParty& worker = some_worker();
  auto at = Duration(0);
  for (auto times = chance_.between(3, 8); times > 0; --times) {
    world_.later(at, [this, &worker] {
      if (cast_.supervisor) dies(worker);
      else if (worker.up()) worker.crash();
    });
    at += chance_.between(milliseconds(1), milliseconds(300));
    if (cast_.supervisor) continue;
    world_.later(at, [&worker] {
      if (!worker.up()) worker.start();
    });
    at += chance_.between(milliseconds(1), milliseconds(500));
  }
}

void Storm::twin() {
  WorkerParty& worker = some_worker();
  auto& twin = cast_.twins.emplace_back(worker.another(std::string(cast_.twins.size() + 1, '\'')));
  twin->start();
  world_.later(chance_.around(6 * profile_.outage), [party = twin.get()] {
    if (party->up()) party->crash();
  });
}

// ---------------------------------------------------------------------------------------------------

void Storm::actors() {
  every(Trouble::spam, [this] {
    auto& client = some_client();
    if (awake(client)) client.spam(chance_.between(10, 60));
  });
  every(Trouble::operator_, [this] { operate(); });
  every(Trouble::liar, [this] {
    if (auto& worker = some_worker(); awake(worker)) worker.lie();
  });
  every(Trouble::replay, [this] { cast_.eve->show_ticket(false); });
  every(Trouble::forge, [this] { cast_.eve->show_ticket(true); });
  every(Trouble::nonsense, [this] { cast_.eve->talk_nonsense(); });
  every(Trouble::reuse, [this] { cast_.eve->reuse_ticket({}); });
}

void Storm::operate() {
  BrokerParty& broker = some_broker();
  if (!awake(broker)) return;
  if (chance_.hit(0.4)) {
    broker.order(
        Configure{.service = chance_.pick(profile_.services),
                  .policy = any_policy(chance_)});
  } else {
    broker.order(Drain{.worker = some_worker().name(), .mode = static_cast<DrainMode>(chance_.below(4))});
  }
}

// ---------------------------------------------------------------------------------------------------

void Storm::tiers() {
  const auto some_uplink = [this]() -> UplinkParty& { return *chance_.pick(cast_.uplinks); };
  every(Trouble::uplink_crash, [=, this] { dies(some_uplink()); });
  every(Trouble::uplink_pause,
        [=, this] { world_.pause(some_uplink(), chance_.around(4 * profile_.outage)); });
  every(Trouble::tier_cut, [this] { cut_tier(); });
}

void Storm::cut_tier() {
  const bool above = chance_.hit(0.5);
  const auto time = chance_.around(4 * profile_.outage);
  for (std::size_t i = 0; i < cast_.brokers.size(); ++i) {
    const bool leads = std::any_of(profile_.fleet.uplinks.begin(), profile_.fleet.uplinks.end(),
                                   [&](const UplinkPlan& uplink) { return uplink.below == i; });
    if (leads != above) world_.part(*cast_.brokers[i], nullptr, true, {}, time);
  }
}

}  // namespace pointsman::sim
