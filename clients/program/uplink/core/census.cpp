// Which workers are of one class.
#include "clients/program/uplink/core/census.hpp"

#include <algorithm>

namespace pointsman::uplink {

namespace {

// Each text with its length in front: no two classes have the same.
void append(std::string& key, std::string_view text) {
  key += std::to_string(text.size()) + ":" + std::string(text);
}

std::string key_of(const WorkerClass& one) {
  std::string key;
  for (const std::string& service : one.services) append(key, service);
  key += "/";
  append(key, shown(one.attributes));
  append(key, one.accepts);
  return key;
}

}  // namespace

void Census::add(const WorkerRow& row) {
  if (row.state != State::alive || row.services.empty() || row.slots == 0) return;
  if (row.direct == Direct::broker && row.endpoint == own_endpoint_) return;
  WorkerClass one{.services = row.services, .attributes = row.attributes, .accepts = row.accepts};
  std::sort(one.services.begin(), one.services.end());
  const auto at = classes_.try_emplace(key_of(one), std::move(one)).first;
  at->second.slots += row.slots;
  at->second.used += row.used;
}

}  // namespace pointsman::uplink
