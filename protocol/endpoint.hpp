// Endpoint: whether a ZeroMQ endpoint may be bound or connected to, judged before libzmq sees it.
//
// libzmq of Debian speaks more than tcp and ipc, takes a live listener's ipc path away without a word, and
// explains little; so only what passes here is handed to it. Problems are thrown as TransportError.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace pointsman {

// The endpoint to bind, with `localhost` replaced by its number. Refuses schemes other than tcp and ipc, tcp
// that is reachable from other machines unless `insecure`, and an ipc path that is in use or no socket.
std::string bindable(const std::string& endpoint, bool insecure);

// Whether only this machine can reach it: anything but tcp, and tcp on a loopback address. Throws nothing.
bool stays_here(std::string_view endpoint);

// The endpoint to connect to.
std::string connectable(const std::string& endpoint);

// The Unix socket that a bound ipc endpoint left in the file system; removed when this is destroyed, unless
// somebody else's has taken its place. Nothing for other endpoints.
class OwnedPath {
 public:
  OwnedPath() = default;
  explicit OwnedPath(const std::string& endpoint);
  OwnedPath(OwnedPath&& other) noexcept { *this = std::move(other); }
  OwnedPath& operator=(OwnedPath&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(inode_, other.inode_);
    return *this;
  }
  ~OwnedPath();

 private:
  std::string path_;
  std::uint64_t inode_ = 0;
};

}  // namespace pointsman
