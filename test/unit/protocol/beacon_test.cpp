// Shows the datagrams by which brokers are found: what is in them, and what does not count.
#include "protocol/beacon.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "protocol/limits.hpp"

using namespace pointsman;

namespace {

const Bytes none;
const Bytes ours{std::string(32, 'r')};
const Bytes theirs{std::string(32, 't')};

Nonce nonce() {
  Nonce nonce{};
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::uint8_t>(i + 1);
  return nonce;
}

const Question question{.nonce = nonce(), .group = "lab", .service = "zip", .when = "gpu == h200"};

Answer answer() {
  Answer answer{.nonce = nonce(), .group = "lab", .broker = "b", .clients = "tcp://10.0.0.1:5570"};
  answer.workers = "tcp://10.0.0.1:5571";
  answer.key.bytes.fill(7);
  answer.epoch = 1'700'000'000'000'000;
  answer.lease_ms = Milliseconds(10'000);
  return answer;
}

BeaconFault fault(const std::string& datagram, const Bytes& realm) {
  const Beacon beacon = decode_beacon(datagram, realm);
  const auto* fault = std::get_if<BeaconFault>(&beacon);
  return fault == nullptr ? BeaconFault::count_ : *fault;
}

}  // namespace

TEST_CASE("questions and answers arrive as they were sent, sealed or not") {
  for (const Bytes& realm : {none, ours}) {
    CHECK(std::get<Question>(decode_beacon(encode_question(question, realm), realm)) == question);
    CHECK(std::get<Answer>(decode_beacon(encode_answer(answer(), realm), realm)) == answer());
  }
  const Question anybody{.nonce = nonce(), .group = "", .service = ""};
  CHECK(std::get<Question>(decode_beacon(encode_question(anybody, ours), ours)) == anybody);
  const Answer least{.group = "g"};
  CHECK(std::get<Answer>(decode_beacon(encode_answer(least, none), none)) == least);
}

TEST_CASE("no answer is longer than its question, whatever is in it") {
  Answer longest = answer();
  longest.group = longest.broker = std::string(limits::name, 'x');
  longest.clients = longest.workers = std::string(limits::endpoint, 'x');
  for (const Bytes& realm : {none, ours}) {
    CHECK(encode_answer(longest, realm).size() <= encode_question(question, realm).size());
    CHECK(std::get<Answer>(decode_beacon(encode_answer(longest, realm), realm)) == longest);
  }
  // And one that is cut short is none.
  CHECK(fault(encode_question(question, none).substr(0, 200), none) == BeaconFault::no_beacon);
}

TEST_CASE("what is not sealed with the realm's key does not count") {
  CHECK(fault(encode_answer(answer(), ours), theirs) == BeaconFault::other_realm);
  CHECK(fault(encode_answer(answer(), none), ours) == BeaconFault::unsealed);
  CHECK(fault(encode_answer(answer(), ours), none) == BeaconFault::sealed);
  CHECK(fault(encode_question(question, theirs), ours) == BeaconFault::other_realm);
}

TEST_CASE("a sealed answer is good as it is and in no other way") {
  const std::string good = encode_answer(answer(), ours);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char change : {'\x01', '\x80'}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ change);
      CHECK(std::holds_alternative<BeaconFault>(decode_beacon(bad, ours)));
    }
    CHECK(std::holds_alternative<BeaconFault>(decode_beacon(good.substr(0, i), ours)));
  }
  CHECK(std::holds_alternative<BeaconFault>(decode_beacon(good + '\0', ours)));
}

TEST_CASE("an answer that is damaged and not sealed is at least within its bounds") {
  const std::string good = encode_answer(answer(), none);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string bad = good;
      bad[i] = static_cast<char>(value);
      const Beacon beacon = decode_beacon(bad, none);
      const auto* read = std::get_if<Answer>(&beacon);
      if (read == nullptr) continue;
      CHECK(read->group.size() <= limits::name);
      CHECK(read->clients.size() <= limits::endpoint);
      CHECK(encode_answer(*read, none) == bad);
    }
  }
}

TEST_CASE("the example in PROTOCOL.md is what is sent") {
  std::ifstream file(std::string(POINTSMAN_SOURCE_DIR) + "/protocol/PROTOCOL.md");
  std::stringstream document;
  document << file.rdbuf();
  const std::string all = document.str();
  const auto from = all.find("<!-- beacon -->\n```\n");
  REQUIRE(from != std::string::npos);
  std::istringstream hex(all.substr(from + 20, all.find("```", from + 20) - from - 20));
  std::string bytes;
  for (std::string byte; hex >> byte;) bytes += static_cast<char>(std::stoi(byte, nullptr, 16));
  Answer example{
      .nonce = nonce(), .group = "lab", .broker = "b", .clients = "tcp://10.0.0.1:5570", .epoch = 1};
  example.lease_ms = Milliseconds(10'000);
  CHECK(encode_answer(example, none) == bytes);
}

TEST_CASE("a datagram of another version is told from one of another program") {
  std::string later = encode_answer(answer(), none);
  later[4] = 2;
  CHECK(fault(later, none) == BeaconFault::other_version);
  CHECK(fault("M-SEARCH * HTTP/1.1\r\n", none) == BeaconFault::no_beacon);
  CHECK(fault("", none) == BeaconFault::no_beacon);
  for (int i = 0; i < static_cast<int>(BeaconFault::count_); ++i)
    CHECK(explain(static_cast<BeaconFault>(i)) != "");
}
