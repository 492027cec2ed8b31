// Arguments: a command line, put together from parts.

#pragma once

#include <string>
#include <vector>

namespace pointsman {

using Arguments = std::vector<std::string>;

inline Arguments operator+(Arguments first, const Arguments& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

}  // namespace pointsman
