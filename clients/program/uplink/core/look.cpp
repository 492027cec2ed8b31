// One look: who is it, if that is not known, and then page after page of its workers.
#include "clients/program/uplink/core/look.hpp"

#include <algorithm>
#include <variant>

#include "protocol/limits.hpp"

namespace pointsman::uplink {

namespace {

// A broker with many workers is not kept busy with telling of them: this share of the time at most.
constexpr int looks_share = 20;

// And a look that took long for another reason (a stop, a cut) does not put off the next one for longer than so many times `every`.
constexpr int looks_apart = 30;

}  // namespace

Message Look::begin(Instant now) {
  next_ = never;
  began_ = now;
  census_ = Census(endpoint_);
  if (epoch_ == 0) return Hello{};
  return page({});
}

Message Look::page(std::string after) const {
  return List{.of = Subject::workers, .after = std::move(after), .limit = limits::rows};
}

Look::Found Look::hear(Instant now, const Message& answer) {
  Found found;
  if (const auto* refused = std::get_if<Refused>(&answer)) {
    epoch_ = 0;
    next_ = now + every_;
    if (now - heard_ >= patience_) found.lost = *refused;
  } else if (const auto* listing = std::get_if<Listing>(&answer)) {
    for (const WorkerRow& row : listing->workers) census_.add(row);
    if (!listing->next.empty()) {
      found.question = page(listing->next);
      return found;
    }
    heard_ = now;
    next_ = began_ + std::clamp<Duration>(looks_share * (heard_ - began_), every_, looks_apart * every_);
    found.seen = true;
  } else {
    if (const auto* welcome = std::get_if<Welcome>(&answer)) epoch_ = welcome->epoch;
    found.question = page({});
  }
  return found;
}

}  // namespace pointsman::uplink
