// Linked: the workers that a client was given before, and may still have a link to, as their brokers call them.
//
// Of each service at each broker the last few, the one that was given last first. A request names those whose link still
// stands. Beyond a bound of services all are forgotten: the next grants tell them again.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "clients/core/links.hpp"
#include "protocol/must.hpp"

namespace pointsman::clients {

class Linked {
 public:
  explicit Linked(const ClientSettings& settings)
      : most_(std::min(settings.linked_max, limits::linked)), services_most_(settings.linked_services_max) {}

  // That worker serves a session of the service, by this link.
  void given(std::uint64_t broker, const std::string& service, const std::string& worker,
             std::uint64_t link) {
    if (most_ == 0) return;
    const Of of{broker, service};
    if (workers_.size() >= services_most_ && !workers_.contains(of)) workers_.clear();
    auto& workers = workers_[of];
    std::erase_if(workers, [&](const Worker& known) { return known.name == worker; });
    if (workers.size() == most_) workers.pop_back();
    workers.insert(workers.begin(), {worker, link});
  }

  // It does not matter there.
  void forget(std::uint64_t broker, const std::string& service) {
    if (!workers_.empty()) workers_.erase({broker, service});
  }

  // Whom a request names.
  std::vector<std::string> names(std::uint64_t broker, const std::string& service, const Links& links) const {
    std::vector<std::string> names;
    const auto found = workers_.empty() ? workers_.end() : workers_.find({broker, service});
    if (found == workers_.end()) return names;
    for (const Worker& worker : found->second) {
      if (links.stands(worker.link)) names.push_back(worker.name);
    }
    return names;
  }

  void check() const {
    MUST(workers_.size() <= services_most_);
    for (const auto& [of, workers] : workers_) MUST(!workers.empty() && workers.size() <= most_);
  }

 private:
  using Of = std::pair<std::uint64_t, std::string>;  // broker and service
  struct Worker {
    std::string name;
    std::uint64_t link = 0;
  };

  std::size_t most_;
  std::size_t services_most_;
  std::map<Of, std::vector<Worker>> workers_;
};

}  // namespace pointsman::clients
