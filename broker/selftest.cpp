// The listener's side runs on threads of its own, so that both can be tried by one.
#include "broker/selftest.hpp"

#include <chrono>
#include <optional>

#include "protocol/transport.hpp"

namespace pointsman::broker {

PublicKey test_lock(const std::string& endpoint, const PublicKey& server) {
  const SharedKeyPair stranger = make_key_pair();
  Transport transport;
  std::optional<Handshake> told;
  const std::uint64_t peer = transport.connect(Door::broker, endpoint, {}, {.own = stranger, .server = server});
  transport.on_handshake(peer, [&](const Handshake& handshake) { told = handshake; });
  const Instant end = now() + std::chrono::seconds(5);
  while (!told && now() < end) transport.turn(end, [](Incoming&&) {});
  if (told && told->result == Handshake::Result::refused) return stranger->key;
  const std::string found = !told                                     ? "it did not answer"
                            : told->result == Handshake::Result::done ? "a key made by chance was let in"
                                                                      : told->reason;
  throw TransportError(
      "endpoint '" + endpoint + "': self-test failed: " + found +
      "; nothing is served, for strangers might be let in. Is libzmq here built with CURVE?");
}

}  // namespace pointsman::broker
