// Brokers: which there are, whose turn it is, and how each is talked to.
//
// They are numbers below limits::brokers, chosen by whoever drives the core; until it names others there is one,
// number 0. Those that passes lead to (clients/core/below.hpp) have higher ones, and no turn. Requests go to them in sequence,
// or, where they have names, in the order of each service. One that is silent, or lets this client not in, is passed over for
// a while as long as there is another.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "clients/core/contact.hpp"
#include "protocol/finding.hpp"
#include "protocol/must.hpp"
#include "protocol/rendezvous.hpp"

namespace pointsman::clients {

inline constexpr std::uint64_t nobody = limits::brokers;  // the broker of a request that none was there for

// A set of brokers.
using BrokerSet = std::uint64_t;
static_assert(limits::brokers <= 64);
constexpr BrokerSet only(std::uint64_t broker) {
  return broker < limits::brokers ? BrokerSet{1} << broker : 0;
}

class Brokers {
 public:
  explicit Brokers(const ClientSettings& settings) : settings_(settings), turn_(settings.seed) {}

  // Those that there are from now on. With names each service has its order of them.
  void set(std::vector<std::uint64_t> numbers, std::vector<std::string> names = {}) {
    MUST(names.empty() || names.size() == numbers.size());
    names_ = std::move(names);
    MUST(std::all_of(numbers.begin(), numbers.end(), [](auto number) { return number < limits::brokers; }));
    there_ = std::move(numbers);
    if (std::find(there_.begin(), there_.end(), home_) == there_.end()) home_ = nobody;
  }
  std::size_t size() const { return there_.size(); }

  // Whose turn it is of those that were not tried; a doubtful one only if there is no other.
  std::optional<std::uint64_t> next(BrokerSet tried, Instant now, std::string_view service = {}) {
    std::optional<std::size_t> found;
    const auto order = rendezvous_order(service, {names_.begin(), names_.end()});
    for (std::size_t i = 0; i < there_.size(); ++i) {
      const std::size_t at = order.empty() ? (turn_ + i) % there_.size() : order[i];
      if ((tried & only(there_[at])) != 0) continue;
      if (!found) found = at;
      if (this->at(there_[at]).doubtful(now)) continue;
      found = at;
      break;
    }
    if (!found) return std::nullopt;
    turn_ = *found + 1;
    return there_[*found];
  }

  // The one that requests for a service begin at, where each has its order of them.
  std::optional<std::uint64_t> first(std::string_view service) const {
    const auto order = rendezvous_order(service, {names_.begin(), names_.end()});
    if (order.empty()) return std::nullopt;
    return there_[order.front()];
  }

  // The one that questions go to; `nobody` if there is none.
  std::uint64_t home(Instant now) {
    if (home_ == nobody) home_ = next(0, now).value_or(nobody);
    return home_;
  }
  bool is_home(std::uint64_t number) const { return home_ == number; }
  // Questions go to another one, if there is one.
  void leave_home(Instant now) {
    if (const auto other = next(only(home_), now)) home_ = *other;
  }

  Contact& at(std::uint64_t number) {
    const auto found = contacts_.find(number);
    if (found != contacts_.end()) return found->second;
    MUST(number < limits::brokers);
    return contacts_.try_emplace(number, settings_, number).first->second;
  }

  // One that a pass leads to: there until it is forgotten.
  void meet(std::uint64_t number) {
    MUST(number > nobody);
    contacts_.try_emplace(number, settings_, number);
  }
  void forget(std::uint64_t number) { contacts_.erase(number); }
  bool known(std::uint64_t number) const { return number < nobody || contacts_.contains(number); }

  // As Contact's; whoever waits for a broker to be there looks again as if one were silent.
  Duration pause(std::uint64_t number, int sent) { return at(known(number) ? number : 0).pause(sent); }
  Duration jitter(std::uint64_t number, Duration around) {
    return at(known(number) ? number : 0).jitter(around);
  }

  // As Contact::send(); to nobody, and to one that was forgotten, nothing is sent.
  void send(Instant now, std::uint64_t number, Message message, bool again, Actions& out) {
    if (known(number)) at(number).send(now, std::move(message), again, out);
  }

 private:
  const ClientSettings& settings_;
  std::vector<std::uint64_t> there_{0};
  std::vector<std::string> names_;
  std::size_t turn_;
  std::uint64_t home_ = nobody;
  std::map<std::uint64_t, Contact> contacts_;
};

}  // namespace pointsman::clients
