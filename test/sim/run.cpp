// Runs a seed.

#include "test/sim/run.hpp"

#include <algorithm>
#include <memory>
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
      : profile_(draw(seed, cut)), chance_(seed ^ 0x5eed), world_(profile_, chance_.fork(), cut), history_(world_, profile_),
        storm_(world_, profile_, history_, cast_, chance_.fork()), stage_{profile_, world_, history_, story, storm_} {
    cast_.broker = std::make_unique<BrokerParty>(stage_, chance_.fork(), offset(), drift());
    for (const auto& plan : profile_.workers)
      cast_.workers.push_back(std::make_unique<WorkerParty>(stage_, plan, chance_.fork(), offset(), drift()));
    for (const auto& settings : profile_.clients)
      cast_.clients.push_back(std::make_unique<ClientParty>(stage_, settings, chance_.fork(), offset(), drift()));
    cast_.eve = std::make_unique<Eve>(stage_, chance_.fork());
    if (profile_.supervised)
      cast_.supervisor = std::make_unique<SupervisorParty>(stage_, cast_, chance_.fork(), offset(), drift());
  }

  void trouble() {
    for (Party* party : cast_.everybody()) {
      if (cast_.supervised(*party)) continue;
      world_.later(chance_.between(milliseconds(0), milliseconds(party == cast_.broker.get() ? 0 : 500)), [party] {
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
    if (profile_.faultless && cast_.broker->counter("syncs") > 0)
      throw Violation(70, "broker and workers differed, though nothing went wrong");
  }

  Outcome outcome() const {
    Outcome o;
    o.cast = std::string(profile_.quiet ? "quiet, " : "busy, ") + (profile_.network == Network::hostile ? "hostile, " : "faithful, ") +
             (profile_.supervised ? "supervised, " : "") +
             std::to_string(cast_.workers.size()) + " workers, " + std::to_string(cast_.clients.size()) + " clients, " +
             std::to_string(profile_.services.size()) + " services; trouble:";
    for (std::size_t i = 0; i < troubles; ++i)
      if (profile_.weight[i] > 0) o.cast += " " + std::string(name_of(static_cast<Trouble>(i)));
    o.calm = world_.calm();
    o.simulated = world_.now() - Instant(hours(1));
    o.events = world_.events();
    o.grants = history_.grants();
    o.sessions = history_.sessions();
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
        if (cast_.broker->up()) cast_.broker->order(Drain{.worker = worker->name(), .mode = DrainMode::resume});
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

  std::string unregistered() {
    if (!cast_.broker->up()) return "the broker is not up";
    const auto lists = cast_.broker->inspect();
    for (const auto& worker : cast_.workers) {
      const auto row = std::find_if(lists.workers.begin(), lists.workers.end(),
                                    [&](const auto& r) { return r.worker == worker->name(); });
      if (!worker->up()) return worker->name() + " is not up";
      if (row == lists.workers.end()) return worker->name() + " is not registered";
      if (row->lease != worker->lease()) return worker->name() + " and the broker differ in its lease";
    }
    return {};
  }

  // While the work goes on: at one moment of a few seconds both sides hold the same sessions.
  void agree() {
    std::string differ;
    for (int i = 0; i < 200; ++i) {
      differ = cast_.broker->difference(cast_.workers);
      if (differ.empty()) return;
      restart();
      world_.run(world_.now() + milliseconds(107));
    }
    // Too busy to find such a moment, unless it is one worker that differs for good: that comes out when work is over.
    if (profile_.quiet) throw Violation(28, differ);
  }

  void settled() {
    const auto lists = cast_.broker->inspect();
    history_.inspected(lists);
    if (!lists.waiting.empty()) throw Violation(30, "request " + lists.waiting.front().id + " still waits in calm");
    for (const auto& client : cast_.clients)
      if (!client->idle()) throw Violation(65, client->outstanding() + " in calm");
    registered();
    for (const auto& worker : cast_.workers) {
      const auto row = std::find_if(lists.workers.begin(), lists.workers.end(),
                                    [&](const auto& r) { return r.worker == worker->name(); });
      if (row->state != State::alive) throw Violation(33, worker->name() + " is not alive in calm: " + row->why);
      if (row->slots != worker->plan().settings.slots)
        throw Violation(33, worker->name() + " has " + std::to_string(worker->plan().settings.slots) +
                                " slots in calm, the broker counts " + std::to_string(row->slots));
      if (row->used != worker->held())
        throw Violation(28, worker->name() + " holds " + std::to_string(worker->held()) + " sessions in calm, the broker counts " +
                                std::to_string(row->used));
      if (row->used != 0) throw Violation(65, worker->name() + " holds sessions in calm that no client has");
    }
  }

  // Everybody is served again.
  void prove() {
    for (const auto& service : profile_.services) {
      bool offered = false;
      bool own = false;
      for (const auto& plan : profile_.workers)
        for (const auto& offer : plan.settings.offers)
          if (offer.service == service) offered = true, own = own || plan.settings.direct == Direct::own;
      if (!offered || own) continue;
      for (auto& client : cast_.clients) {
        client->prove(service);
        for (int i = 0; i < 600 && !client->proved(); ++i) world_.run(world_.now() + milliseconds(100));
        if (!client->proved()) throw Violation(66, client->name() + " is not served in calm");
      }
    }
  }

  Profile profile_;
  Chance chance_;
  World world_;
  History history_;
  Cast cast_;
  Storm storm_;
  Stage stage_;
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
