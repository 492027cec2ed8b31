// MUST(): what must hold holds, or the process ends, in every build.
//
// For our own mistakes only. What a peer, a file or a user can cause is answered, never asserted.

#pragma once

#include <cstdio>
#include <cstdlib>

#define MUST(condition)                                                                       \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      std::fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition);         \
      std::abort();                                                                           \
    }                                                                                         \
  } while (false)
