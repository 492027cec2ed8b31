// Tickets: the fields big-endian in a row, then the seal. Layout: PROTOCOL.md, "Tickets".
#include "protocol/ticket.hpp"

#include <sodium.h>

#include <array>
#include <cstring>
#include <utility>

#include "protocol/must.hpp"

namespace pointsman {

namespace {

constexpr char version = 2;
constexpr char keyed_blake2b_256 = 1;
constexpr std::size_t head_bytes = 2;
constexpr std::size_t fields = 8;
constexpr std::size_t key_at = head_bytes + 8 * fields;
constexpr std::size_t sealed_part = key_at + sizeof(PublicKey);
constexpr std::size_t tag_bytes = 32;
constexpr std::size_t ticket_bytes = sealed_part + tag_bytes;
constexpr std::size_t key_bytes = 32;
constexpr std::size_t lease_at = head_bytes + 8 * 2;

const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

using Tag = std::array<char, tag_bytes>;

Tag hash(std::string_view text, std::string_view key) {
  Tag out{};
  const int result = crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(), raw(text),
                                        text.size(), key.empty() ? nullptr : raw(key), key.size());
  MUST(result == 0);
  return out;
}

void put(char* at, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) *at++ = static_cast<char>((value >> shift) & 0xff);
}

std::uint64_t get(std::string_view text, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = (value << 8) | static_cast<unsigned char>(text[at + i]);
  return value;
}

bool has_form(std::string_view sealed) {
  return sealed.size() == ticket_bytes && sealed[0] == version && sealed[1] == keyed_blake2b_256;
}

std::uint64_t fingerprint(std::string_view domain, std::string_view name) {
  std::string text;
  text.append(domain).append(1, '\0').append(name);
  const Tag tag = hash(text, {});
  return get({tag.data(), tag.size()}, 0) >> 11;
}

}  // namespace

std::uint64_t holder_of(std::string_view client) { return fingerprint("pointsman client", client); }
std::uint64_t service_of(std::string_view service) { return fingerprint("pointsman service", service); }

Bytes ticket_key(const Bytes& master, std::uint64_t lease) {
  MUST(master.data.size() == key_bytes);
  std::string text = "pointsman lease";
  text.append(9, '\0');
  put(text.data() + text.size() - 8, lease);
  const Tag tag = hash(text, master.data);
  return {std::string(tag.data(), tag.size())};
}

Bytes seal(const Ticket& ticket, std::string_view key) {
  MUST(key.size() == key_bytes);
  std::string out(ticket_bytes, '\0');
  out[0] = version;
  out[1] = keyed_blake2b_256;
  char* at = out.data() + head_bytes;
  for (const std::uint64_t value :
       {ticket.epoch, ticket.session, ticket.lease, ticket.holder, ticket.service,
        static_cast<std::uint64_t>(ticket.issued_ms.count()), static_cast<std::uint64_t>(ticket.ttl_ms.count()),
        static_cast<std::uint64_t>(ticket.term_ms.count())}) {
    put(std::exchange(at, at + 8), value);
  }
  std::memcpy(out.data() + key_at, ticket.key.bytes.data(), ticket.key.bytes.size());
  const Tag tag = hash(std::string_view(out).substr(0, sealed_part), key);
  std::memcpy(out.data() + sealed_part, tag.data(), tag.size());
  return {std::move(out)};
}

std::optional<std::uint64_t> lease_of(const Bytes& sealed) {
  if (!has_form(sealed.data)) return std::nullopt;
  return get(sealed.data, lease_at);
}

std::optional<Ticket> unseal(const Bytes& sealed, const Bytes& key) {
  if (!has_form(sealed.data) || key.data.size() != key_bytes) return std::nullopt;
  const std::string_view text(sealed.data);
  const Tag tag = hash(text.substr(0, sealed_part), key.data);
  if (sodium_memcmp(tag.data(), text.data() + sealed_part, tag_bytes) != 0) return std::nullopt;

  std::size_t at = head_bytes;
  const auto next = [&] { return get(text, std::exchange(at, at + 8)); };
  Ticket ticket{.epoch = next(), .session = next(), .lease = next(), .holder = next(), .service = next()};
  ticket.issued_ms = Milliseconds(static_cast<std::int64_t>(next()));
  ticket.ttl_ms = Milliseconds(static_cast<std::int64_t>(next()));
  ticket.term_ms = Milliseconds(static_cast<std::int64_t>(next()));
  std::memcpy(ticket.key.bytes.data(), text.data() + key_at, ticket.key.bytes.size());
  return ticket;
}

}  // namespace pointsman
