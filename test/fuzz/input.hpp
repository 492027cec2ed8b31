// Input: a fuzzer's bytes read as choices. What is left out reads as zeros, so every string of bytes means something.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pointsman::fuzz {

class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  bool bit() { return (byte() & 1) != 0; }

  // 0 to n-1, for n up to 256.
  std::size_t below(std::size_t n) { return byte() % n; }

  // Little-endian, of so many bytes.
  std::uint64_t number(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= std::uint64_t{byte()} << (8 * i);
    return value;
  }

  std::string_view take(std::size_t bytes) {
    const auto taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() { return take(rest_.size()); }

 private:
  std::string_view rest_;
};

}  // namespace pointsman::fuzz
