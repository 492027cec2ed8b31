// By flock, which the kernel takes back from whoever dies.
#include "protocol/folder_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace pointsman {

FolderLock::FolderLock(const std::string& path_of_file) {
  const std::size_t slash = path_of_file.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path_of_file.substr(0, slash + 1);
  descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  while (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
  }
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace pointsman
