// What end-to-end tests look for in texts: in what a program said, or in a file.

#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace pointsman {

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// All of a file; empty if it cannot be read.
inline std::string text_of(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace pointsman
