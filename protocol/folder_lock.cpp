// By flock, which the kernel takes back from whoever dies. It has no way to wait for so long only: so it is asked again.
#include "protocol/folder_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace pointsman {

namespace {

constexpr std::chrono::milliseconds ask_every{5};

}  // namespace

FolderLock::FolderLock(const std::string& path_of_file) {
  const std::size_t slash = path_of_file.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path_of_file.substr(0, slash + 1);
  descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto until = std::chrono::steady_clock::now() + wait;
  while (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return;
    if (std::chrono::steady_clock::now() >= until) {
      held_ = false;
      return;
    }
    std::this_thread::sleep_for(ask_every);
  }
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace pointsman
