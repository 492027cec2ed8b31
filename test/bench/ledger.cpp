// The operators new and delete of the benchmarks: malloc and free, counted.
#include "test/bench/ledger.hpp"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

pointsman::bench::Ledger now;

constexpr std::size_t header = 8;

}  // namespace

pointsman::bench::Ledger pointsman::bench::ledger() { return now; }

void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  if (!memory) throw std::bad_alloc();
  ++now.allocations;
  now.bytes += static_cast<std::int64_t>(malloc_usable_size(memory) + header);
  return memory;
}

void operator delete(void* memory) noexcept {
  if (!memory) return;
  now.bytes -= static_cast<std::int64_t>(malloc_usable_size(memory) + header);
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
