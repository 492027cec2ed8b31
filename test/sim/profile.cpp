// Draws profiles.

#include "test/sim/profile.hpp"

#include <algorithm>

namespace pointsman::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What is usual for each kind; a seed takes a tenth to three times of it, or nothing.
constexpr std::array<double, troubles> usual{
    0.01, 0.01, 0.03, 0.01,   // loss duplicate reorder delay
    300,  90,   120,  120,    // reset slow_peer one_way two_way
    60,   90,                 // broker_crash broker_pause
    150,  150,  60,           // worker_crash worker_pause worker_stop
    150,  90,                 // client_crash client_pause
    0.02, 0.05, 0.05, 200,    // hang failure late_timer drift(ppm)
    90,   600,                // operator mischief
};

void draw_troubles(Chance& chance, Profile& p) {
  // One seed in eight is free of trouble: what goes wrong there is wrong by itself.
  if (p.seed % 8 == 0) return;
  const double share = static_cast<double>(chance.between(2, 9)) / 10;
  for (std::size_t i = 0; i < troubles; ++i) {
    if (!chance.hit(share)) continue;
    p.weight[i] = usual[i] * (0.1 + 2.9 * static_cast<double>(chance.below(1000)) / 1000);
  }
}

void draw_broker(Chance& chance, Profile& p) {
  auto& b = p.broker;
  b.lease = chance.between(seconds(1), seconds(6));
  b.lease_min = milliseconds(1000);
  b.heartbeats = chance.between(2, 5);
  b.probe = chance.between(milliseconds(200), milliseconds(2000));
  b.ticket_ttl = chance.between(milliseconds(500), milliseconds(5000));
  b.session_term = chance.between(seconds(1), seconds(20));
  b.remember = chance.between(seconds(5), seconds(40));
  b.master.data.assign(32, '\0');
  for (auto& byte : b.master.data) byte = static_cast<char>(chance.next());
  if (chance.hit(0.2)) b.service.queue_max = chance.between(1, 5);
  if (chance.hit(0.2)) b.service.slow_start = chance.between(seconds(1), seconds(20));
  if (chance.hit(0.3)) b.service.aging = chance.hit(0.5) ? Duration(0) : chance.between(seconds(1), seconds(20));
  if (chance.hit(0.3)) b.service.hang = chance.between(seconds(2), seconds(20));
  for (const auto& service : p.services) {
    auto settings = b.service;
    settings.policy = static_cast<Policy>(chance.below(static_cast<std::uint64_t>(Policy::count_)));
    b.services.emplace(service, settings);
  }
}

void draw_workers(Chance& chance, Profile& p) {
  const auto count = chance.hit(0.5) ? chance.between(1, 4) : chance.between(1, 20);
  for (std::uint64_t i = 0; i < count; ++i) {
    WorkerPlan plan;
    auto& s = plan.settings;
    s.name = "w" + std::to_string(i + 1);
    s.seed = chance.next();
    s.slots = chance.hit(0.5) ? chance.between(1, 3) : chance.between(1, 12);
    for (const auto& service : p.services) {
      if (!chance.hit(0.6) && !(s.offers.empty() && service == p.services.back())) continue;
      s.offers.push_back({.service = service,
                          .weight = chance.between(1, 5),
                          .slots = chance.hit(0.3) ? chance.between(1, s.slots) : 0});
    }
    if (chance.hit(0.3)) s.lease = Milliseconds(chance.between(1000, 8000));
    if (chance.hit(0.05)) s.lease = forever;
    if (chance.hit(0.1)) s.direct = Direct::own;
    if (chance.hit(0.1)) s.calls_max = chance.between(1, 3);
    plan.moves = chance.hit(0.5);
    p.workers.push_back(std::move(plan));
  }
}

void draw_clients(Chance& chance, Profile& p) {
  const auto count = chance.hit(0.5) ? chance.between(1, 6) : chance.between(1, 60);
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

}  // namespace

std::string_view name_of(Trouble trouble) {
  static constexpr std::array<std::string_view, troubles> names{
      "loss",         "duplicate",    "reorder",     "delay",        "reset",        "slow-peer", "one-way",
      "two-way",      "broker-crash", "broker-pause", "worker-crash", "worker-pause", "worker-stop",
      "client-crash", "client-pause", "hang",        "failure",      "late-timer",   "drift",     "operator",
      "mischief"};
  return names[static_cast<std::size_t>(trouble)];
}

Profile draw(std::uint64_t seed) {
  Chance chance(seed);
  Profile p;
  p.seed = seed;
  p.chaos = chance.between(seconds(20), seconds(80));
  const auto services = chance.between(1, 3);
  for (std::uint64_t i = 0; i < services; ++i) p.services.push_back(std::string(1, static_cast<char>('p' + i)));
  draw_troubles(chance, p);
  draw_broker(chance, p);
  draw_workers(chance, p);
  draw_clients(chance, p);
  p.work = chance.hit(0.3) ? chance.between(milliseconds(500), milliseconds(5000))
                           : chance.between(milliseconds(1), milliseconds(200));
  p.calls = chance.between(1, 5);
  p.parallel = chance.between(1, 3);
  p.wait = Milliseconds(chance.hit(0.2) ? chance.between(0, 100) : chance.between(500, 10'000));
  p.delay = chance.hit(0.8) ? chance.between(Duration(50), milliseconds(2)) : chance.between(milliseconds(5), milliseconds(100));
  // As many requests as make the event count of a seed about even.
  p.think = std::max<Duration>(milliseconds(100), p.chaos * static_cast<std::int64_t>(p.clients.size()) / 400);
  p.calm = seconds(60);
  return p;
}

}  // namespace pointsman::sim
