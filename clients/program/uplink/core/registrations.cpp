// What to change above when things have changed below.
#include "clients/program/uplink/core/registrations.hpp"

#include <algorithm>
#include <string_view>

#include "protocol/limits.hpp"
#include "protocol/ticket.hpp"

namespace pointsman::uplink {

namespace {

// Eight letters and digits, the same for the same text.
std::string short_print(std::uint64_t number) {
  static constexpr std::string_view letters = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string text;
  for (int i = 0; i < 8; ++i, number /= letters.size()) text += letters[number % letters.size()];
  return text;
}

// A registration costs the broker above something: it is made anew when more than an eighth has changed, or all is free again.
bool worth_saying(std::uint64_t said, std::uint64_t slots, std::uint64_t most) {
  const std::uint64_t differs = said > slots ? said - slots : slots - said;
  return 8 * differs > said || (differs > 0 && slots == most);
}

}  // namespace

std::uint64_t slots_above(const WorkerClass& one, std::uint64_t passes) {
  const std::uint64_t others = one.used > passes ? one.used - passes : 0;
  const std::uint64_t left = one.slots > others ? one.slots - others : 0;
  return std::clamp<std::uint64_t>(left, 1, limits::slots);
}

std::vector<Step> Registrations::look(const Census& census, const Passes& passes) {
  std::vector<Step> steps;
  look_at_gone(census, passes, steps);
  left_out_ = 0;
  for (const auto& [key, of] : census.classes()) {
    const std::uint64_t weight = std::clamp<std::uint64_t>(of.slots, 1, limits::weight);
    if (const auto known = by_class_.find(key); known != by_class_.end()) {
      Registration& one = known->second;
      if (one.stage != Stage::joined) continue;
      const std::uint64_t most = std::clamp<std::uint64_t>(of.slots, 1, limits::slots);
      const std::uint64_t slots = slots_above(of, passes(one.name));
      if (!worth_saying(one.slots, slots, most)) continue;
      one.slots = slots;
      steps.push_back(Change{.name = one.name, .slots = slots, .weight = weight});
    } else if (by_class_.size() == limits::classes_above) {
      ++left_out_;
    } else {
      const std::uint64_t slots = slots_above(of, 0);
      const std::string name = name_for(key, of);
      by_class_.emplace(key, Registration{.name = name, .slots = slots});
      steps.push_back(Join{.name = name, .of = of, .slots = slots, .weight = weight});
    }
  }
  return steps;
}

void Registrations::look_at_gone(const Census& census, const Passes& passes, std::vector<Step>& steps) {
  for (auto at = by_class_.begin(); at != by_class_.end();) {
    Registration& one = at->second;
    const bool gone = !census.classes().contains(at->first);
    if (gone && one.stage == Stage::sent_away) {
      at = by_class_.erase(at);
      continue;
    }
    ++at;
    if (!gone || one.stage != Stage::joined) continue;
    if (one.slots != 0) {
      one.slots = 0;
      steps.push_back(Change{.name = one.name});
    } else if (passes(one.name) == 0) {
      one.stage = Stage::leaving;
      steps.push_back(Leave{one.name});
    }
  }
}

void Registrations::left(std::string_view name) {
  std::erase_if(by_class_, [&](const auto& known) { return known.second.name == name; });
}

void Registrations::sent_away(std::string_view name) {
  for (auto& [key, one] : by_class_) {
    if (one.name == name) one.stage = Stage::sent_away;
  }
}

std::string Registrations::name_for(const std::string& key, const WorkerClass& one) const {
  if (one.plain() && !taken(name_)) return name_;
  for (std::uint64_t print = service_of(key);; ++print) {
    std::string name = name_ + "/" + short_print(print);
    if (!taken(name)) return name;
  }
}

bool Registrations::taken(std::string_view name) const {
  return std::any_of(by_class_.begin(), by_class_.end(),
                     [&](const auto& known) { return known.second.name == name; });
}

}  // namespace pointsman::uplink
