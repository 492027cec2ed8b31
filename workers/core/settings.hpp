// What a worker core may be told: who it is, what it offers, and every bound and time of it, with its default.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::workers {

struct WorkerSettings {
  // Given by the shell. Slots and weights are those to begin with.
  std::string name;           // unique at the broker; 1 to limits::name bytes
  std::string instance;       // random, new with every start
  std::vector<Offer> offers;  // 1 to limits::services, no service twice
  std::uint64_t slots = 1;    // 1 to limits::slots
  std::string endpoint;       // where clients come
  Direct direct = Direct::pointsman;
  Milliseconds lease{0};      // wished; 0: the broker's default; `forever`
  std::string key;            // public key, Z85
  Attributes attributes;      // for the conditions of requests
  std::string accepts;        // a condition on the client's attributes; empty: any
  std::string workers;        // of a broker: its listener for workers; empty: not said
  std::uint64_t seed = 1;     // of the jitter

  // Registering.
  Duration patience{0};  // refused, or not answered at all at the start, for longer than this: Done. 0: for ever
  Duration retry{std::chrono::milliseconds(500)};  // an unanswered or refused registration is repeated after this,
  Duration retry_max{std::chrono::seconds(5)};     // then after twice as long each time; plus or minus a fifth
  Duration farewell{std::chrono::milliseconds(500)};  // an unanswered `leave` is repeated after this
  int farewells = 3;                                  // and given up after so many
  Duration move{std::chrono::seconds(10)};  // to another broker: sessions are waited for so long, then it stays

  // Sessions.
  Duration term{std::chrono::seconds(30)};  // of a session whose ticket names none
  Duration ticket_memory{std::chrono::minutes(1)};  // a former lease's key is kept for this, or its longest ticket

  // A closing within this of the last report is told together with the next ones, this late at most, while three
  // quarters of the slots are free without it: nobody waits for it then. 0: each at once.
  Duration report_wait{std::chrono::milliseconds(10)};

  // Bounds.
  std::size_t calls_max = 64;      // calls of one session that wait behind the running one
  std::size_t used_max = 65'536;   // sessions that are over and whose tickets are remembered until they expire
  std::size_t events_max = 16'384; // session events that are not applied: past it the worker registers anew
  std::size_t keys_max = 8;        // leases whose tickets are known
};

}  // namespace pointsman::workers
