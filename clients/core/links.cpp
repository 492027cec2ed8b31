// Links: made, shared, kept and closed.
#include "clients/core/links.hpp"

#include "protocol/must.hpp"

namespace pointsman::clients {

std::uint64_t Links::take(const std::string& endpoint, const std::string& key, const Holder& holder,
                          Instant now, Actions& out) {
  const Name name{endpoint, key};
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) {
    share(found->second, holder);
    return found->second;
  }
  const std::uint64_t link = ++last_;
  Link made;
  made.name = name;
  made.holders.insert(holder);
  links_.emplace(link, std::move(made));
  by_name_.emplace(name, link);
  out.emplace_back(Connect{link, endpoint, key});
  trim(now, out);
  return link;
}

void Links::share(std::uint64_t link, const Holder& holder) {
  Link& shared = links_.at(link);
  if (shared.holders.empty()) unused_.erase(shared.unused);
  MUST(shared.holders.insert(holder).second);
}

void Links::give(std::uint64_t link, const Holder& holder, bool dead, Instant now, Actions& out) {
  Link& given = links_.at(link);
  MUST(given.holders.erase(holder) == 1);
  if (!given.holders.empty()) return;
  given.unused = unused_.insert(unused_.end(), link);
  given.until = now + idle_;
  if (dead) return close(link, out);
  trim(now, out);
}

std::uint64_t Links::replace(std::uint64_t link, Actions& out) {
  const auto found = links_.find(link);
  if (found == links_.end()) return 0;
  if (found->second.holders.empty()) {
    close(link, out);
    return 0;
  }
  const std::uint64_t next = ++last_;
  Link moved = std::move(found->second);
  links_.erase(found);
  by_name_[moved.name] = next;
  out.emplace_back(Disconnect{link});
  out.emplace_back(Connect{next, moved.name.first, moved.name.second});
  links_.emplace(next, std::move(moved));
  return next;
}

std::vector<Holder> Links::holders(std::uint64_t link) const {
  const auto found = links_.find(link);
  if (found == links_.end()) return {};
  return {found->second.holders.begin(), found->second.holders.end()};
}

void Links::tend(Instant now, Actions& out) {
  trim(now, out);
}

Instant Links::deadline() const {
  return unused_.empty() ? never : links_.at(unused_.front()).until;
}

void Links::trim(Instant now, Actions& out) {
  while (!unused_.empty() && (links_.size() > most_ || links_.at(unused_.front()).until <= now)) {
    close(unused_.front(), out);
  }
}

void Links::close(std::uint64_t link, Actions& out) {
  const auto found = links_.find(link);
  MUST(found->second.holders.empty());
  unused_.erase(found->second.unused);
  by_name_.erase(found->second.name);
  links_.erase(found);
  out.emplace_back(Disconnect{link});
}

void Links::check() const {
  MUST(by_name_.size() == links_.size());
  for (const auto& [name, link] : by_name_) MUST(links_.at(link).name == name);
  std::size_t unused = 0;
  for (const auto& [link, state] : links_) unused += state.holders.empty() ? 1U : 0U;
  MUST(unused == unused_.size());
  for (const auto link : unused_) MUST(links_.at(link).holders.empty());
  MUST(unused == 0 || links_.size() <= most_);
}

}  // namespace pointsman::clients
