// Tickets: read with the key of their lease, and spent once.
#include "workers/core/admission.hpp"

#include <algorithm>

#include "protocol/must.hpp"

namespace pointsman::workers {

namespace {

// Former leases whose tickets are told from those of other workers.
constexpr std::size_t former_max = 64;
// What the broker's clock, as it is thought to be, is set back by at most at a time: no ticket is good for longer.
constexpr Duration step_max{std::chrono::hours(24)};

}  // namespace

Admission::Admission(Duration memory, std::size_t keys_max, std::size_t used_max)
    : memory_(memory), keys_max_(keys_max), used_max_(used_max) {
  MUST(keys_max >= 1 && used_max >= 1);
}

void Admission::add_key(Instant now, std::uint64_t lease, const Bytes& key, Milliseconds broker_now) {
  if (!keys_.empty()) {
    keys_.back().until = now + std::max(memory_, keys_.back().longest);
    if (former_.size() == former_max) former_.pop_front();
    former_.push_back(keys_.back().lease);
  }
  std::erase_if(keys_, [&](const Key& known) { return known.until < now || known.lease == lease; });
  if (keys_.size() == keys_max_) keys_.pop_front();
  keys_.push_back({.lease = lease, .key = key, .broker_now = broker_now, .at = now});
}

bool Admission::knows(std::uint64_t lease) const { return find(lease) != nullptr; }

void Admission::clock(Instant now, Milliseconds broker_now, Instant asked) {
  if (keys_.empty()) return;
  // The message that took the shortest way is the nearest to the truth, and none is ahead of it.
  Key& key = keys_.back();
  const Duration thought = key.broker_now + (now - key.at);
  // Unless the clock stood still since, as one does while its machine sleeps: an answer that was written after its
  // question was sent says so. Otherwise all tickets would look expired from then on.
  const bool behind = asked != Instant::min() && thought > broker_now + Milliseconds(1) + (now - asked);
  if (thought < broker_now || behind) {
    // Tickets live longer than was thought, and those that were taken for expired may not be: what was spent stays so.
    if (behind) {
      set_back_ += std::min<Duration>(thought - broker_now, step_max);
      floor_ = std::max(floor_, forgotten_);
    }
    key.broker_now = broker_now;
    key.at = now;
  }
}

void Admission::longest(Duration ttl) {
  if (!keys_.empty()) keys_.back().longest = std::max(keys_.back().longest, ttl);
}

Duration Admission::lifetime() const {
  const bool known = !keys_.empty() && keys_.back().longest > Duration(0);
  return known ? keys_.back().longest : memory_;
}

const Admission::Key* Admission::find(std::uint64_t lease) const {
  const auto found = std::find_if(keys_.rbegin(), keys_.rend(), [&](const Key& key) { return key.lease == lease; });
  return found == keys_.rend() ? nullptr : &*found;
}

std::variant<Admission::Admitted, Fault> Admission::read(Instant now, const Bytes& sealed, const std::string& client,
                                                         const PublicKey& shown_by) const {
  const auto lease = lease_of(sealed);
  if (!lease) return Fault{Code::bad_ticket, "the ticket has not the form of one"};
  const Key* key = find(*lease);
  if (!key || key->until < now) {
    if (key || std::find(former_.begin(), former_.end(), *lease) != former_.end()) {
      return Fault{Code::old_ticket, "the ticket is for lease " + std::to_string(*lease) + ", which was given up long ago"};
    }
    return Fault{Code::foreign_ticket, "the ticket is for lease " + std::to_string(*lease) + ", which is not this worker's"};
  }
  const auto ticket = unseal(sealed, key->key);
  if (!ticket || ticket->lease != *lease) return Fault{Code::forged_ticket, "the ticket's seal is not right"};
  if (ticket->holder != holder_of(client)) {
    return Fault{Code::stolen_ticket, "the ticket is for another client than \"" + client + "\""};
  }
  if (ticket->key != shown_by) return Fault{Code::stolen_ticket, "the ticket was granted to another key"};
  const Duration left = ticket->issued_ms + ticket->ttl_ms - key->broker_now;
  return Admitted{*ticket, key->at + left};
}

void Admission::spend(Instant now, std::uint64_t session, Instant kept_until) {
  while (!used_by_time_.empty() && used_by_time_.begin()->first + set_back_ < now) {
    forgotten_ = std::max(forgotten_, used_by_time_.begin()->second);
    used_.erase(used_by_time_.begin()->second);
    used_by_time_.erase(used_by_time_.begin());
  }
  if (kept_until + set_back_ < now) {
    forgotten_ = std::max(forgotten_, session);
    return;
  }
  if (const auto known = used_.find(session); known != used_.end()) {
    used_by_time_.erase({known->second, session});
  } else if (used_.size() == used_max_) {
    // Better to turn away a few that are good than to let one in twice: sessions are numbered in order.
    const auto oldest = used_by_time_.begin();
    floor_ = std::max(floor_, oldest->second);
    used_.erase(oldest->second);
    used_by_time_.erase(oldest);
  }
  used_[session] = kept_until;
  used_by_time_.emplace(kept_until, session);
}

void Admission::check() const {
  MUST(keys_.size() <= keys_max_);
  MUST(former_.size() <= former_max);
  MUST(used_.size() <= used_max_);
  MUST(used_.size() == used_by_time_.size());
  for (const auto& [expires, session] : used_by_time_) MUST(used_.at(session) == expires);
}

}  // namespace pointsman::workers
