// Time and processes of a simulation.

#include "test/sim/world.hpp"

#include <algorithm>
#include <atomic>

namespace pointsman::sim {

using std::chrono::milliseconds;

namespace {
std::atomic<std::uint64_t> turns{0};
}

std::uint64_t turns_taken() { return turns.load(std::memory_order_relaxed); }

Party::Party(World& world, Role role, std::string name, Duration offset, double drift)
    : world_(world), role_(role), name_(std::move(name)), offset_(offset), drift_(drift) {
  world.parties_.push_back(this);
}

Instant Party::local(Instant global) const {
  const auto since = static_cast<double>(global.time_since_epoch().count());
  return Instant(offset_ + Duration(static_cast<std::int64_t>(since * drift_)));
}

Instant Party::local() const { return local(world_.now()); }

Instant Party::global(Instant local_time) const {
  if (local_time == never) return never;
  const auto since = static_cast<double>((local_time - Instant(offset_)).count());
  Instant global(Duration(static_cast<std::int64_t>(since / drift_)));
  while (local(global) < local_time) global += Duration(1);
  return global;
}

// Where it dies differs from time to time, but not by chance: the same seed has to give the same story.
bool Party::cut_here(std::size_t index, std::size_t count) {
  if (!cut_ || index != (life_ + count) % count) return false;
  cut_ = false;
  return true;
}

bool Party::check_now() { return ++steps_ % 8 == 0 || world_.profile().deep; }

World::World(const Profile& profile, Chance chance, const Cut& cut) : profile_(profile), cut_(cut), chance_(chance.fork()) {
  for (std::size_t i = 0; i < troubles; ++i) chances_.push_back(chance.fork());
}

bool World::allowed(std::size_t kind) {
  const auto number = asked_[kind]++;
  return !cut_.off.contains(kind) && !cut_.skip.contains({kind, number});
}

bool World::hit(Trouble trouble) {
  const double likely = profile_.of(trouble);
  return likely > 0 && !calm_ && chances_[static_cast<std::size_t>(trouble)].hit(likely) && strike(trouble);
}

bool World::strike(Trouble trouble) {
  const auto kind = static_cast<std::size_t>(trouble);
  if (calm_ || !allowed(kind)) return false;
  ++counts_[kind];
  return true;
}

bool World::session() { return allowed(Cut::sessions); }

void World::push(Instant at, Party* party, std::function<void()> act, bool alarm) {
  due_.push_back({at, ++orders_, party, party ? party->life_ : 0, alarm, std::move(act)});
  std::push_heap(due_.begin(), due_.end());
}

void World::later(Party& party, Duration delay, std::function<void()> act) {
  push(now_ + delay, &party, std::move(act));
}

void World::later(Duration delay, std::function<void()> act) { push(now_ + delay, nullptr, std::move(act)); }

void World::run(Instant until) {
  while (!due_.empty() && due_.front().at <= until) {
    std::pop_heap(due_.begin(), due_.end());
    Due due = std::move(due_.back());
    due_.pop_back();
    now_ = due.at;
    Party* party = due.party;
    if (party && party->life_ != due.life) continue;
    if (party && party->paused_until_ > now_) {
      // What waits is taken up in order, messages before timers, as a transport does.
      due.at = party->paused_until_ + Duration(due.alarm ? 1 : 0);
      due.order = ++orders_;
      due_.push_back(std::move(due));
      std::push_heap(due_.begin(), due_.end());
      continue;
    }
    ++events_;
    turn(party, due.act);
  }
  now_ = until;
}

// One turn of a process: on a slow machine the next one has to wait.
void World::turn(Party* party, const std::function<void()>& act) {
  turns.store(turns_taken() + 1, std::memory_order_relaxed);
  act();
  if (party && party->slow_until_ > now_ && !calm_) pause(*party, party->turn_);
}

void World::rearm(Party& party) {
  if (!party.up()) return;
  auto at = std::max(party.global(party.deadline()), now_);
  if (at == party.alarm_at_ && at > now_) return;
  party.alarm_at_ = at;
  const auto alarm = ++party.alarm_;
  if (at == never) return;
  if (party.grain_ > Duration(0) && !calm_) {
    const auto grain = party.grain_.count();
    at = Instant(Duration((at.time_since_epoch().count() + grain - 1) / grain * grain));
  }
  if (hit(Trouble::late_timer)) at += chances_[static_cast<std::size_t>(Trouble::late_timer)].around(milliseconds(30));
  push(at, &party, [this, &party, alarm] {
    if (alarm != party.alarm_) return;
    party.alarm_at_ = never;
    party.turns_ = party.turned_ == now_ ? party.turns_ + 1 : 0;
    party.turned_ = now_;
    if (party.turns_ > 1000) throw Violation(75, "the deadline of " + party.name() + " does not move on");
    party.elapse();
  }, true);
}

// ---------------------------------------------------------------------------------------------------

void World::pause(Party& party, Duration duration) {
  if (!party.up()) return;
  party.paused_until_ = std::max(party.paused_until_, now_ + duration);
}

void World::suspend(Party& party, Duration duration) {
  if (paused(party) || !party.up()) return;
  pause(party, duration);
  party.asleep_until_ = now_ + duration;
  party.offset_ -= party.local(now_ + duration) - party.local(now_);
  // Its alarm was set by the clock as it went then.
  party.alarm_at_ = never;
}

void World::wake_all() {
  // What waits for a sleeper waits until it would have woken, or until it would have before it was stopped again.
  for (auto& due : due_)
    if (due.party && due.party->paused_until_ > now_) due.at = now_;
  std::make_heap(due_.begin(), due_.end());
  for (Party* party : parties_) {
    party->paused_until_ = std::min(party->paused_until_, now_);
    if (party->asleep_until_ > now_) party->offset_ += party->local(party->asleep_until_) - party->local(now_);
    party->asleep_until_ = {};
    party->cut_ = false;  // of one that was not there to die
  }
}

void World::jump(Party& party, Duration ahead) {
  party.offset_ += ahead;
  rearm(party);
}

void World::slow(Party& party, Duration turn, Duration duration) {
  party.turn_ = turn;
  party.slow_until_ = now_ + duration;
}

}  // namespace pointsman::sim
