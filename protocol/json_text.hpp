// The little JSON that is no message: answers of workers, error reports, questions to others. Pure, thread safe.

#pragma once

#include <string>
#include <string_view>

namespace pointsman {

// A JSON string; what is not UTF-8 becomes U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace pointsman
