// Text of an endpoint: tcp://HOST:PORT, tcp://[HOST]:PORT, ipc://PATH, ipc://@NAME (abstract), ipc://*.

#include "protocol/endpoint.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "protocol/limits.hpp"
#include "protocol/transport.hpp"

namespace pointsman {

namespace {

constexpr std::string_view tcp = "tcp://";
constexpr std::string_view ipc = "ipc://";

[[noreturn]] void reject(std::string_view endpoint, std::string_view why) {
  throw TransportError("endpoint '" + std::string(endpoint.substr(0, limits::endpoint)) +
                       "': " + std::string(why));
}

struct HostPort {
  std::string_view host;
  std::string_view port;
};

HostPort host_and_port(std::string_view endpoint) {
  const std::string_view rest = endpoint.substr(tcp.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == rest.size()) {
    reject(endpoint, "a host or a port is missing; write tcp://HOST:PORT, for example tcp://127.0.0.1:5570");
  }
  return {rest.substr(0, colon), rest.substr(colon + 1)};
}

// 1 to 65535; nothing else is a port.
bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host == "lo" || host.starts_with("127.");
}

void check_scheme(std::string_view endpoint) {
  const std::size_t zero = endpoint.find('\0');
  if (zero != std::string_view::npos) reject(endpoint.substr(0, zero), "a zero byte follows");
  if (endpoint.size() > limits::endpoint) reject(endpoint, "longer than 256 bytes");
  if (!endpoint.starts_with(tcp) && !endpoint.starts_with(ipc)) {
    reject(endpoint, "only tcp:// and ipc:// can be used; write tcp://HOST:PORT or ipc://PATH");
  }
}

// Whether somebody listens on the Unix socket at `path`, which exists.
bool answers(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return true;
  const int result =
      ::connect(probe, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address);
  const int error = errno;
  ::close(probe);
  return result == 0 || error != ECONNREFUSED;
}

void check_path(std::string_view endpoint) {
  const std::string path(endpoint.substr(ipc.size()));
  if (path.empty()) reject(endpoint, "the path is missing; write ipc:///run/pointsman/clients");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    reject(endpoint,
           "the path is longer than the 107 bytes that a Unix socket may have; choose a shorter one");
  }
}

// libzmq removes whatever is at the path before it binds. So look first.
void check_free(const std::string& endpoint) {
  const std::string path = endpoint.substr(ipc.size());
  if (path == "*" || path.front() == '@') return;
  struct stat what {};
  if (::lstat(path.c_str(), &what) != 0) return;  // not there; a missing folder is told by bind()
  if (!S_ISSOCK(what.st_mode)) reject(endpoint, "something else than a socket is there; choose another path");
  if (answers(path)) reject(endpoint, "in use: somebody listens there; stop that or choose another path");
}

}  // namespace

bool stays_here(std::string_view endpoint) {
  return !endpoint.starts_with(tcp) || is_loopback(endpoint.substr(tcp.size(), endpoint.rfind(':') - tcp.size()));
}

std::string bindable(const std::string& endpoint, bool insecure) {
  check_scheme(endpoint);
  if (endpoint.starts_with(ipc)) {
    check_path(endpoint);
    check_free(endpoint);
    return endpoint;
  }
  const auto [host, port] = host_and_port(endpoint);
  if (!is_port(port) && port != "*" && port != "0") {
    reject(endpoint, "the port must be a number from 1 to 65535, or * for any free one");
  }
  if (!is_loopback(host) && !insecure) {
    reject(
        endpoint,
        "other machines can reach this address, and the link is not encrypted; bind 127.0.0.1 or ipc://, encrypt with "
        "--key, or allow it with --insecure where the network is trusted");
  }
  // libzmq looks names up for connections only, not to bind.
  if (host == "localhost") return std::string(tcp) + "127.0.0.1:" + std::string(port);
  return endpoint;
}

std::string connectable(const std::string& endpoint) {
  check_scheme(endpoint);
  if (endpoint.starts_with(ipc)) {
    check_path(endpoint);
    if (endpoint == "ipc://*") reject(endpoint, "a path is needed to connect to");
    return endpoint;
  }
  const auto [host, port] = host_and_port(endpoint);
  if (!is_port(port)) reject(endpoint, "the port must be a number from 1 to 65535");
  if (host == "*") reject(endpoint, "a host is needed to connect to, for example 127.0.0.1");
  if (host.find(';') != std::string_view::npos) reject(endpoint, "a source address cannot be chosen");
  return endpoint;
}

OwnedPath::OwnedPath(const std::string& endpoint) {
  if (!endpoint.starts_with(ipc) || endpoint.starts_with("ipc://@")) return;
  struct stat what {};
  const std::string path = endpoint.substr(ipc.size());
  if (::lstat(path.c_str(), &what) != 0) return;
  path_ = path;
  inode_ = what.st_ino;
}

OwnedPath::~OwnedPath() {
  struct stat what {};
  if (path_.empty() || ::lstat(path_.c_str(), &what) != 0) return;
  if (S_ISSOCK(what.st_mode) && what.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace pointsman
