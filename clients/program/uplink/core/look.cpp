// One look: who is it, if that is not known, and then page after page of its workers.
#include "clients/program/uplink/core/look.hpp"

#include <algorithm>
#include <variant>

#include "protocol/limits.hpp"

namespace pointsman::uplink {

namespace {

// A broker with many workers is not kept busy with telling of them: this share of the time at most. What it takes is what
// the quickest page took, for each page: any other may have been held up by an outage, or a stop. One page alone is little.
constexpr int looks_share = 20;

}  // namespace

Message Look::begin(Instant now) {
  next_ = never;
  began_ = asked_ = now;
  pages_ = 0;
  quickest_ = Duration::max();
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
    ++pages_;
    quickest_ = std::min(quickest_, now - asked_);
    asked_ = now;
    if (!listing->next.empty()) {
      found.question = page(listing->next);
      return found;
    }
    heard_ = now;
    const Duration work = pages_ > 1 ? pages_ * quickest_ : Duration{0};
    next_ = std::max(began_ + std::max(looks_share * work, every_), now);
    found.seen = true;
  } else {
    if (const auto* welcome = std::get_if<Welcome>(&answer)) epoch_ = welcome->epoch;
    asked_ = now;
    found.question = page({});
  }
  return found;
}

}  // namespace pointsman::uplink
