// Draws profiles.

#include "test/sim/profile.hpp"

#include <algorithm>

#include "test/sim/wishes.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A seed takes a tenth to three times of what is usual of a kind, or leaves it out.
void draw_troubles(Chance& chance, Profile& p) {
  const double share = static_cast<double>(chance.between(1, 9)) / 10;
  // In an hour of few sessions as much as in two busy minutes; and a fleet has many that can fail.
  const double rate = p.vast ? 5 : p.quiet ? 0.03 : 1;
  // Later kinds draw from a chance of their own, so that a seed without them stays what it was.
  Chance later(p.seed ^ 0x1a7e);
  for (std::size_t i = 0; i < troubles; ++i) {
    const auto trouble = static_cast<Trouble>(i);
    Chance& from = trouble < Trouble::reuse ? chance : later;
    const bool lost = p.vast && (trouble == Trouble::broker_crash || trouble == Trouble::tier_cut);  // what a fleet is for
    const bool on = from.hit(share) || lost;
    const double weight = 0.1 + 2.9 * static_cast<double>(from.below(1000)) / 1000;
    if (!on || p.faultless || (hostile_only(trouble) && p.network == Network::faithful)) continue;
    p.weight[i] = usual(trouble) * weight * (by_the_hour(trouble) ? rate : 1);
  }
}

// Times of a broker: in quiet seeds minutes of what is else seconds.
void draw_broker(Chance& chance, Profile& p) {
  auto& b = p.broker;
  const std::int64_t scale = p.quiet ? static_cast<std::int64_t>(chance.between(5, 60)) : 1;
  b.lease = scale * chance.between(seconds(1), seconds(6));
  b.lease_min = milliseconds(1000);
  b.heartbeats = chance.between(2, 5);
  b.probe = chance.between(milliseconds(200), milliseconds(2000));
  b.ticket_ttl = std::min<std::int64_t>(scale, 12) * chance.between(milliseconds(500), milliseconds(5000));
  b.session_term = scale * chance.between(seconds(1), seconds(20));
  b.remember = chance.between(seconds(5), seconds(40));
  b.settle = seconds(static_cast<std::int64_t>(p.seed % 4));
  if (p.quiet) b.watch_term = minutes(10);
  b.master.data.assign(32, '\0');
  for (auto& byte : b.master.data) byte = static_cast<char>(chance.next());
  if (chance.hit(0.2)) b.service.queue_max = chance.between(1, 5);
  if (chance.hit(0.2)) b.service.slow_start = scale * chance.between(seconds(1), seconds(20));
  if (chance.hit(0.3)) b.service.aging = chance.hit(0.5) ? Duration(0) : chance.between(seconds(1), seconds(20));
  if (chance.hit(0.3)) b.service.hang = scale * chance.between(seconds(2), seconds(20));
  if (chance.hit(0.1)) b.remembered_max = chance.between(0, 20);
  for (const auto& service : p.services) {
    auto settings = b.service;
    settings.policy = any_policy(chance);
    b.services.emplace(service, settings);
  }
}

void draw_workers(Chance& chance, Profile& p) {
  const auto count = p.vast             ? chance.between(1000, 2500)
                     : chance.hit(0.5) ? chance.between(1, 4)
                                       : chance.between(1, p.quiet ? 6 : 20);
  for (std::uint64_t i = 0; i < count; ++i) {
    WorkerPlan plan;
    auto& s = plan.settings;
    s.name = "w" + std::to_string(i + 1);
    s.seed = chance.next();
    s.slots = chance.hit(0.5) ? chance.between(1, 3) : chance.between(1, 12);
    if (p.seed % 5 == 2) s.report_wait = Duration{0};
    for (const auto& service : p.services) {
      if (!chance.hit(0.6) && !(s.offers.empty() && service == p.services.back())) continue;
      s.offers.push_back({.service = service,
                          .weight = chance.between(1, 5),
                          .slots = chance.hit(0.3) ? chance.between(1, s.slots) : 0});
    }
    if (chance.hit(0.3)) s.lease = Milliseconds(chance.between(1000, 8000)) * (p.quiet ? chance.between(5, 60) : 1);
    if (chance.hit(0.05)) s.lease = forever;
    if (chance.hit(0.1)) s.direct = Direct::own;
    if (chance.hit(0.1)) s.calls_max = chance.between(1, 3);
    if (chance.hit(0.1)) s.used_max = chance.between(1, 8);
    plan.moves = chance.hit(0.5);
    p.workers.push_back(std::move(plan));
  }
}

void draw_clients(Chance& chance, Profile& p) {
  const auto count = p.vast             ? chance.between(100, 300)
                     : chance.hit(0.5) ? chance.between(1, 6)
                                       : chance.between(1, p.quiet ? 8 : 60);
  for (std::uint64_t i = 0; i < count; ++i) {
    clients::ClientSettings s;
    s.name = "c" + std::to_string(i + 1);
    s.seed = chance.next();
    s.pulse = chance.between(milliseconds(300), milliseconds(1500));
    s.links_max = chance.hit(0.2) ? chance.between(1, 2) : 256;
    s.window = chance.hit(0.2) ? chance.between(1, 2) : 32;
    p.clients.push_back(s);
  }
}

