// Tickets: what a client shows a worker to be let in. Sealed by the broker, checked by the worker alone.
//
// Fixed layout, big-endian, authenticated with keyed BLAKE2b-256 (libsodium crypto_generichash) under a key
// that only the broker and that worker under that lease know. Pure functions, thread safe. Layout and rules:
// PROTOCOL.md, "Tickets".

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/bytes.hpp"
#include "protocol/key.hpp"
#include "protocol/messages.hpp"

namespace pointsman {

struct Ticket {
  std::uint64_t epoch = 0;    // of the broker that made it
  std::uint64_t session = 0;
  std::uint64_t lease = 0;    // of the worker it is for: its generation
  std::uint64_t holder = 0;   // fingerprint of the client, see holder_of()
  std::uint64_t service = 0;  // fingerprint of the service's name, see service_of()
  Milliseconds issued_ms{0};  // on the broker's clock
  Milliseconds ttl_ms{0};     // to be shown within this
  Milliseconds term_ms{0};    // of the session once opened
  PublicKey key{};          // of the client: nobody else can show it; none on a link without encryption
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

// Fingerprints: the first 53 bits of BLAKE2b-256 over a domain word and the name.
std::uint64_t holder_of(std::string_view client);
std::uint64_t service_of(std::string_view service);

// The key for one lease: BLAKE2b-256 keyed with `master` (32 bytes) over a domain word and the lease.
Bytes ticket_key(const Bytes& master, std::uint64_t lease);

Bytes seal(const Ticket& ticket, std::string_view key);
inline Bytes seal(const Ticket& ticket, const Bytes& key) { return seal(ticket, std::string_view(key.data)); }

// The lease that a ticket names, before it is checked; nothing if it has not the form of a ticket. Only to
// find the key.
std::optional<std::uint64_t> lease_of(const Bytes& sealed);

// The ticket if the seal is right, in constant time; nothing otherwise.
std::optional<Ticket> unseal(const Bytes& sealed, const Bytes& key);

}  // namespace pointsman
