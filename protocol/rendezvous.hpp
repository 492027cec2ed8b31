// Rendezvous: the order in which a service goes to several brokers, the same for everybody who knows the same names.
//
// A broker that comes or goes moves only what is its own (Thaler and Ravishankar 1998, with equal weights). PROTOCOL.md,
// "Several brokers", has the rule with an example. Pure functions.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

#include "protocol/digest.hpp"

namespace pointsman {

// FNV-1a, 64 bits; `hash`: of what stands before.
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325ULL) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

constexpr std::uint64_t rendezvous_score(std::string_view service, std::string_view broker) {
  return digest_of(fnv1a(broker, fnv1a(std::string_view("\0", 1), fnv1a(service))));
}

// Places in the list of names, the highest score first; of equal names the one that is listed first.
inline std::vector<std::size_t> rendezvous_order(std::string_view service,
                                                 const std::vector<std::string_view>& names) {
  std::vector<std::uint64_t> scores;
  for (const std::string_view name : names) scores.push_back(rendezvous_score(service, name));
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  return order;
}

// The name of a broker that nobody named: its endpoint, of tcp:// without the port, in which its two listeners differ.
constexpr std::string_view unnamed_broker(std::string_view endpoint) {
  return endpoint.starts_with("tcp://") ? endpoint.substr(0, endpoint.rfind(':')) : endpoint;
}

}  // namespace pointsman
