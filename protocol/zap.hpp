// Zap: who is let in, decided from a request of ZeroMQ's authentication protocol (ZAP, RFC 27) and the
// listener's rule.
//
// libzmq asks once per connection, while it shakes hands and before the peer can send anything else. Pure
// functions and values: the sockets are the transport's. A request that cannot be understood is refused.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/allowed.hpp"

namespace pointsman {

// What a socket lets in.
struct GateRule {
  bool secured = false;    // CURVE; otherwise no encryption and anybody
  bool strangers = false;  // secured, but with any key: what they bring (a ticket) decides
  Roles roles;             // that a key needs one of, unless strangers
};

// What became of a request to be let in.
enum class Entry : std::uint8_t {
  admitted,
  malformed,  // no ZAP request, or of a socket that is not there any more
  mechanism,  // not encrypted where it must be
  unknown,    // the key is in no file
  revoked,
  expired,
  wrong_role,
  too_many,  // connections of this key
  broken,    // the handshake: another key of the listener was expected, or something else than ZMTP spoken
  count_
};
template <>
struct Words<Entry> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Entry::count_)> list{
      "admitted", "malformed", "mechanism", "unknown", "revoked", "expired", "wrong-role", "too-many", "broken"};
};

// How many, by what became of them.
using EntryCounts = std::array<std::uint64_t, static_cast<std::size_t>(Entry::count_)>;

// Why, for people, with the remedy of whoever runs the listener.
std::string explain(Entry entry);

struct ZapRequest {
  std::string_view id;
  std::string_view domain;
  std::string_view address;
  std::string_view mechanism;
  std::string_view credentials;  // the first of them; a key of 32 bytes with CURVE
  bool understood = false;
};

// `frames`: all of the request behind the empty frame. The views are of them.
ZapRequest read_zap_request(const std::vector<std::string>& frames);

// By the key alone: its standing and its roles.
Entry judge_key(const GateRule& rule, const AllowedKeys* allowed, const PublicKey& key);

// All but the number of connections. `key`: the one that was proved, none without encryption.
Entry judge(const ZapRequest& request, const GateRule& rule, const AllowedKeys* allowed, PublicKey& key);

// The reply's frames behind the empty one. User-Id is the key in Z85; the status is 200, 400 for all that a
// peer can only change by another key, and 500 for too many connections.
std::vector<std::string> zap_reply(std::string_view id, Entry entry, const PublicKey& key);

}  // namespace pointsman
