// Bytes: a field that is not text. The same as a string to the program, another type on the wire.

#pragma once

#include <string>

namespace pointsman {

struct Bytes {
  std::string data;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

}  // namespace pointsman
