// Ledger: what the program has allocated, counted by its own operator new.

#pragma once

#include <cstdint>

namespace pointsman::bench {

struct Ledger {
  std::uint64_t allocations = 0;  // since the start
  std::int64_t bytes = 0;         // held now, as malloc rounds them up, its header of 8 bytes included
};

// Of this thread of the program's only one.
Ledger ledger();

}  // namespace pointsman::bench
