// Runs a seed.

#include "test/sim/run.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "test/sim/storm.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Run {
 public:
  Run(std::uint64_t seed, Story& story, const Cut& cut)
      : profile_(draw(seed, cut)),
        chance_(seed ^ 0x5eed),
        world_(profile_, chance_.fork(), cut),
        storm_(world_, profile_, cast_, chance_.fork()) {
    const Fleet& fleet = profile_.fleet;
    for (const auto& name : fleet.brokers) {
      profiles_.push_back(profile_);
      // Each has a secret of its own.
      profiles_.back().broker.master.data[0] =
          static_cast<char>(profile_.broker.master.data[0] + static_cast<char>(stages_.size()));
      histories_.emplace_back(world_, profiles_.back());
      stages_.push_back(std::unique_ptr<Stage>(
          new Stage{name, profiles_.back(), world_, histories_.back(), story, storm_}));
    }
    for (auto& stage : stages_)
      cast_.brokers.push_back(std::make_unique<BrokerParty>(*stage, chance_.fork(), offset(), drift()));
    for (std::size_t i = 0; i < profile_.workers.size(); ++i)
      cast_.workers.push_back(std::make_unique<WorkerParty>(*stages_[fleet.worker_at[i]], profile_.workers[i],
                                                            chance_.fork(), offset(), drift()));
    for (std::size_t i = 0; i < profile_.clients.size(); ++i)
      cast_.clients.push_back(std::make_unique<ClientParty>(stages(fleet.client_at[i]), profile_.clients[i],
                                                            chance_.fork(), offset(), drift()));
    cast_.eve = std::make_unique<Eve>(*stages_.back(), chance_.fork());
    if (profile_.supervised)
      cast_.supervisor =
          std::make_unique<SupervisorParty>(*stages_.front(), cast_, chance_.fork(), offset(), drift());
    for (const auto& plan : fleet.uplinks)
      cast_.uplinks.push_back(std::make_unique<UplinkParty>(*stages_[plan.below], stages(plan.above), plan,
                                                            "of-" + fleet.brokers[plan.below], chance_.fork(),
                                                            offset(), drift()));
  }

  void trouble() {
    for (Party* party : cast_.everybody()) {
      if (cast_.supervised(*party)) continue;
      world_.later(chance_.between(milliseconds(0), milliseconds(party->role() == Role::broker ? 0 : 500)),
                   [party] {
                     if (!party->up()) party->start();
                   });
    }
    storm_.begin();
    world_.run(world_.now() + profile_.chaos);
  }

  // No more trouble. First everybody finds back, then what is under way comes to its end.
  void calm() {
    world_.quiet();
    for (auto& twin : cast_.twins)
      if (twin->up()) twin->crash();
    attended(profile_.heal);
    registered();
    agree();
    for (auto& client : cast_.clients) client->rest();
    attended(profile_.calm);
    settled();
    prove();
    for (auto& broker : cast_.brokers)
      if (profile_.faultless && broker->counter("syncs") > 0)
        throw Violation(70, broker->name() + " and its workers differed, though nothing went wrong");
  }

  Outcome outcome() const {
    Outcome o;
    o.cast = std::string(profile_.quiet ? "quiet, " : "busy, ") +
             (profile_.network == Network::hostile ? "hostile, " : "faithful, ") +
             (profile_.supervised ? "supervised, " : "") +
             (profile_.fleet.tiers() ? std::to_string(cast_.brokers.size()) + " brokers, " : "") +
             std::to_string(cast_.workers.size()) + " workers, " + std::to_string(cast_.clients.size()) +
             " clients, " + std::to_string(profile_.services.size()) + " services; trouble:";
    for (std::size_t i = 0; i < troubles; ++i)
      if (profile_.weight[i] > 0) o.cast += " " + std::string(name_of(static_cast<Trouble>(i)));
    o.calm = world_.calm();
    o.simulated = world_.now() - Instant(hours(1));
    o.events = world_.events();
    for (const History& history : histories_) {
      o.grants += history.grants();
      o.sessions += history.sessions();
    }
    for (const auto& client : cast_.clients) o.answered += client->answered();
    o.met = world_.counts();
    o.asked = world_.asked();
    return o;
  }

 private:
  Duration offset() { return chance_.between(seconds(1), seconds(100'000)); }
  double drift() {
    const double most = profile_.of(Trouble::drift) / 1e6;
    if (most > 0) world_.strike(Trouble::drift);
    return 1 + most * (static_cast<double>(chance_.below(2001)) / 1000 - 1);
  }

  // Somebody starts what has ended. A worker that was told to stop works until its last session is over, which may be late.
  void restart() {
    for (Party* party : cast_.everybody())
      if (!party->up() && !cast_.supervised(*party)) party->start();
  }

  void attended(Duration time) {
    const auto end = world_.now() + time;
    while (world_.now() < end) {
      restart();
      for (auto& worker : cast_.workers)
        if (auto& broker = cast_.broker_of(*worker); broker.up())
          broker.order(Drain{.worker = worker->name(), .mode = DrainMode::resume});
      world_.run(std::min(end, world_.now() + std::max<Duration>(seconds(2), profile_.heal / 6)));
    }
  }

  // One that had been told to leave may have just come back.
  void registered() {
    std::string differ;
    for (int i = 0; i < 20; ++i) {
      differ = unregistered();
      if (differ.empty()) return;
      restart();
      world_.run(world_.now() + seconds(1));
    }
    throw Violation(33, differ + " in calm");
  }

  // Who is registered with a broker, as they know it themselves.
  std::vector<Holder> holders(const BrokerParty& broker) const {
    std::vector<Holder> all;
    for (const auto& worker : cast_.workers)
      if (&worker->stage() == &broker.stage()) all.push_back(worker->holder());
    for (const auto& uplink : cast_.uplinks)
      for (auto& holder : uplink->holders(broker.stage())) all.push_back(std::move(holder));
    return all;
  }

  std::string unregistered() {
    for (auto& broker : cast_.brokers) {
      if (!broker->up()) return "the broker is not up";
      const auto lists = broker->inspect();
      for (const Holder& worker : holders(*broker)) {
        const auto row = std::find_if(lists.workers.begin(), lists.workers.end(),
                                      [&](const auto& r) { return r.worker == worker.name; });
        if (!worker.up) return worker.name + " is not up";
        if (row == lists.workers.end()) return worker.name + " is not registered";
        if (row->lease != worker.lease) return worker.name + " and the broker differ in its lease";
      }
    }
    for (auto& uplink : cast_.uplinks)
      if (!uplink->up()) return uplink->name() + " is not up";
    return {};
  }

  // While the work goes on: at one moment of a few seconds both sides hold the same sessions.
  void agree() {
    for (auto& broker : cast_.brokers) {
      std::string differ;
      for (int i = 0; i < 200; ++i) {
        differ = broker->difference(holders(*broker));
        if (differ.empty()) break;
        restart();
        world_.run(world_.now() + milliseconds(107));
      }
      // Too busy to find such a moment, unless it is one worker that differs for good: that comes out when work is over.
      if (!differ.empty() && profile_.quiet) throw Violation(28, differ);
    }
  }

  void settled() {
    for (auto& broker : cast_.brokers) {
      const auto lists = broker->inspect();
      broker->stage().history.inspected(lists);
      if (!lists.waiting.empty())
        throw Violation(30, "request " + lists.waiting.front().id + " still waits in calm");
    }
    for (const auto& client : cast_.clients)
      if (!client->idle()) throw Violation(65, client->outstanding() + " in calm");
    registered();
    told_above();
    for (const auto& worker : cast_.workers) {
      const auto lists = cast_.broker_of(*worker).inspect();
      const auto row = std::find_if(lists.workers.begin(), lists.workers.end(),
                                    [&](const auto& r) { return r.worker == worker->name(); });
      if (row->slots != worker->plan().settings.slots)
        throw Violation(33, worker->name() + " has " + std::to_string(worker->plan().settings.slots) +
                                " slots in calm, the broker counts " + std::to_string(row->slots));
    }
    for (auto& broker : cast_.brokers) {
      const auto lists = broker->inspect();
      for (const Holder& worker : holders(*broker)) {
        const auto row = std::find_if(lists.workers.begin(), lists.workers.end(),
                                      [&](const auto& r) { return r.worker == worker.name; });
        if (row->state != State::alive)
          throw Violation(33, worker.name + " is not alive in calm: " + row->why);
        if (row->used != worker.held)
          throw Violation(28, worker.name + " holds " + std::to_string(worker.held) +
                                  " sessions in calm, the broker counts " + std::to_string(row->used));
        if (row->used != 0) throw Violation(65, worker.name + " holds sessions in calm that no client has");
      }
    }
  }

  // A broker above knows what is below, after a look: 30 times `every` later at most.
  void told_above() {
    if (profile_.fleet.circle) return;  // each counts what the others say that they have of it
    for (const auto& uplink : cast_.uplinks) {
      std::string differ;
      for (int i = 0; i < 40; ++i) {
        differ.clear();
        for (const auto& above : cast_.brokers)
          if (differ.empty() &&
              std::find(uplink->at().begin(), uplink->at().end(), &above->stage()) != uplink->at().end())
            differ = untold(*uplink, *above);
        if (differ.empty()) break;
        world_.run(world_.now() + uplink->every());
      }
      if (!differ.empty()) throw Violation(90, differ + " in calm");
    }
  }

  // Of each kind of workers the slots, as the broker below counts them and as the one above does.
  std::string untold(const UplinkParty& uplink, BrokerParty& above) {
    std::map<std::string, std::uint64_t> there;
    std::map<std::string, std::uint64_t> said;
    const auto kind = [](const WorkerRow& row) {
      const std::set<std::string> services(row.services.begin(), row.services.end());
      std::string text;
      for (const auto& service : services) text += service + " ";
      return text + shown(row.attributes) + " accepts " + row.accepts;
    };
    for (const auto& broker : cast_.brokers) {
      if (&broker->stage() != &uplink.below()) continue;
      for (const auto& row : broker->inspect().workers) there[kind(row)] += row.slots;
    }
    for (const auto& row : above.inspect().workers)
      if (row.endpoint == uplink.below().clients_door) said[kind(row)] += row.slots;
    if (there == said) return {};
    const auto text = [](const auto& kinds) {
      std::string all;
      for (const auto& [what, slots] : kinds) all += " [" + what + "]=" + std::to_string(slots);
      return all;
    };
    return uplink.below().broker + " has" + text(there) + ", and " + above.name() + " is told" + text(said);
  }

  // Everybody is served again: of all that each of its brokers leads to.
  void prove() {
    if (profile_.fleet.circle) return;  // some are sent round
    for (const auto& service : profile_.services) {
      for (std::size_t i = 0; i < cast_.clients.size(); ++i) {
        const auto& at = profile_.fleet.client_at[i];
        if (!std::all_of(at.begin(), at.end(), [&](auto broker) { return serves(broker, service); }))
          continue;
        auto& client = cast_.clients[i];
        client->prove(service);
        for (int times = 0; times < 600 && !client->proved(); ++times)
          world_.run(world_.now() + milliseconds(100));
        if (!client->proved()) throw Violation(66, client->name() + " is not served in calm");
      }
    }
  }

  // Somebody offers it to everybody, by the direct link.
  bool serves(std::size_t broker, const std::string& service) const {
    const auto all = profile_.fleet.under(broker);
    bool offered = false;
    bool own = false;
    for (std::size_t i = 0; i < profile_.workers.size(); ++i) {
      const auto& settings = profile_.workers[i].settings;
      if (!all.contains(profile_.fleet.worker_at[i])) continue;
      for (const auto& offer : settings.offers) {
        if (offer.service != service) continue;
        offered = offered || settings.accepts.empty();
        own = own || settings.direct == Direct::own;
      }
    }
    return offered && !own;
  }

  std::vector<Stage*> stages(const std::vector<std::size_t>& brokers) const {
    std::vector<Stage*> all;
    for (const auto broker : brokers) all.push_back(stages_[broker].get());
    return all;
  }

  Profile profile_;
  Chance chance_;
  World world_;
  Cast cast_;
  Storm storm_;
  std::deque<Profile> profiles_;  // of each broker, as all that follows
  std::deque<History> histories_;
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace

Outcome run(std::uint64_t seed, Story& story, const Cut& cut) {
  Run run(seed, story, cut);
  std::optional<std::string> violation;
  int invariant = 0;
  try {
    run.trouble();
    run.calm();
  } catch (const Violation& v) {
    violation = v.what();
    invariant = v.invariant;
  }
  auto outcome = run.outcome();
  outcome.violation = std::move(violation);
  outcome.invariant = invariant;
  return outcome;
}

}  // namespace pointsman::sim
