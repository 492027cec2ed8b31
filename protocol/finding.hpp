// What bounds the search for brokers; each has its row in PROTOCOL.md.

#pragma once

#include <cstddef>

namespace pointsman::limits {

inline constexpr std::size_t brokers = 64;  // that one party knows of at a time

}  // namespace pointsman::limits
