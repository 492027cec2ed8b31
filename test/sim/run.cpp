// Runs a seed.

#include "test/sim/run.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "test/sim/mischief.hpp"
#include "test/sim/parties.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Run {
 public:
  Run(std::uint64_t seed, Story& story)
      : profile_(draw(seed)), chance_(seed ^ 0x5eed), world_(profile_, chance_.fork()), history_(world_, profile_),
        stage_{profile_, world_, history_, story} {
    broker_ = std::make_unique<BrokerParty>(stage_, chance_.fork(), offset(), drift());
    for (const auto& plan : profile_.workers)
      workers_.push_back(std::make_unique<WorkerParty>(stage_, plan, chance_.fork(), offset(), drift()));
    for (const auto& settings : profile_.clients)
      clients_.push_back(std::make_unique<ClientParty>(stage_, settings, chance_.fork(), offset(), drift()));
    eve_ = std::make_unique<Eve>(stage_, chance_.fork());
  }

  void trouble(std::uint64_t most) {
    for (Party* party : everybody()) {
      world_.later(chance_.between(milliseconds(0), milliseconds(party == broker_.get() ? 0 : 500)), [party] {
        if (!party->up()) party->start();
      });
    }
    plan_troubles();
    const auto end = world_.now() + profile_.chaos;
    while (world_.now() < end && (most == 0 || world_.events() < most)) world_.run(std::min(end, world_.now() + seconds(1)));
  }

  // No more trouble, no more sessions: everything that is under way has to come to its end.
  void calm() {
    world_.quiet();
    for (auto& client : clients_) client->rest();
    for (int i = 0; i < 6; ++i) {
      for (Party* party : everybody())
        if (!party->up()) party->start();
      for (auto& worker : workers_) broker_->order(Drain{.worker = worker->name(), .mode = DrainMode::resume});
      world_.run(world_.now() + seconds(2));
    }
    world_.run(world_.now() + profile_.calm);
    settled();
    prove();
  }

  Outcome outcome() const {
    Outcome o;
    o.cast = std::to_string(workers_.size()) + " workers, " + std::to_string(clients_.size()) + " clients, " +
             std::to_string(profile_.services.size()) + " services; trouble:";
    for (std::size_t i = 0; i < troubles; ++i)
      if (profile_.weight[i] > 0) o.cast += " " + std::string(name_of(static_cast<Trouble>(i)));
    o.simulated = world_.now() - Instant(hours(1));
    o.events = world_.events();
    o.grants = history_.grants();
    o.sessions = history_.sessions();
    for (const auto& client : clients_) o.answered += client->answered();
    o.troubles_met = world_.counts();
    return o;
  }

 private:
  Duration offset() { return chance_.between(seconds(1), seconds(100'000)); }
  double drift() {
    const double most = profile_.of(Trouble::drift) / 1e6;
    if (most > 0) world_.count(Trouble::drift);
    return 1 + most * (static_cast<double>(chance_.below(2001)) / 1000 - 1);
  }

  std::vector<Party*> everybody() {
    std::vector<Party*> all{broker_.get()};
    for (auto& worker : workers_) all.push_back(worker.get());
    for (auto& client : clients_) all.push_back(client.get());
    all.push_back(eve_.get());
    return all;
  }

  // Calls `act` again and again, as often in an hour as the profile says.
  void repeat(Trouble trouble, std::function<void()> act) {
    if (profile_.of(trouble) <= 0) return;
    const auto mean = Duration(static_cast<std::int64_t>(3.6e9 / profile_.of(trouble)));
    world_.later(chance_.around(mean), [this, trouble, act] {
      if (world_.calm()) return;
      act();
      repeat(trouble, act);
    });
  }

  void crash(Trouble trouble, Party& party) {
    if (!party.up()) return;
    world_.count(trouble);
    party.crash();
    world_.later(chance_.between(milliseconds(10), milliseconds(8000)), [&party] {
      if (!party.up()) party.start();
    });
  }

  void pause(Trouble trouble, Party& party) {
    world_.count(trouble);
    world_.pause(party, chance_.around(milliseconds(1500)));
  }

  WorkerParty& some_worker() { return *workers_[chance_.below(workers_.size())]; }
  ClientParty& some_client() { return *clients_[chance_.below(clients_.size())]; }

  void part(Trouble trouble, bool both) {
    world_.count(trouble);
    Party& broker = *broker_;
    Party& worker = some_worker();
    Party& client = some_client();
    const auto time = chance_.around(milliseconds(3000));
    switch (chance_.below(7)) {
      case 0: return world_.part(broker, &worker, both, time);
      case 1: return world_.part(worker, &broker, both, time);
      case 2: return world_.part(broker, &client, both, time);
      case 3: return world_.part(client, &broker, both, time);
      case 4: return world_.part(client, &worker, both, time);
      case 5: return world_.part(worker, &client, both, time);
      default: return world_.part(broker, nullptr, both, time);
    }
  }

  void operate() {
    world_.count(Trouble::operator_);
    if (!broker_->up()) return;
    if (chance_.hit(0.4)) {
      broker_->order(Configure{.service = chance_.pick(profile_.services),
                               .policy = static_cast<Policy>(chance_.below(static_cast<std::uint64_t>(Policy::count_)))});
    } else {
      broker_->order(Drain{.worker = some_worker().name(), .mode = static_cast<DrainMode>(chance_.below(4))});
    }
  }

  void plan_troubles() {
    repeat(Trouble::reset, [this] { world_.reset_one(); });
    repeat(Trouble::slow_peer, [this] { world_.slow_one(); });
    repeat(Trouble::one_way, [this] { part(Trouble::one_way, false); });
    repeat(Trouble::two_way, [this] { part(Trouble::two_way, true); });
    repeat(Trouble::broker_crash, [this] { crash(Trouble::broker_crash, *broker_); });
    repeat(Trouble::broker_pause, [this] { pause(Trouble::broker_pause, *broker_); });
    repeat(Trouble::worker_crash, [this] { crash(Trouble::worker_crash, some_worker()); });
    repeat(Trouble::worker_pause, [this] { pause(Trouble::worker_pause, some_worker()); });
    repeat(Trouble::worker_stop, [this] {
      auto& worker = some_worker();
      if (!worker.up()) return;
      world_.count(Trouble::worker_stop);
      worker.stop(chance_.hit(0.3));
    });
    repeat(Trouble::client_crash, [this] { crash(Trouble::client_crash, some_client()); });
    repeat(Trouble::client_pause, [this] { pause(Trouble::client_pause, some_client()); });
    repeat(Trouble::operator_, [this] { operate(); });
    repeat(Trouble::mischief, [this] {
      world_.count(Trouble::mischief);
      if (eve_->up()) eve_->misbehave();
    });
  }

  void settled() {
    const auto lists = broker_->inspect();
    history_.inspected(lists.workers, lists.sessions, lists.waiting);
    if (!lists.waiting.empty()) throw Violation("request " + lists.waiting.front().id + " still waits in calm");
    for (const auto& client : clients_)
      if (!client->idle()) throw Violation(client->outstanding() + " in calm");
    for (const auto& worker : workers_) {
      if (!worker->up()) throw Violation(worker->name() + " is not up in calm");
      const auto row = std::find_if(lists.workers.begin(), lists.workers.end(),
                                    [&](const auto& r) { return r.worker == worker->name(); });
      if (row == lists.workers.end()) throw Violation(worker->name() + " is not registered in calm");
      if (row->state != State::alive) throw Violation(worker->name() + " is not alive in calm: " + row->why);
      if (row->lease != worker->lease()) throw Violation(worker->name() + " and the broker differ in its lease");
      if (row->used != worker->held())
        throw Violation(worker->name() + " holds " + std::to_string(worker->held()) + " sessions in calm, the broker counts " +
                        std::to_string(row->used));
      if (row->used != 0) throw Violation(worker->name() + " holds sessions in calm that no client has");
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
      for (auto& client : clients_) {
        client->prove(service);
        for (int i = 0; i < 600 && !client->proved(); ++i) world_.run(world_.now() + milliseconds(100));
        if (!client->proved()) throw Violation(client->name() + " is not served in calm");
      }
    }
  }

  Profile profile_;
  Chance chance_;
  World world_;
  History history_;
  Stage stage_;
  std::unique_ptr<BrokerParty> broker_;
  std::vector<std::unique_ptr<WorkerParty>> workers_;
  std::vector<std::unique_ptr<ClientParty>> clients_;
  std::unique_ptr<Eve> eve_;
};

}  // namespace

Outcome run(std::uint64_t seed, Story& story, std::uint64_t most) {
  Run run(seed, story);
  std::optional<std::string> violation;
  try {
    run.trouble(most);
    run.calm();
  } catch (const Violation& v) {
    violation = v.what();
  }
  auto outcome = run.outcome();
  outcome.violation = std::move(violation);
  return outcome;
}

}  // namespace pointsman::sim
