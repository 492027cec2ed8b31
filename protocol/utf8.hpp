// UTF-8: what text on the wire is. Pure functions, thread safe.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pointsman {

// The bytes of the character that `text` begins with; 0 if that is none.
std::size_t utf8_length(std::string_view text);

bool is_utf8(std::string_view text);

// `text` as a message may carry it: every byte that is not UTF-8 becomes U+FFFD, and what is left of it after
// `max` bytes is cut off between characters.
std::string fit(std::string_view text, std::size_t max);

// The same for the end of `text`: its beginning is cut off.
std::string fit_end(std::string_view text, std::size_t max);

}  // namespace pointsman
