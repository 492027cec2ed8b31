// A lock on the folder of a file: one editor of the file at a time, from reading to replacing, for the file itself changes.

#pragma once

#include <chrono>
#include <string>

namespace pointsman {

// Waits for whoever has it, for so long. Held until this is destroyed, or the process ends.
class FolderLock {
 public:
  static constexpr std::chrono::seconds wait{5};

  explicit FolderLock(const std::string& path_of_file);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // False: somebody else still has it. A folder that is not there, or cannot be locked, is nobody's.
  bool held() const { return held_; }

 private:
  bool held_ = true;
  int descriptor_ = -1;
};

}  // namespace pointsman
