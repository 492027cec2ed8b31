// Fuzzes requests to be let in: nobody enters a secured listener without a key that is allowed there.

#include "protocol/zap.hpp"

#include "protocol/must.hpp"
#include "test/fuzz/input.hpp"
#include "test/fuzz/list.hpp"

namespace pointsman::fuzz {

namespace {

PublicKey key_like(char byte) {
  PublicKey key;
  key.bytes.fill(static_cast<std::uint8_t>(byte));
  return key;
}

const AllowedKeys& allowed() {
  static const AllowedKeys keys([] {
    std::vector<Allowance> list(4);
    for (std::size_t i = 0; i < list.size(); ++i) {
      list[i].key = key_like(static_cast<char>('a' + i));
      list[i].name = std::string(1, static_cast<char>('a' + i));
    }
    list[0].roles = {Role::client};
    list[1].roles = {Role::worker, Role::admin};
    list[2].roles = {Role::client};
    list[2].standing = Standing::revoked;
    list[3].roles = {Role::client};
    list[3].standing = Standing::expired;
    return list;
  }());
  return keys;
}

std::string seed_of(char rule, const std::vector<std::string>& frames) {
  std::string seed(1, rule);
  for (const std::string& frame : frames) seed += static_cast<char>(frame.size()) + frame;
  return seed;
}

}  // namespace

void run_zap(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t how = input.byte();
  GateRule rule;
  rule.secured = (how & 1) != 0;
  rule.strangers = (how & 2) != 0;
  rule.roles = (how & 4) != 0 ? Roles{Role::worker} : Roles{Role::client, Role::admin};
  std::vector<std::string> frames;
  while (!input.empty() && frames.size() < 20) frames.emplace_back(input.take(input.byte()));

  const ZapRequest request = read_zap_request(frames);
  PublicKey key = key_like('z');
  const Entry entry = judge(request, rule, (how & 8) != 0 ? &allowed() : nullptr, key);
  MUST(entry < Entry::count_ && !explain(entry).empty());
  if (entry == Entry::admitted) {
    MUST(request.understood);
    if (rule.secured) MUST(request.mechanism == "CURVE" && request.credentials.size() == 32 && !key.none());
    if (rule.secured && !rule.strangers) {
      MUST((how & 8) != 0);
      const Allowance* who = allowed().find(key);
      MUST(who && who->standing == Standing::good && who->roles.has_any(rule.roles));
    }
  }
  const auto reply = zap_reply(request.id, entry, key);
  MUST(reply.size() == 6 && reply[1] == request.id);
  MUST((reply[2] == "200") == (entry == Entry::admitted));
}

std::vector<std::string> zap_seeds() {
  std::vector<std::string> seeds;
  for (const char rule : {'\x00', '\x01', '\x03', '\x09', '\x0b', '\x0d'}) {
    for (const char key : {'a', 'b', 'c', 'd', 'e', '\0'}) {
      seeds.push_back(seed_of(rule, {"1.0", "1", "domain", "127.0.0.1", "", "CURVE", std::string(32, key)}));
    }
    seeds.push_back(seed_of(rule, {"1.0", "1", "domain", "127.0.0.1", "", "NULL"}));
    seeds.push_back(seed_of(rule, {"1.0", "1", "domain", "127.0.0.1", "", "PLAIN", "user", "word"}));
    seeds.push_back(seed_of(rule, {"2.0", "1"}));
  }
  return seeds;
}

}  // namespace pointsman::fuzz
