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

// Of so many, split evenly, one of the first being greater by one than one of the last.
std::uint64_t part(std::uint64_t all, std::uint64_t parts, std::uint64_t which) {
  return all / parts + (which < all % parts ? 1 : 0);
}

// How many registrations a class would be if there were room.
std::uint64_t wanted(const WorkerClass& one) {
  return std::max<std::uint64_t>(1, one.slots / limits::slots + (one.slots % limits::slots > 0 ? 1 : 0));
}

}  // namespace

std::uint64_t shares_of(const WorkerClass& one) {
  return std::min<std::uint64_t>(wanted(one), limits::registrations_above);
}

std::uint64_t slots_above(const WorkerClass& one, std::uint64_t passes, std::uint64_t share) {
  const std::uint64_t shares = shares_of(one);
  const std::uint64_t slots = part(one.slots, shares, share);
  const std::uint64_t others = part(one.used > passes ? one.used - passes : 0, shares, share);
  return std::clamp<std::uint64_t>(slots > others ? slots - others : 0, 1, limits::slots);
}

std::vector<Step> Registrations::look(const Census& census, const Passes& passes) {
  std::vector<Step> steps;
  look_at_gone(census, passes, steps);
  // By all shares of a class that are there, those that are too many now among them.
  std::map<std::string_view, std::uint64_t> held;
  for (const auto& [key, one] : shares_)
    if (one.stage == Stage::joined) held[key.first] += passes(one.name);
  left_out_ = 0;
  bool more = true;
  for (std::uint64_t share = 0; std::exchange(more, false); ++share) {
    for (const auto& [key, of] : census.classes()) {
      const std::uint64_t shares = shares_of(of);
      if (share == 0) left_out_ += wanted(of) - shares;
      if (share < shares) look_at({key, share}, of, held[key], steps);
      more = more || share + 1 < shares;
    }
  }
  return steps;
}

void Registrations::look_at(const Key& key, const WorkerClass& of, std::uint64_t passes, std::vector<Step>& steps) {
  const std::uint64_t most = slots_above({.slots = of.slots}, 0, key.second);
  const std::uint64_t weight = std::min<std::uint64_t>(most, limits::weight);
  const std::uint64_t slots = slots_above(of, passes, key.second);
  if (const auto known = shares_.find(key); known != shares_.end()) {
    Registration& one = known->second;
    if (one.stage != Stage::joined || !worth_saying(one.slots, slots, most)) return;
    one.slots = slots;
    steps.push_back(Change{.name = one.name, .slots = slots, .weight = weight});
  } else if (shares_.size() == limits::registrations_above) {
    ++left_out_;
  } else {
    const std::string name = name_for(key, of);
    shares_.emplace(key, Registration{.name = name, .slots = slots});
    steps.push_back(Join{.name = name, .of = of, .slots = slots, .weight = weight});
  }
}

void Registrations::look_at_gone(const Census& census, const Passes& passes, std::vector<Step>& steps) {
  for (auto at = shares_.begin(); at != shares_.end();) {
    Registration& one = at->second;
    const auto of = census.classes().find(at->first.first);
    const bool gone = of == census.classes().end() || at->first.second >= shares_of(of->second);
    if (gone && one.stage == Stage::sent_away) {
      at = shares_.erase(at);
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
  std::erase_if(shares_, [&](const auto& known) { return known.second.name == name; });
}

void Registrations::sent_away(std::string_view name) {
  for (auto& [key, one] : shares_) {
    if (one.name == name) one.stage = Stage::sent_away;
  }
}

std::string Registrations::name_for(const Key& key, const WorkerClass& one) const {
  if (one.plain() && !taken(name_)) return name_;
  for (std::uint64_t print = service_of(key.first) + key.second;; ++print) {
    std::string name = name_ + "/" + short_print(print);
    if (!taken(name)) return name;
  }
}

bool Registrations::taken(std::string_view name) const {
  return std::any_of(shares_.begin(), shares_.end(),
                     [&](const auto& known) { return known.second.name == name; });
}

}  // namespace pointsman::uplink
