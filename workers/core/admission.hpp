// Admission: which tickets are good. The keys of this lease and former ones, and the sessions that are over.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "protocol/machine.hpp"
#include "protocol/ticket.hpp"

namespace pointsman::workers {

class Admission {
 public:
  Admission(Duration memory, std::size_t keys_max, std::size_t used_max);

  // Tickets of this lease are good from now on; those of former leases until they must have expired.
  void add_key(Instant now, std::uint64_t lease, const Bytes& key, Milliseconds broker_now);
  bool knows(std::uint64_t lease) const;

  // What the broker's clock was when a message under the newest lease was sent; if it was an answer, to a message
  // of `asked`.
  void clock(Instant now, Milliseconds broker_now, Instant asked = Instant::min());

  // How long a ticket of the newest lease may live, as an assignment says.
  void longest(Duration ttl);

  // How long one that is sealed now may live.
  Duration lifetime() const;

  struct Admitted {
    Ticket ticket;
    Instant expires;  // at the latest
  };
  // The ticket, if it was sealed for this worker and this client, who proved to hold `key`; else what is wrong with
  // it. Whether it has expired or was spent is for the caller to ask.
  std::variant<Admitted, Fault> read(Instant now, const Bytes& sealed, const std::string& client,
                                     const PublicKey& key) const;

  // The end of a ticket, to be kept: a moment that stays right when the broker's clock, as it was thought to be, is
  // set back, and all its tickets turn out to live longer.
  Instant kept_until(Instant expires) const { return expires - set_back_; }

  // The session is over: its ticket, good until `kept_until`, is not taken again.
  void spend(Instant now, std::uint64_t session, Instant kept_until);
  bool spent(std::uint64_t session) const { return session <= floor_ || used_.contains(session); }

  void check() const;

 private:
  struct Key {
    std::uint64_t lease = 0;
    Bytes key;
    // The broker's clock under this lease: it showed at least `broker_now` at `at`. A broker that was started
    // anew has another.
    Milliseconds broker_now{0};
    Instant at;
    Duration longest{0};
    Instant until = never;  // known until then
  };

  const Key* find(std::uint64_t lease) const;

  Duration memory_;
  std::size_t keys_max_;
  std::size_t used_max_;
  std::deque<Key> keys_;  // oldest first; the last is the current one
  std::deque<std::uint64_t> former_;  // leases of before whose keys are forgotten, or soon: at most former_max
  std::unordered_map<std::uint64_t, Instant> used_;  // session, kept_until()
  std::set<std::pair<Instant, std::uint64_t>> used_by_time_;
  std::uint64_t floor_ = 0;  // sessions up to this one count as used: forgotten for want of room, or too soon
  std::uint64_t forgotten_ = 0;  // the last session that is, because its ticket has expired
  Duration set_back_{0};  // by how much the broker's clock, as it was thought to be, was set back in all
};

}  // namespace pointsman::workers
