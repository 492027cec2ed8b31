// A lock on the folder of a file: one editor of the file at a time, from reading to replacing, for the file itself changes.

#pragma once

#include <string>

namespace pointsman {

// Waits for whoever has it. Held until this is destroyed, or the process ends. A folder that is not there is not locked.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path_of_file);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace pointsman
