// Text: a name that does not change, in 16 bytes; up to 15 of its bytes lie within, 255 at most elsewhere. ShortText: one that
// seldom has more than seven bytes, in 8. SharedText: one that many records bear, in 8 bytes each.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/must.hpp"

namespace pointsman::broker {

class Text {
 public:
  Text() = default;
  explicit Text(std::string_view text) : size_(static_cast<std::uint8_t>(text.size())) {
    MUST(text.size() <= UINT8_MAX);
    char* to = bytes_.data();
    if (outside()) {
      to = new char[size_];
      std::memcpy(bytes_.data(), &to, sizeof to);
    }
    std::copy(text.begin(), text.end(), to);
  }
  Text(Text&& other) noexcept : bytes_(other.bytes_), size_(std::exchange(other.size_, 0)) {}
  Text& operator=(Text&& other) noexcept {
    const Text before(std::move(*this));
    bytes_ = other.bytes_;
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~Text() {
    if (outside()) delete[] place();
  }

  std::string_view view() const { return {outside() ? place() : bytes_.data(), size_}; }
  std::string str() const { return std::string(view()); }
  operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor): it is one
  operator std::string() const { return str(); }        // NOLINT(google-explicit-constructor): for messages

 private:
  bool outside() const { return size_ > bytes_.size(); }
  char* place() const {
    char* at = nullptr;
    std::memcpy(&at, bytes_.data(), sizeof at);
    return at;
  }

  std::array<char, 15> bytes_{};  // or where they are
  std::uint8_t size_ = 0;
};

class ShortText {
 public:
  ShortText() = default;
  explicit ShortText(std::string_view text) {
    if (text.size() <= within) {
      bits_ = 0;
      for (std::size_t i = text.size(); i > 0; --i) bits_ = (bits_ | static_cast<unsigned char>(text[i - 1])) << 8;
      bits_ |= text.size() << 1 | 1;
    } else {
      bits_ = reinterpret_cast<std::uintptr_t>(new std::string(text));
    }
  }
  ShortText(ShortText&& other) noexcept : bits_(std::exchange(other.bits_, empty)) {}
  ShortText& operator=(ShortText&& other) noexcept {
    const ShortText before(std::move(*this));
    bits_ = std::exchange(other.bits_, empty);
    return *this;
  }
  ~ShortText() {
    if (outside()) delete place();
  }

  std::string str() const {
    if (outside()) return *place();
    std::string text(bits_ >> 1 & within, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(bits_ >> 8 * (i + 1));
    return text;
  }

 private:
  static constexpr std::uint64_t within = 7;
  static constexpr std::uint64_t empty = 1;

  // Where strings are is even.
  bool outside() const { return (bits_ & 1) == 0; }
  std::string* place() const { return reinterpret_cast<std::string*>(static_cast<std::uintptr_t>(bits_)); }

  std::uint64_t bits_ = empty;  // from the lowest: a one, the size in seven, the bytes, first one first; or where it is
};

// Counted, without regard to threads.
class SharedText {
 public:
  SharedText() = default;
  explicit SharedText(std::string text) : kept_(new Kept{std::move(text)}) {}
  SharedText(const SharedText& other) : kept_(other.kept_) {
    if (kept_) ++kept_->bearers;
  }
  SharedText(SharedText&& other) noexcept : kept_(std::exchange(other.kept_, nullptr)) {}
  SharedText& operator=(SharedText other) noexcept {
    std::swap(kept_, other.kept_);
    return *this;
  }
  ~SharedText() {
    if (kept_ && --kept_->bearers == 0) delete kept_;
  }

  const std::string& str() const { return kept_->text; }  // there is one

 private:
  struct Kept {
    std::string text;
    std::uint64_t bearers = 1;
  };
  Kept* kept_ = nullptr;
};

}  // namespace pointsman::broker
