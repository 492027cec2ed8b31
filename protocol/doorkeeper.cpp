// One lock: handshakes are rare and decided in a microsecond.
#include "protocol/doorkeeper.hpp"

#include <utility>

namespace pointsman {

namespace {

std::string_view word_of(Door door) {
  switch (door) {
    case Door::clients: return "client";
    case Door::workers: return "worker";
    case Door::broker: return "broker";
    case Door::supervisor: return "supervisor";
    case Door::direct: break;
  }
  return "direct";
}

}  // namespace

std::string Doorkeeper::open(Door door, const GateRule& rule, std::function<void()> ring) {
  const std::lock_guard lock(mutex_);
  std::string domain = "pointsman." + std::string(word_of(door)) + "." + std::to_string(++opened_);
  Gate gate{.door = door, .rule = rule, .ring = std::move(ring)};
  gates_.emplace(domain, std::move(gate));
  return domain;
}

void Doorkeeper::close(const std::string& domain) {
  const std::lock_guard lock(mutex_);
  gates_.erase(domain);
}

void Doorkeeper::allow(const std::string& domain, std::shared_ptr<const AllowedKeys> allowed) {
  const std::lock_guard lock(mutex_);
  if (const auto found = gates_.find(domain); found != gates_.end())
    found->second.allowed = std::move(allowed);
}

void Doorkeeper::limit(const std::string& domain, std::function<bool(const Allowance&)> has_room) {
  const std::lock_guard lock(mutex_);
  if (const auto found = gates_.find(domain); found != gates_.end())
    found->second.has_room = std::move(has_room);
}

std::vector<std::string> Doorkeeper::answer(const std::vector<std::string>& request) {
  const ZapRequest read = read_zap_request(request);
  PublicKey key;
  Entry entry = Entry::malformed;
  const std::lock_guard lock(mutex_);
  const auto found = gates_.find(read.domain);
  if (found != gates_.end()) {
    Gate& gate = found->second;
    entry = judge(read, gate.rule, gate.allowed.get(), key);
    if (entry == Entry::admitted && gate.has_room && gate.allowed) {
      const Allowance* who = gate.allowed->find(key);
      if (who != nullptr && !gate.has_room(*who)) entry = Entry::too_many;
    }
    ++gate.counts[static_cast<std::size_t>(entry)];
    if (entry != Entry::admitted && gate.turned.size() < turned_max) {
      gate.turned.push_back({gate.door, key, entry, std::string(read.address)});
      if (gate.turned.size() == 1 && gate.ring) gate.ring();
    }
  }
  return zap_reply(read.id, entry, key);
}

std::vector<Turned> Doorkeeper::take(const std::string& domain) {
  const std::lock_guard lock(mutex_);
  const auto found = gates_.find(domain);
  return found == gates_.end() ? std::vector<Turned>{} : std::exchange(found->second.turned, {});
}

EntryCounts Doorkeeper::counts(const std::string& domain) const {
  const std::lock_guard lock(mutex_);
  const auto found = gates_.find(domain);
  return found == gates_.end() ? EntryCounts{} : found->second.counts;
}

}  // namespace pointsman
