// Beacons: the datagrams by which brokers are found, a question to all and an answer by each that it is for.
//
// Fixed layout, big-endian; PROTOCOL.md, "Finding brokers", has it. A question is as long as the longest answer
// may be, so that nobody can be flooded with answers at the price of a few questions. With a realm key both are
// sealed by keyed BLAKE2b-256: what is not sealed with it does not count. An answer repeats the nonce of its
// question, and so is good for that one only. Pure functions, thread safe.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/bytes.hpp"
#include "protocol/finding.hpp"
#include "protocol/key.hpp"
#include "protocol/words.hpp"

namespace pointsman {

using Nonce = std::array<std::uint8_t, limits::nonce>;

// Which brokers are there?
struct Question {
  Nonce nonce{};
  std::string group;    // at most limits::name bytes; empty: of all groups
  std::string service;  // only those where this is offered; empty: all
  std::string when;     // by a worker that meets this condition, at most limits::question_condition bytes; empty: any

  friend bool operator==(const Question&, const Question&) = default;
};

// I am. Texts have no control characters.
struct Answer {
  Nonce nonce{};  // of the question
  std::string group;
  std::string broker;   // a name for people
  std::string clients;  // the listeners, as whoever asked can reach them; empty: not from there
  std::string workers;
  PublicKey key;  // none: it does not encrypt
  std::uint64_t epoch = 0;
  Milliseconds lease_ms{0};  // how long this holds

  friend bool operator==(const Answer&, const Answer&) = default;
};

enum class BeaconFault : std::uint8_t {
  no_beacon,  // something else, or damaged
  other_version,
  unsealed,     // and we have a realm key
  sealed,       // and we have none
  other_realm,  // sealed with another key, or altered
  count_
};
std::string_view explain(BeaconFault fault);

// `realm` is 32 bytes, or empty: nothing is sealed. Texts within their bounds.
std::string encode_question(const Question& question, const Bytes& realm);
std::string encode_answer(const Answer& answer, const Bytes& realm);

using Beacon = std::variant<Question, Answer, BeaconFault>;
Beacon decode_beacon(std::string_view datagram, const Bytes& realm);

}  // namespace pointsman
