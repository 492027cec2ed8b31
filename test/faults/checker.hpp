// The checker: proves from histories what Pointsman promises its users, or says where a history breaks it.
//
//   R1  each request that was asked ends in exactly one of granted and refused, before its deadline; none is
//       served twice under one id
//   R2  the broker grants only workers in standing that have a free slot
//   R3  a session is opened once, by the client that it was granted to, and no worker holds more than its slots; no
//       call is served twice
//   R4  two renewals after the last fault the broker lists what the workers hold
//   R5  no lease is cut short, and none outlives its term at its worker
//   R6  first come first served within a priority
//   R8  memory stays below its bound
//   R9  a killed broker listens again soon, and no session breaks that no fault has touched
//
// What may be late is judged so that a history is blamed only where it cannot be innocent: the watch tells of an
// event after it happened, a client hears of its grant after it was made. The entries are listed in PARTIES below.
//
// PARTIES. A client writes: asked ask= service= wait_ms= priority= | granted ask= id= session= worker= | refused ask=
// code= | called session= number= | answered session= number= wrong= | failed session= number= code= | released
// session= | finished. A worker writes: started instance= slots= | enrolling attempt= | denied | enrolled lease= term_ms=
// attempt= | beat lease= beat= | heard lease= beat= | opened session= client= | served session= number= | closed session=
// ending= | finished.
// The ground writes: terms lease_ms= margin_ms= listening_ms= | fault kind= of= | healed of= | killed of= | stopped of=
// | continued of= | starting of= | ready of= | calm | watch number= kind= … | gap | listed worker= open= reserved= |
// rss of= bytes= bound=. `of` is a party, a link `a-b`, or several, parted by commas.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "test/faults/history.hpp"

namespace pointsman::faults {

struct Violation {
  std::string rule;  // "R1" …
  std::string what;  // names the entry
};

// What was counted, so that a check of an empty history is not taken for a proof.
struct Tally {
  std::uint64_t asked = 0;
  std::uint64_t granted = 0;
  std::uint64_t refused = 0;
  std::uint64_t excused = 0;  // asked, without an outcome, by clients that were killed
  std::uint64_t lost = 0;     // asked, without an outcome, by clients that were not
  std::uint64_t opened = 0;
  std::uint64_t opened_twice = 0;
  std::uint64_t served = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;        // calls, whatever the fault
  std::uint64_t broken = 0;        // sessions that broke without a fault to themselves
  std::uint64_t grants_seen = 0;   // by the watch
  std::uint64_t leases_ended = 0;  // by the watch
  std::uint64_t compared = 0;      // rows of listings
  std::uint64_t faults = 0;
};

struct Verdict {
  std::vector<Violation> violations;
  Tally tally;

  bool broke(const std::string& rule) const;
};

Verdict check(const History& history);

// `asked=… granted=…`, in one line.
std::string text(const Tally& tally);

}  // namespace pointsman::faults
