// Version 1.0, mechanisms NULL and CURVE.
#include "protocol/zap.hpp"

#include <algorithm>
#include <cstring>

namespace pointsman {

namespace {

constexpr std::string_view version = "1.0";
constexpr std::size_t fixed_frames = 6;  // version, id, domain, address, identity, mechanism

}  // namespace

std::string explain(Entry entry) {
  switch (entry) {
    case Entry::admitted: return "it was let in";
    case Entry::malformed: return "its request to be let in cannot be understood";
    case Entry::mechanism: return "it does not encrypt, and this listener asks for it";
    case Entry::unknown: return "its key is not allowed here; `pointsman keys allow` allows it";
    case Entry::revoked: return "its key was revoked";
    case Entry::expired: return "its key's time is over; give it a later `until`, or none";
    case Entry::wrong_role:
      return "its key has no role for this listener; add the role to its line in the file of allowed keys";
    case Entry::too_many: return "its key has all the connections that its quota allows";
    case Entry::broken: return "its handshake broke off: it expects another key here, or speaks something else";
    case Entry::count_: break;
  }
  return {};
}

ZapRequest read_zap_request(const std::vector<std::string>& frames) {
  ZapRequest request;
  if (frames.size() < fixed_frames || frames[0] != version) return request;
  request.id = frames[1];
  request.domain = frames[2];
  request.address = frames[3];
  request.mechanism = frames[5];
  if (frames.size() > fixed_frames) request.credentials = frames[fixed_frames];
  request.understood = frames.size() == fixed_frames + (request.mechanism == "CURVE" ? 1U : 0U) ||
                       (request.mechanism != "CURVE" && request.mechanism != "NULL");
  return request;
}

Entry judge_key(const GateRule& rule, const AllowedKeys* allowed, const PublicKey& key) {
  if (rule.strangers) return Entry::admitted;
  const Allowance* found = allowed != nullptr ? allowed->find(key) : nullptr;
  if (found == nullptr) return Entry::unknown;
  if (found->standing == Standing::revoked) return Entry::revoked;
  if (found->standing == Standing::expired) return Entry::expired;
  return found->roles.has_any(rule.roles) ? Entry::admitted : Entry::wrong_role;
}

Entry judge(const ZapRequest& request, const GateRule& rule, const AllowedKeys* allowed, PublicKey& key) {
  key = {};
  if (!request.understood) return Entry::malformed;
  if (!rule.secured) return request.mechanism == "NULL" ? Entry::admitted : Entry::mechanism;
  if (request.mechanism != "CURVE") return Entry::mechanism;
  if (request.credentials.size() != key.bytes.size()) return Entry::malformed;
  std::memcpy(key.bytes.data(), request.credentials.data(), key.bytes.size());
  if (key.none()) return Entry::unknown;
  return judge_key(rule, allowed, key);
}

std::vector<std::string> zap_reply(std::string_view id, Entry entry, const PublicKey& key) {
  const char* status = entry == Entry::admitted ? "200" : entry == Entry::too_many ? "500" : "400";
  const bool named = entry == Entry::admitted && !key.none();
  return {std::string(version),
          std::string(id),
          status,
          std::string(Words<Entry>::list[static_cast<std::size_t>(entry)]),
          named ? to_z85(key) : std::string(),
          std::string()};
}

}  // namespace pointsman
