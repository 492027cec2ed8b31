// Names for addresses.

#include "test/scenarios/stages.hpp"

namespace pointsman::scenarios {

const Address& Names::meet(const std::string& name, Door door) {
  const auto [found, added] = addresses_.try_emplace(name);
  if (added) found->second = Address{door, Codec::msgpack, ++last_, {}};
  return found->second;
}

void Names::rename(const std::string& name, const Address& address) { addresses_[name] = address; }

const Address* Names::find(const std::string& name) const {
  const auto found = addresses_.find(name);
  return found == addresses_.end() ? nullptr : &found->second;
}

PublicKey Names::key(const std::string& who, const std::string& key) {
  if (!key.empty()) keys_[who] = key_named(key);
  const auto found = keys_.find(who);
  return found == keys_.end() ? PublicKey{} : found->second;
}

std::string Names::of(const Address& address) const {
  for (const auto& [name, known] : addresses_)
    if (known.door == address.door && known.peer == address.peer) return name;
  return "nobody";
}

}  // namespace pointsman::scenarios
