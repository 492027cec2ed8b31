// Z85: base 85 of four bytes at a time, big-endian.
#include "protocol/key.hpp"

namespace pointsman {

namespace {

constexpr std::string_view digits =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
static_assert(digits.size() == 85);

constexpr std::array<std::int8_t, 256> values_of_digits() {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    values[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}

constexpr std::array<std::int8_t, 256> values = values_of_digits();

}  // namespace

void z85_encode(const std::uint8_t* bytes, std::size_t size, char* to) {
  for (std::size_t i = 0; i < size; i += 4, to += 5) {
    std::uint32_t value = 0;
    for (std::size_t j = 0; j < 4; ++j) value = value << 8 | bytes[i + j];
    for (std::size_t j = 5; j-- > 0; value /= 85) to[j] = digits[value % 85];
  }
}

bool z85_decode(std::string_view text, std::uint8_t* to) {
  if (text.size() % 5 != 0) return false;
  for (std::size_t i = 0; i < text.size(); i += 5, to += 4) {
    std::uint64_t value = 0;
    for (std::size_t j = 0; j < 5; ++j) {
      const std::int8_t digit = values[static_cast<unsigned char>(text[i + j])];
      if (digit < 0) return false;
      value = value * 85 + static_cast<std::uint64_t>(digit);
    }
    if (value > 0xffffffff) return false;
    for (std::size_t j = 0; j < 4; ++j) to[j] = static_cast<std::uint8_t>(value >> (24 - 8 * j));
  }
  return true;
}

std::string to_z85(const PublicKey& key) {
  std::string text(key_text_size, '\0');
  z85_encode(key.bytes.data(), key.bytes.size(), text.data());
  return text;
}

Bytes bytes_of(const PublicKey& key) {
  if (key.none()) return {};
  return {std::string(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size())};
}

PublicKey key_of(const Bytes& bytes) {
  PublicKey key;
  if (bytes.data.size() == key.bytes.size()) std::memcpy(key.bytes.data(), bytes.data.data(), key.bytes.size());
  return key;
}

std::optional<PublicKey> key_from_z85(std::string_view text) {
  PublicKey key;
  if (text.size() != key_text_size || !z85_decode(text, key.bytes.data()) || key.none()) return std::nullopt;
  return key;
}

}  // namespace pointsman
