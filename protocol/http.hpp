// Http: one request to a web server: it blocks, for a bounded time, and takes an answer of a bounded size.
//
// By libcurl, which is loaded with the first request: whoever makes none is spared its libraries (6 MB and 20 ms at each
// start), and needs none of them. Thread safe.

#pragma once

#include <cstddef>
#include <string>

#include "protocol/machine.hpp"

namespace pointsman {

struct HttpAnswer {
  int status = 0;  // 0: there was no answer
  std::string body;
  std::string problem;  // why there was none, or why it was not taken
};

// Posts a JSON body to http://… or https://…, whose certificate is checked against those that the machine trusts. Goes to no
// proxy and follows no redirection. `token`, if there is one, says who asks (the header Authorization).
HttpAnswer post(const std::string& url, const std::string& body, Duration patience, std::size_t most,
                const std::string& token = {});

}  // namespace pointsman
