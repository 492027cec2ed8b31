// Shows whom a gate lets in, and that everything that is not understood stays outside.
#include "protocol/zap.hpp"

#include <doctest/doctest.h>

#include "protocol/doorkeeper.hpp"

using namespace pointsman;

namespace {

PublicKey key_number(std::uint8_t number) {
  PublicKey key;
  key.bytes.fill(number);
  return key;
}

std::shared_ptr<const AllowedKeys> house() {
  std::vector<Allowance> list{
      {.key = key_number(1), .name = "client", .roles = {Role::client}, .connections = 2},
      {.key = key_number(2), .name = "worker", .roles = {Role::worker}},
      {.key = key_number(3), .name = "was", .roles = {Role::client}, .standing = Standing::revoked},
      {.key = key_number(4), .name = "late", .roles = {Role::client}, .until = 100}};
  return std::make_shared<const AllowedKeys>(AllowedKeys(std::move(list)).at(100));
}

std::vector<std::string> request(const std::string& domain, const std::string& mechanism,
                                 const std::string& credentials) {
  std::vector<std::string> frames{"1.0", "1", domain, "10.0.0.7", "", mechanism};
  if (mechanism != "NULL") frames.push_back(credentials);
  return frames;
}

std::string text_of(const PublicKey& key) { return {key.bytes.begin(), key.bytes.end()}; }

const GateRule clients{.secured = true, .roles = {Role::client, Role::admin}};

Entry judged(const std::vector<std::string>& frames, const GateRule& rule) {
  PublicKey key;
  return judge(read_zap_request(frames), rule, house().get(), key);
}

}  // namespace

TEST_CASE("a gate lets in the keys that are allowed and have a role for it, and no others") {
  CHECK(judged(request("d", "CURVE", text_of(key_number(1))), clients) == Entry::admitted);
  CHECK(judged(request("d", "CURVE", text_of(key_number(2))), clients) == Entry::wrong_role);
  CHECK(judged(request("d", "CURVE", text_of(key_number(3))), clients) == Entry::revoked);
  CHECK(judged(request("d", "CURVE", text_of(key_number(4))), clients) == Entry::expired);
  CHECK(judged(request("d", "CURVE", text_of(key_number(5))), clients) == Entry::unknown);
  CHECK(judged(request("d", "CURVE", text_of(key_number(0))), clients) == Entry::unknown);
}

TEST_CASE("a gate that was told no keys lets nobody in") {
  PublicKey key;
  CHECK(judge(read_zap_request(request("d", "CURVE", text_of(key_number(1)))), clients, nullptr, key) ==
        Entry::unknown);
}

TEST_CASE("a gate that encrypts lets nobody in who does not") {
  CHECK(judged(request("d", "NULL", ""), clients) == Entry::mechanism);
  CHECK(judged(request("d", "PLAIN", "x"), clients) == Entry::mechanism);
  CHECK(judged(request("d", "NULL", ""), {}) == Entry::admitted);
  CHECK(judged(request("d", "CURVE", text_of(key_number(1))), {}) == Entry::mechanism);
}

TEST_CASE("a gate for strangers takes any key, but a key") {
  const GateRule strangers{.secured = true, .strangers = true};
  CHECK(judged(request("d", "CURVE", text_of(key_number(9))), strangers) == Entry::admitted);
  CHECK(judged(request("d", "CURVE", text_of(key_number(0))), strangers) == Entry::unknown);
  CHECK(judged(request("d", "NULL", ""), strangers) == Entry::mechanism);
}

TEST_CASE("a request to be let in that cannot be understood is refused") {
  const auto good = request("d", "CURVE", text_of(key_number(1)));
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(judged({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}, clients) ==
          Entry::malformed);
  }
  auto longer = good;
  longer.emplace_back("more");
  CHECK(judged(longer, clients) == Entry::malformed);
  auto version = good;
  version[0] = "2.0";
  CHECK(judged(version, clients) == Entry::malformed);
  CHECK(judged(request("d", "CURVE", "short"), clients) == Entry::malformed);
}

TEST_CASE("the doorkeeper answers for each gate by its own rule, and counts") {
  Doorkeeper doorkeeper;
  int rung = 0;
  const auto a = doorkeeper.open(Door::clients, clients, [&] { ++rung; });
  const auto b = doorkeeper.open(Door::workers, {.secured = true, .roles = {Role::worker}}, {});
  CHECK(a != b);
  const auto status = [&](const std::string& domain, std::uint8_t key) {
    return doorkeeper.answer(request(domain, "CURVE", text_of(key_number(key)))).at(2);
  };
  CHECK(status(a, 1) == "400");  // told no keys yet
  doorkeeper.allow(a, house());
  doorkeeper.allow(b, house());
  const auto reply = doorkeeper.answer(request(a, "CURVE", text_of(key_number(1))));
  CHECK(reply == std::vector<std::string>{"1.0", "1", "200", "admitted", to_z85(key_number(1)), ""});
  CHECK(status(b, 1) == "400");
  CHECK(status(b, 2) == "200");
  CHECK(status("nowhere", 1) == "400");
  CHECK(doorkeeper.answer({}).at(2) == "400");

  CHECK(rung == 1);
  const auto turned = doorkeeper.take(a);
  REQUIRE(turned.size() == 1);
  CHECK(turned[0].door == Door::clients);
  CHECK(turned[0].key == key_number(1));
  CHECK(turned[0].entry == Entry::unknown);
  CHECK(turned[0].address == "10.0.0.7");
  CHECK(doorkeeper.take(a).empty());
  CHECK(status(a, 3) == "400");
  CHECK(rung == 2);
  CHECK(doorkeeper.counts(a)[static_cast<std::size_t>(Entry::admitted)] == 1);
  CHECK(doorkeeper.counts(a)[static_cast<std::size_t>(Entry::revoked)] == 1);

  doorkeeper.limit(a, [](const Allowance&) { return false; });
  CHECK(status(a, 1) == "500");
  doorkeeper.close(a);
  CHECK(status(a, 1) == "400");
}

TEST_CASE("the doorkeeper keeps a bounded number of those it turned away, and counts them all") {
  Doorkeeper doorkeeper;
  const auto gate = doorkeeper.open(Door::clients, clients, {});
  for (int i = 0; i < 1000; ++i) doorkeeper.answer(request(gate, "CURVE", text_of(key_number(7))));
  CHECK(doorkeeper.take(gate).size() == 64);
  CHECK(doorkeeper.counts(gate)[static_cast<std::size_t>(Entry::unknown)] == 1000);
}
