// The little JSON that is no message: answers of workers and error reports. Pure, thread safe.

#pragma once

#include <string>
#include <string_view>

namespace pointsman::program {

// A JSON string; what is not UTF-8 becomes U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace pointsman::program
