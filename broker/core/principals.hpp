// Principals: who owns what at a broker, one for each key that has come; without keys, one for everybody.

#pragma once

#include <cstdint>

#include "broker/core/audit.hpp"
#include "broker/core/known.hpp"
#include "broker/core/links.hpp"
#include "broker/core/records.hpp"
#include "protocol/allowed.hpp"

namespace pointsman::broker {

struct Principal {
  Principal(Pool<Asked>& asked, Pool<Session>& held) : waiting(asked), sessions(held) {}

  PublicKey key{};
  std::uint64_t number = 0;  // in order of coming; 0: everybody, where no keys are configured
  const Allowance* may = nullptr;  // within the broker's keys; none: no keys are configured, or barred
  const Known* known = nullptr;    // within what the broker knows of keys; may be none
  bool barred = false;       // its key is not allowed any more; what it still has is on its way out
  Meter meter;               // of its messages
  Chain<Worker, &Worker::of_owner> workers;
  PoolChain<Asked, &Asked::of_owner> waiting;
  PoolChain<Session, &Session::of_owner> sessions;
  std::uint64_t remembered = 0;  // requests in whatever stage, for as long as they are known
  std::uint64_t watchers = 0;
  std::uint64_t refused = 0;

  std::string_view name() const { return may ? std::string_view(may->name) : std::string_view(); }
  bool empty() const { return workers.empty() && sessions.empty() && remembered == 0 && watchers == 0; }
};

}  // namespace pointsman::broker
