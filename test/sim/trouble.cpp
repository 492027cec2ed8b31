// The kinds of trouble and how often they strike.

#include "test/sim/trouble.hpp"

namespace pointsman::sim {
namespace {

struct Kind {
  std::string_view name;
  double usual;
  bool hostile_only;
  bool by_the_hour;
};

constexpr std::array<Kind, troubles> kinds{{
    {"loss", 0.01, true, false},
    {"duplicate", 0.01, true, false},
    {"reorder", 0.03, true, false},
    {"burst", 90, true, true},
    {"garble", 0.005, true, false},
    {"delay", 0.01, false, false},
    {"stale", 0.5, false, false},
    {"reset", 300, false, true},
    {"reset-all", 20, false, true},
    {"half-open", 90, false, true},
    {"slow-peer", 90, false, true},
    {"one-way", 90, false, true},
    {"two-way", 90, false, true},
    {"bridge", 30, false, true},
    {"clog", 30, false, true},
    {"flap", 40, false, true},
    {"edge", 120, false, true},
    {"broker-crash", 50, false, true},
    {"broker-cut", 30, false, true},
    {"broker-stop", 20, false, true},
    {"broker-pause", 90, false, true},
    {"broker-freeze", 20, false, true},
    {"worker-crash", 120, false, true},
    {"worker-cut", 60, false, true},
    {"worker-pause", 120, false, true},
    {"worker-freeze", 60, false, true},
    {"worker-loop", 30, false, true},
    {"worker-stop", 60, false, true},
    {"twin", 40, false, true},
    {"supervisor-crash", 20, false, true},
    {"supervisor-pause", 60, false, true},
    {"client-crash", 150, false, true},
    {"client-pause", 90, false, true},
    {"suspend", 60, false, true},
    {"slow-cpu", 60, false, true},
    {"late-timer", 0.05, false, false},
    {"coarse-timer", 0.3, false, false},
    {"drift", 200, false, false},
    {"jump", 60, false, true},
    {"hang", 0.02, false, false},
    {"failure", 0.05, false, false},
    {"spam", 20, false, true},
    {"operator", 90, false, true},
    {"liar", 60, false, true},
    {"replay", 200, false, true},
    {"forge", 200, false, true},
    {"nonsense", 200, false, true},
    {"reuse", 300, false, true},
    {"blackout", 30, false, true},
    {"echo", 240, true, true},
    {"uplink-crash", 60, false, true},
    {"uplink-pause", 90, false, true},
    {"tier-cut", 40, false, true},
}};

const Kind& of(Trouble trouble) { return kinds[static_cast<std::size_t>(trouble)]; }

}  // namespace

std::string_view name_of(Trouble trouble) { return of(trouble).name; }
double usual(Trouble trouble) { return of(trouble).usual; }
bool hostile_only(Trouble trouble) { return of(trouble).hostile_only; }
bool by_the_hour(Trouble trouble) { return of(trouble).by_the_hour; }

}  // namespace pointsman::sim
