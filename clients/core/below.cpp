// Brokers below: reached, shared, kept and left.
#include "clients/core/below.hpp"

#include "protocol/must.hpp"

namespace pointsman::clients {

std::uint64_t Below::take(const std::string& endpoint, const std::string& key, Instant now, Actions& out) {
  const Name name{endpoint, key};
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    One& one = below_.at(found->second);
    if (one.users++ == 0) unused_.erase(one.unused);
    return found->second;
  }
  const std::uint64_t number = ++last_;
  below_.emplace(number, One{.name = name, .users = 1});
  by_name_.emplace(name, number);
  brokers_.meet(number);
  out.emplace_back(ReachBroker{number, endpoint, key});
  tend(now, out);
  return number;
}

void Below::give(std::uint64_t number, Instant now, Actions& out) {
  One& one = below_.at(number);
  MUST(one.users > 0);
  if (--one.users > 0) return;
  one.unused = unused_.insert(unused_.end(), number);
  one.until = now + idle_;
  tend(now, out);
}

void Below::tend(Instant now, Actions& out) {
  while (!unused_.empty() && (below_.size() > most_ || below_.at(unused_.front()).until <= now)) {
    const std::uint64_t number = unused_.front();
    unused_.pop_front();
    by_name_.erase(below_.at(number).name);
    below_.erase(number);
    brokers_.forget(number);
    out.emplace_back(LeaveBroker{number});
  }
}

std::size_t Below::users() const {
  std::size_t users = 0;
  for (const auto& [number, one] : below_) users += one.users;
  return users;
}

void Below::check() const {
  MUST(by_name_.size() == below_.size());
  for (const auto& [name, number] : by_name_) MUST(below_.at(number).name == name);
  std::size_t unused = 0;
  for (const auto& [number, one] : below_) unused += one.users == 0 ? 1U : 0U;
  MUST(unused == unused_.size());
  for (const auto number : unused_) MUST(below_.at(number).users == 0);
  MUST(unused == 0 || below_.size() <= most_);
}

}  // namespace pointsman::clients
