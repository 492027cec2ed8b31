// TemporaryFolder: a folder of a test's own, removed with what is in it.

#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "protocol/must.hpp"

namespace pointsman {

// Its path is short, so that a Unix socket's fits.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_("/tmp/pointsman-XXXXXX") { MUST(::mkdtemp(path_.data()) != nullptr); }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace pointsman
