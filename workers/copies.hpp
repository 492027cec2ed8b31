// Copies: several side cars under one roof.
//
// Each copy is a process of its own: its commands then have a parent of their own that reaps and kills them, one
// that crashes or is stopped takes no other along, and each keeps to a single thread of ours.

#pragma once

#include <cstdint>
#include <functional>

namespace pointsman::workers {

// Runs `copy` with the numbers 1 to `copies` in as many processes; passes SIGTERM and SIGINT on to all of them and
// waits until they have ended. Returns 0, or the exit code of the first that failed. Call it before there are
// threads, with SIGTERM, SIGINT and SIGCHLD blocked.
int run_copies(std::uint64_t copies, const std::function<int(std::uint64_t)>& copy);

}  // namespace pointsman::workers