// Drawn from a chance of its own, so that a seed without conditions stays what it was. Of each service there is a worker
// that takes any client, or some would never be served.
void draw_wishes(Profile& p) {
  Chance chance(p.seed ^ 0xc04d);
  p.conditional = !p.vast && chance.hit(0.4);  // a broker tells those above of so many kinds of workers only
  if (!p.conditional) return;
  std::vector<std::string> open;
  for (auto& plan : p.workers) {
    auto& s = plan.settings;
    s.attributes = draw_worker_attributes(chance);
    const bool spare = std::all_of(s.offers.begin(), s.offers.end(), [&](const Offer& offer) {
      return std::find(open.begin(), open.end(), offer.service) != open.end();
    });
    if (spare) s.accepts = draw_acceptance(chance);
    if (!s.accepts.empty()) continue;
    for (const Offer& offer : s.offers) open.push_back(offer.service);
  }
  for (auto& client : p.clients) client.attributes = draw_client_attributes(chance);
}

// Drawn from a chance of its own, as well.
void draw_sizes(Profile& p) {
  Chance chance(p.seed ^ 0x512e);
  if (p.faultless || p.quiet || !chance.hit(0.3)) return;
  for (auto& plan : p.workers) plan.resizes = chance.hit(0.5);
}

// From one broker to another: workers that go, and requests that leave a line. Drawn from a chance of its own, as well.
void draw_changes(Profile& p) {
  Chance chance(p.seed ^ 0xc4a6e);
  if (chance.hit(0.3))
    for (auto& plan : p.workers) plan.changes = chance.hit(0.5);
  if (chance.hit(0.4))
    for (auto& client : p.clients)
      if (chance.hit(0.5)) client.overflow = chance.between(milliseconds(10), milliseconds(3000));
}

void draw_workload(Chance& chance, Profile& p) {
  p.work = chance.hit(0.3) ? chance.between(milliseconds(500), milliseconds(5000))
                           : chance.between(milliseconds(1), milliseconds(200));
  p.calls = chance.between(1, 5);
  p.parallel = chance.between(1, 3);
  p.wait = Milliseconds(chance.hit(0.2) ? chance.between(0, 100) : chance.between(500, 10'000));
  p.delay = chance.hit(0.8) ? chance.between(Duration(50), milliseconds(2)) : chance.between(milliseconds(5), milliseconds(100));
  // A network that is slower than heartbeats makes workers connect anew, and that is trouble.
  if (p.faultless) p.delay = std::min<Duration>(p.delay, milliseconds(5));
  p.hold = p.quiet ? chance.between(minutes(1), minutes(20)) : milliseconds(3000);
  p.outage = p.quiet ? chance.between(seconds(2), minutes(5)) : milliseconds(1500);
  // As many requests as make the event count of a seed about even.
  const std::int64_t sessions = p.vast ? 8000 : p.quiet ? 150 : 400;
  p.think = std::max<Duration>(milliseconds(100), p.chaos * static_cast<std::int64_t>(p.clients.size()) / sessions);
}

// What a lease, its registration anew, or a term may take at most.
Duration healing(const Profile& p) {
  Duration longest = p.broker.lease;
  for (const auto& plan : p.workers) longest = std::max<Duration>(longest, plan.settings.lease);
  // A process that ends again and again is started once a minute.
  // What a broker has below is known above after a look, in each tier, and the one above may have its own lease to wait for.
  Duration tiers{0};
  for (const auto& uplink : p.fleet.uplinks)
    tiers = std::max<Duration>(tiers, 3 * uplink.every + 2 * longest + seconds(10));
  return std::max<Duration>(seconds(12), 3 * longest + seconds(10)) +
         (p.supervised ? seconds(80) : seconds(0)) + tiers;
}

}  // namespace

Policy any_policy(Chance& chance) {
  constexpr auto before = static_cast<std::uint64_t>(Policy::shortest_expected_delay);
  static_assert(static_cast<std::uint64_t>(Policy::count_) == before + 1);
  const std::uint64_t drawn = chance.below(before * (before + 1));
  return drawn < before ? Policy::shortest_expected_delay : static_cast<Policy>(drawn % before);
}

Profile draw(std::uint64_t seed, const Cut& cut) {
  Chance chance(seed);
  Profile p;
  p.seed = seed;
  p.vast = seed % 4000 == 1999;
  p.quiet = seed % 7 == 3 && !p.vast;
  p.faultless = seed % 11 == 0;  // what goes wrong there is wrong by itself
  p.supervised = seed % 4 == 1;
  p.reference = seed % 3 != 1;
  p.deep = seed % 5 == 0;
  // The reference takes a choice from the notice of it.
  if (p.reference) p.broker.notice_wait = Duration{0};
  p.network = chance.hit(0.5) ? Network::hostile : Network::faithful;
  p.chaos = p.quiet ? chance.between(minutes(30), minutes(150)) : chance.between(seconds(20), seconds(80));
  const auto services = chance.between(1, 3);
  for (std::uint64_t i = 0; i < services; ++i) p.services.push_back(std::string(1, static_cast<char>('p' + i)));
  draw_troubles(chance, p);
  draw_broker(chance, p);
  draw_workers(chance, p);
  draw_clients(chance, p);
  draw_fleet(p);
  draw_workload(chance, p);
  draw_wishes(p);
  draw_sizes(p);
  draw_changes(p);
  p.heal = healing(p);
  // A session that has just begun makes all its calls, each as long as its work or its limit can be.
  const Duration serving = static_cast<std::int64_t>(p.calls) * std::min<Duration>(p.limit, Chance::most * p.work);
  p.calm = std::max<Duration>({seconds(60), serving + seconds(30), p.quiet ? 2 * p.heal : Duration(0)}) +
           (p.quiet ? 3 * p.hold : Duration(0));
  if (p.workers.size() > cut.workers) p.workers.resize(cut.workers);
  if (p.clients.size() > cut.clients) p.clients.resize(cut.clients);
  p.chaos = std::min(p.chaos, Duration(cut.chaos));
  return p;
}

}  // namespace pointsman::sim
