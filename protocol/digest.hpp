// The digest of a set of sessions, by which a broker and a worker notice that their sets differ.

#pragma once

#include <cstdint>

namespace pointsman {

// What one session contributes; the digest of a set is the XOR of its members' contributions, 0 for the
// empty set. The mixing is SplitMix64's finaliser (Steele, Lea, Flood 2014), cut to 53 bits.
constexpr std::uint64_t digest_of(std::uint64_t session) {
  std::uint64_t z = session + 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return (z ^ (z >> 31)) >> 11;
}

}  // namespace pointsman
