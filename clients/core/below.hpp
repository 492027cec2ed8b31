// Below: the brokers that passes lead to, one an endpoint and key, kept for a while after the last session there.
//
// They have numbers above those of the brokers that the client knows by itself, and no number twice.

#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>

#include "clients/core/brokers.hpp"
#include "clients/core/events.hpp"
#include "clients/core/settings.hpp"

namespace pointsman::clients {

class Below {
 public:
  Below(const ClientSettings& settings, Brokers& brokers)
      : most_(settings.below_max), idle_(settings.link_idle), brokers_(brokers) {}

  // The number of a broker, with one more user; reached by it from now on if it was not.
  std::uint64_t take(const std::string& endpoint, const std::string& key, Instant now, Actions& out);

  // One user less.
  void give(std::uint64_t number, Instant now, Actions& out);

  // Leaves those that nobody has used for too long.
  void tend(Instant now, Actions& out);
  Instant deadline() const { return unused_.empty() ? never : below_.at(unused_.front()).until; }

  std::size_t size() const { return below_.size(); }
  std::size_t users() const;
  void check() const;

 private:
  using Name = std::pair<std::string, std::string>;  // endpoint and key
  struct One {
    Name name;
    std::size_t users = 0;
    std::list<std::uint64_t>::iterator unused;  // valid while nobody uses it
    Instant until{};                            // then it is left
  };

  const std::size_t most_;
  const Duration idle_;
  Brokers& brokers_;
  std::uint64_t last_ = nobody;
  std::map<std::uint64_t, One> below_;
  std::map<Name, std::uint64_t> by_name_;
  std::list<std::uint64_t> unused_;  // longest unused first
};

}  // namespace pointsman::clients
