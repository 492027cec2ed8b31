// Draws fleets.
#include "test/sim/fleet.hpp"

#include <algorithm>

#include "test/sim/profile.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A chance of its own, so that a seed without tiers stays what it was, and such that no seed of before tiers has them (seeds.txt).
constexpr std::uint64_t stream = 0x740d;
constexpr double share = 0.2;

constexpr std::size_t workers_most = 8;
constexpr std::size_t clients_most = 10;

UplinkPlan draw_uplink(Chance& chance, const Profile& p, std::size_t below,
                       const std::vector<std::size_t>& above) {
  UplinkPlan plan{.below = below, .above = {}};
  for (const std::size_t broker : above) {
    if (chance.hit(0.8)) plan.above.push_back(broker);
  }
  if (plan.above.empty()) plan.above.push_back(chance.pick(above));
  plan.every = p.quiet ? chance.between(seconds(10), seconds(60))
                       : chance.between(milliseconds(300), milliseconds(1500));
  plan.patience = 3 * plan.every;
  return plan;
}

// Tens of brokers in two tiers or three, each below some of the tier above.
void draw_vast_fleet(Chance& chance, Profile& p) {
  Fleet& fleet = p.fleet;
  std::vector<std::vector<std::size_t>> tiers;
  const auto add = [&](const std::string& name, std::uint64_t count) {
    tiers.emplace_back();
    for (std::uint64_t i = 1; i <= count; ++i) {
      tiers.back().push_back(fleet.brokers.size());
      fleet.brokers.push_back(name + std::to_string(i));
    }
  };
  add("above", chance.between(2, 3));
  if (chance.hit(0.5)) add("region", chance.between(3, 6));
  add("below", chance.between(10, 24));
  for (std::size_t tier = 1; tier < tiers.size(); ++tier)
    for (const std::size_t broker : tiers[tier]) fleet.uplinks.push_back(draw_uplink(chance, p, broker, tiers[tier - 1]));
  for (std::size_t i = 0; i < p.workers.size(); ++i)
    fleet.worker_at.push_back(chance.pick(chance.hit(0.05) ? tiers.front() : tiers.back()));
  for (std::size_t i = 0; i < p.clients.size(); ++i) {
    std::vector<std::size_t> at = tiers.front();
    std::rotate(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(chance.below(at.size())), at.end());
    if (chance.hit(0.2)) at = {chance.pick(tiers.back())};
    fleet.client_at.push_back(std::move(at));
  }
}

}  // namespace

std::set<std::size_t> Fleet::under(std::size_t broker) const {
  std::set<std::size_t> all{broker};
  for (bool more = true; more;) {
    more = false;
    for (const UplinkPlan& uplink : uplinks) {
      const bool leads =
          std::any_of(uplink.above.begin(), uplink.above.end(), [&](auto one) { return all.contains(one); });
      if (leads) more = all.insert(uplink.below).second || more;
    }
  }
  return all;
}

void draw_fleet(Profile& p) {
  Chance chance(p.seed ^ stream);
  Fleet& fleet = p.fleet;
  if (!chance.hit(share) && !p.vast) {
    fleet.worker_at.assign(p.workers.size(), 0);
    fleet.client_at.assign(p.clients.size(), {0});
    return;
  }
  p.supervised = false;  // that watches one broker
  fleet.brokers.clear();
  if (p.vast) return draw_vast_fleet(chance, p);
  if (p.workers.size() > workers_most) p.workers.resize(workers_most);
  if (p.clients.size() > clients_most) p.clients.resize(clients_most);
  std::vector<std::size_t> above;
  std::vector<std::size_t> below;
  for (auto count = chance.between(1, 2); above.size() < count;) {
    above.push_back(fleet.brokers.size());
    fleet.brokers.push_back("above" + std::to_string(above.size()));
  }
  for (auto count = chance.between(2, 3); below.size() < count;) {
    below.push_back(fleet.brokers.size());
    fleet.brokers.push_back("below" + std::to_string(below.size()));
  }
  for (const std::size_t broker : below) fleet.uplinks.push_back(draw_uplink(chance, p, broker, above));
  // Three tiers: the last is below the first of its own.
  if (chance.hit(0.2)) fleet.uplinks.back().above = {below.front()};
  for (std::size_t i = 0; i < p.workers.size(); ++i)
    fleet.worker_at.push_back(chance.hit(0.1) ? chance.pick(above) : chance.pick(below));
  for (std::size_t i = 0; i < p.clients.size(); ++i) {
    std::vector<std::size_t> at = above;
    std::rotate(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(chance.below(at.size())), at.end());
    if (chance.hit(0.3)) at = {chance.pick(below)};
    fleet.client_at.push_back(std::move(at));
  }
  fleet.circle = chance.hit(0.15);
  if (fleet.circle) fleet.uplinks.push_back(draw_uplink(chance, p, above.front(), {below.front()}));
}

}  // namespace pointsman::sim
