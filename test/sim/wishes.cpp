// What the conditions of a simulation mean.

#include "test/sim/wishes.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "protocol/must.hpp"

namespace pointsman::sim {
namespace {

constexpr double none = -std::numeric_limits<double>::infinity();

double number(const Attributes& attributes, std::string_view name) {
  const auto* value = attributes.find(name);
  const auto* number = value ? std::get_if<double>(value) : nullptr;
  return number ? *number : none;
}

// As a text, or in a set.
bool is(const Attributes& attributes, std::string_view name, const std::string& text) {
  const auto* value = attributes.find(name);
  if (!value) return false;
  if (const auto* set = std::get_if<std::vector<std::string>>(value)) {
    return std::find(set->begin(), set->end(), text) != set->end();
  }
  return *value == Attribute(text);
}

struct Meaning {
  std::string_view text;
  bool (*holds)(const Attributes&);
};

constexpr std::array<Meaning, 6> conditions{{
    {"gpu == a", [](const Attributes& w) { return is(w, "gpu", "a"); }},
    {"mem >= 2", [](const Attributes& w) { return number(w, "mem") >= 2; }},
    {"gpu in {a, b} and mem > 1",
     [](const Attributes& w) { return (is(w, "gpu", "a") || is(w, "gpu", "b")) && number(w, "mem") > 1; }},
    {"not has gpu", [](const Attributes& w) { return w.find("gpu") == nullptr; }},
    {"region == eu or mem == 1",
     [](const Attributes& w) { return is(w, "region", "eu") || number(w, "mem") == 1; }},
    {"region != us",
     [](const Attributes& w) { return w.find("region") != nullptr && !is(w, "region", "us"); }},
}};

constexpr std::array<Meaning, 2> acceptances{{
    {"team == red", [](const Attributes& c) { return is(c, "team", "red"); }},
    {"not (team == blue)", [](const Attributes& c) { return !is(c, "team", "blue"); }},
}};

// As a broker writes those that it was told, and as it is told them by whoever registers it above.
constexpr std::array<Meaning, 1> written{{
    {"not team == blue", [](const Attributes& c) { return !is(c, "team", "blue"); }},
}};

// What `better` compares, the weightiest first.
struct Liking {
  std::string_view text;
  std::array<double, 2> (*rank)(const Attributes&);
};

constexpr std::array<Liking, 3> preferences{{
    {"+mem",
     [](const Attributes& w) {
       return std::array<double, 2>{number(w, "mem"), 0};
     }},
    {"region == eu; -mem",
     [](const Attributes& w) {
       const double mem = number(w, "mem");
       return std::array<double, 2>{is(w, "region", "eu") ? 1.0 : 0.0, mem == none ? none : -mem};
     }},
    {"has gpu",
     [](const Attributes& w) {
       return std::array<double, 2>{w.find("gpu") ? 1.0 : 0.0, 0};
     }},
}};

template <class List>
std::string draw(Chance& chance, const List& list) {
  if (chance.hit(0.5)) return {};
  return std::string(list[chance.below(list.size())].text);
}

void add(Attributes& out, const char* text) { MUST(add_attribute(text, out).empty()); }

}  // namespace

Attributes draw_worker_attributes(Chance& chance) {
  constexpr std::array<const char*, 2> gpus{"gpu=a", "gpu=b"};
  constexpr std::array<const char*, 3> mems{"mem=1", "mem=2", "mem=4"};
  constexpr std::array<const char*, 3> regions{"region=eu", "region=us", "region={eu, us}"};
  Attributes out;
  if (chance.hit(0.7)) add(out, gpus[chance.below(gpus.size())]);
  if (chance.hit(0.7)) add(out, mems[chance.below(mems.size())]);
  if (chance.hit(0.5)) add(out, regions[chance.below(regions.size())]);
  return out;
}

Attributes draw_client_attributes(Chance& chance) {
  constexpr std::array<const char*, 2> teams{"team=red", "team=blue"};
  Attributes out;
  if (chance.hit(0.6)) add(out, teams[chance.below(teams.size())]);
  return out;
}

std::string draw_condition(Chance& chance) { return draw(chance, conditions); }
std::string draw_acceptance(Chance& chance) { return draw(chance, acceptances); }
std::string draw_preference(Chance& chance) { return draw(chance, preferences); }

bool holds(std::string_view condition, const Attributes& attributes) {
  if (condition.empty()) return true;
  for (const Meaning& one : conditions) {
    if (one.text == condition) return one.holds(attributes);
  }
  for (const Meaning& one : acceptances) {
    if (one.text == condition) return one.holds(attributes);
  }
  for (const Meaning& one : written) {
    if (one.text == condition) return one.holds(attributes);
  }
  MUST(false && "a condition of this simulation");
  return false;
}

bool better(std::string_view preference, const Attributes& a, const Attributes& b) {
  for (const Liking& one : preferences) {
    if (one.text == preference) return one.rank(a) > one.rank(b);
  }
  return false;
}

}  // namespace pointsman::sim
