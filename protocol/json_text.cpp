// The little JSON that is no message: quoting.

#include "protocol/json_text.hpp"

#include <array>
#include <cstdio>

#include "protocol/utf8.hpp"

namespace pointsman {

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : fit(text, std::string::npos)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(byte));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace pointsman
