// What a client core knows of one session and its calls. Plain data; client.cpp and its neighbours keep it
// true.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "clients/core/brokers.hpp"

namespace pointsman::clients {

struct CallState {
  Payload payload;
  Instant limit{};
  bool gather = false;          // several parts may come at a time
  bool sent = false;            // on the present grant
  std::uint64_t next_part = 0;  // parts given to the user: then it is never sent again
};

// What brokers leave out.
constexpr Duration usual_term = std::chrono::seconds(30);

// What led to a broker below: a session at the broker above, which is held as long as the one below.
struct Pass {
  std::uint64_t broker = nobody;  // above, that gave it
  std::uint64_t session = 0;      // its number there; 0: over, which changes nothing below
  std::string worker;             // the name of the broker below, above
  std::string endpoint;
  std::uint64_t below = nobody;  // the broker that it leads to
  Duration term{0};
  Instant renew_due{};
};

enum class Stage : std::uint8_t {
  asking,   // a request is out
  resting,  // refused for the moment, to be asked again
  holding,  // granted
};

struct SessionState {
  Acquire asked;
  Stage stage = Stage::asking;
  Instant due = never;  // of its alarm

  std::uint64_t broker = nobody;  // that is asked, or that granted
  std::vector<Pass> passes;       // the way down to it, at most limits::tiers - 1
  std::vector<std::pair<std::uint64_t, std::string>> passed_over;  // a broker, and whom below it the client was at in
                                                                    // vain; at most limits::exclude

  // Asking and resting.
  std::string id;            // of the present request
  int renewals = 0;          // suffix of the id
  int idle_renewals = 0;     // of these, since a worker last took the session
  std::uint64_t failed = 0;  // the session that the request is to replace
  std::uint64_t failed_at = nobody;  // the broker that granted it: others know nothing of it
  Instant asked_at{};
  Instant wait_until{};
  Instant ask_due{};             // when to repeat it
  int sent = 0;                  // how often it was sent
  bool heard = false;            // the broker has answered something
  BrokerSet tried = 0;           // of this round, the one that is asked included
  BrokerSet left = 0;              // those whose line it left, since they let it wait
  std::uint64_t line = nobody;     // the last of these: it goes back there if the others refuse
  Instant overflow_due = never;    // it leaves the line then, if there is another broker
  std::optional<Refused> refused;  // by those before: what to tell if nobody says better
  std::optional<Queued> queued;  // what the user was told last

  // Holding.
  Granted granted;
  int grants = 0;          // in all
  int deaths = 0;          // workers that died under it
  std::uint64_t link = 0;  // 0: apart
  int shown = 0;           // messages that the worker has been sent
  bool admitted = false;   // the worker has answered: work may have been done
  bool show = true;        // send the ticket along, the worker is not known to know this link
  Milliseconds term{0};
  Instant term_until{};  // apart: the session ends then unless it is renewed
  Instant pulse_due{};
  int missed = 0;           // pulses without answer
  Instant stalled_until{};  // the worker takes no calls before

  // Both.
  std::map<std::uint64_t, CallState> calls;
  std::set<std::uint64_t> unsent;  // calls that are to be sent, in the order of their numbers

  std::size_t in_flight() const { return calls.size() - unsent.size(); }
};

}  // namespace pointsman::clients
