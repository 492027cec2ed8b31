// The receiving end of sd_notify.
#include "broker/supervisor/notices.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "protocol/utf8.hpp"

namespace pointsman::supervisor {

namespace {

constexpr std::size_t datagram_bytes = 4096;  // what is behind is not looked at

[[noreturn]] void raise_error(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

union Credentials {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(ucred))];
};

}  // namespace

Notices::Notices(std::string path) : path_(std::move(path)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    raise_error(path_);
  }
  std::memcpy(address.sun_path, path_.data(), path_.size());
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket_ < 0) raise_error("socket");
  const int yes = 1;
  ::setsockopt(socket_, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
  ::unlink(path_.c_str());
  if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(socket_);
    errno = error;
    raise_error(path_);
  }
}

Notices::~Notices() {
  ::close(socket_);
  ::unlink(path_.c_str());
}

std::optional<Notices::Said> Notices::next() {
  std::array<char, datagram_bytes> text{};
  iovec part{text.data(), text.size()};
  Credentials ancillary{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &ancillary;
  message.msg_controllen = sizeof ancillary;
  const ssize_t size = ::recvmsg(socket_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return std::nullopt;
  Said said{.text = std::string(text.data(), static_cast<std::size_t>(size))};
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET) continue;
    if (head->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      std::memcpy(&credentials, CMSG_DATA(head), sizeof credentials);
      said.by = credentials.pid;
    } else if (head->cmsg_type == SCM_RIGHTS) {
      // systemd's FDSTORE: not for us.
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(head), sizeof descriptor);
      ::close(descriptor);
    }
  }
  return said;
}

Noticed noticed(Run run, std::string_view text) {
  Noticed all{.run = run};
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (name == "READY") all.ready = value == "1";
    if (name == "WATCHDOG") all.alive = value == "1";
    if (name == "STOPPING") all.stopping = value == "1";
    if (name == "STATUS") all.status = fit(value, limits::text);
    if (name != "X_POINTSMAN_WORKER" || !is_utf8(value)) continue;
    const auto blank = value.rfind(' ');
    if (blank == std::string_view::npos || blank == 0 || blank > limits::name) continue;
    if (value.size() - blank - 1 > limits::name) continue;
    all.worker = value.substr(0, blank);
    all.instance = value.substr(blank + 1);
  }
  return all;
}

}  // namespace pointsman::supervisor
