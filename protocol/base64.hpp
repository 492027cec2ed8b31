// Base64 (RFC 4648, section 4): how bytes are written where only text can stand. Pure, thread safe.

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pointsman {

std::string to_base64(std::string_view bytes);

// Nothing if `text` is not base64. The padding may be left out.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace pointsman
