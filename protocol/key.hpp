// PublicKey: the identity of a party, the public half of its CURVE key pair.
//
// A value of 32 bytes without allocation. Zero means that there is none: a link without encryption. Its text
// form is Z85 (ZeroMQ RFC 32), 40 characters. Public keys are no secrets. Pure functions, thread safe.

#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/bytes.hpp"

namespace pointsman {

struct PublicKey {
  std::array<std::uint8_t, 32> bytes{};

  bool none() const {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
  }

  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
  friend bool operator==(const PublicKey&, const PublicKey&) = default;
};

inline constexpr std::size_t key_text_size = 40;

// 40 characters, also of no key.
std::string to_z85(const PublicKey& key);

// The key that `text` writes; nothing if it is not Z85 of 32 bytes, or of zeroes only.
std::optional<PublicKey> key_from_z85(std::string_view text);

// As a field of a message: 32 bytes, or none of no key; and back, no key if it is not that long.
Bytes bytes_of(const PublicKey& key);
PublicKey key_of(const Bytes& bytes);

// Any bytes as Z85 and back. `size` divides by 4, as does the number of bytes, 5 characters for 4 bytes; `to`
// has room. For secrets, too: nothing is left elsewhere in memory. False if the characters are not Z85.
void z85_encode(const std::uint8_t* bytes, std::size_t size, char* to);
bool z85_decode(std::string_view text, std::uint8_t* to);

}  // namespace pointsman

// Keys are random already, as far as nobody chooses them; the table's owner is not open to strangers.
template <>
struct std::hash<pointsman::PublicKey> {
  std::size_t operator()(const pointsman::PublicKey& key) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, key.bytes.data(), sizeof value);
    return value;
  }
};
