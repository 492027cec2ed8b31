// The kernel's part of not letting anybody in.

#include "protocol/doorstep.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace pointsman {

namespace {

constexpr const char* suffix = ".held";

// Calls `visit` with each open descriptor.
template <class Visit>
void each_descriptor(Visit&& visit) {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return;
  const int own = ::dirfd(folder);
  while (const dirent* entry = ::readdir(folder)) {
    char* end = nullptr;
    const long number = std::strtol(entry->d_name, &end, 10);
    if (end != entry->d_name && *end == '\0' && number != own) visit(static_cast<int>(number));
  }
  ::closedir(folder);
}

// Where a listening socket is bound, as libzmq writes it; empty if it is none.
std::string bound_at(int descriptor) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) return {};
  sockaddr_storage address{};
  size = sizeof address;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return std::string("tcp://") + text + ":" + std::to_string(ntohs(v4->sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return std::string("tcp://[") + text + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  if (address.ss_family == AF_UNIX) {
    return std::string("ipc://") + reinterpret_cast<const sockaddr_un*>(&address)->sun_path;
  }
  return {};
}

}  // namespace

Doorstep::Doorstep(const std::string& endpoint) {
  each_descriptor([&](int descriptor) {
    if (listener_ < 0 && bound_at(descriptor) == endpoint) listener_ = descriptor;
  });
  if (endpoint.starts_with("ipc://")) path_ = endpoint.substr(6);
  // Two may accept from now on, and neither is to wait for the other.
  if (listener_ >= 0) ::fcntl(listener_, F_SETFL, ::fcntl(listener_, F_GETFL) | O_NONBLOCK);
}

Doorstep::Doorstep(Doorstep&& other) noexcept
    : path_(std::move(other.path_)),
      listener_(std::exchange(other.listener_, -1)),
      held_(std::exchange(other.held_, false)) {}

Doorstep::~Doorstep() { release(); }

void Doorstep::hold() {
  if (listener_ < 0 || std::exchange(held_, true)) return;
  if (path_.empty()) {
    sock_filter drop{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};
    const sock_fprog program{.len = 1, .filter = &drop};
    ::setsockopt(listener_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  } else {
    std::rename(path_.c_str(), (path_ + suffix).c_str());
  }
}

void Doorstep::release() {
  if (!std::exchange(held_, false)) return;
  if (path_.empty()) {
    int none = 0;
    ::setsockopt(listener_, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
  } else {
    // Somebody else may have taken the path meanwhile.
    ::renameat2(AT_FDCWD, (path_ + suffix).c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE);
  }
}

void Doorstep::turn_away() const {
  for (int descriptor = listener_; descriptor >= 0;) {
    descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor >= 0) ::close(descriptor);
  }
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  each_descriptor([&](int) { ++count; });
  return count;
}

std::size_t descriptor_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<std::size_t>(limit.rlim_cur) : 1024;
}

}  // namespace pointsman
