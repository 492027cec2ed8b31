// UTF-8 by the table of well-formed sequences in the Unicode standard (3.9, D92).
#include "protocol/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace pointsman {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

unsigned at(std::string_view text, std::size_t index) { return static_cast<unsigned char>(text[index]); }

std::string repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    out.append(length == 0 ? replacement : text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const unsigned first = at(text, 0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;

  // The second byte's range depends on the first: no overlong forms, no surrogates, nothing past U+10FFFF.
  const unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (at(text, 1) < low || at(text, 1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((at(text, i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  // Most text is ASCII: eight bytes at a time.
  for (std::uint64_t eight = 0; i + sizeof eight <= text.size(); i += sizeof eight) {
    std::memcpy(&eight, text.data() + i, sizeof eight);
    if ((eight & 0x8080808080808080ULL) != 0) break;
  }
  while (i < text.size()) {
    if (at(text, i) < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string fit(std::string_view text, std::size_t max) {
  std::string out = repaired(text.substr(0, max));
  if (out.size() <= max) return out;
  std::size_t end = max;
  while (end > 0 && (at(out, end) & 0xc0) == 0x80) --end;
  out.resize(end);
  return out;
}

std::string fit_end(std::string_view text, std::size_t max) {
  const std::string out = repaired(text.size() > max ? text.substr(text.size() - max) : text);
  if (out.size() <= max) return out;
  std::size_t start = out.size() - max;
  while (start < out.size() && (at(out, start) & 0xc0) == 0x80) ++start;
  return out.substr(start);
}

}  // namespace pointsman
