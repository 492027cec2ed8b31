// Trees: who descends from whom, and what they take, as /proc has it. What is gone meanwhile is left out.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

namespace pointsman::supervisor {

// The nearest of `pid` and its ancestors that `wanted` says yes to; 0: none.
pid_t ancestor(pid_t pid, const std::function<bool(pid_t)>& wanted);

// Bytes of memory that are resident of all that descends from `root`, without that itself. Pages that several
// share are counted for each.
std::uint64_t memory_below(pid_t root);

}  // namespace pointsman::supervisor
