// One thread and poll(): a pair of sockets a connection, a buffer a way, which fills no further than its bound.

#include "clients/program/load/relay.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <list>
#include <system_error>
#include <utility>
#include <vector>

namespace pointsman::load {
namespace {

constexpr std::size_t buffer_max = 256 * 1024;  // bytes of one way of one connection

int or_throw(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// One end of a pair, and what waits to go out by it.
struct End {
  int socket = -1;
  std::string waiting;
  bool closed = false;
};

struct Pair {
  std::array<End, 2> ends;
};

void prompt(int socket) {
  const int one = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void read_from(End& from, End& to) {
  std::array<char, 64 * 1024> bytes;
  const ssize_t count = ::recv(from.socket, bytes.data(), bytes.size(), 0);
  if (count > 0) to.waiting.append(bytes.data(), static_cast<std::size_t>(count));
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) from.closed = true;
}

void write_to(End& to) {
  if (to.waiting.empty()) return;
  const ssize_t count = ::send(to.socket, to.waiting.data(), to.waiting.size(), MSG_NOSIGNAL);
  if (count > 0) to.waiting.erase(0, static_cast<std::size_t>(count));
  if (count < 0 && errno != EAGAIN && errno != EINTR && errno != EINPROGRESS && errno != ENOTCONN)
    to.closed = true;
}

}  // namespace

Relay::Relay(std::uint16_t to) : to_(to) {
  bell_ = or_throw(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  listener_ = or_throw(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  or_throw(::bind(listener_, generic, size), "bind");
  or_throw(::listen(listener_, 1024), "listen");
  or_throw(::getsockname(listener_, generic, &size), "getsockname");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  over_ = true;
  cut(cut_);
  thread_.join();
  ::close(listener_);
  ::close(bell_);
}

void Relay::cut(bool on) {
  cut_ = on;
  const std::uint64_t one = 1;
  static_cast<void>(!::write(bell_, &one, sizeof one));
}

void Relay::run() {
  std::list<Pair> pairs;
  std::vector<pollfd> polled;
  while (!over_) {
    const bool flows = !cut_;
    polled.assign({{bell_, POLLIN, 0}, {listener_, static_cast<short>(flows ? POLLIN : 0), 0}});
    for (const Pair& pair : pairs) {
      for (std::size_t i = 0; i < 2; ++i) {
        const bool reads = flows && pair.ends[1 - i].waiting.size() < buffer_max;
        const bool writes = flows && !pair.ends[i].waiting.empty();
        // A descriptor of -1 is not looked at: a hang-up would wake a relay that is cut over and over.
        polled.push_back({flows ? pair.ends[i].socket : -1,
                          static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), 0});
      }
    }
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    std::uint64_t times = 0;
    static_cast<void>(!::read(bell_, &times, sizeof times));
    if (cut_) continue;
    std::size_t at = 2;
    for (Pair& pair : pairs) {
      for (std::size_t i = 0; i < 2; ++i, ++at) {
        if ((polled[at].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
          read_from(pair.ends[i], pair.ends[1 - i]);
        if ((polled[at].revents & POLLOUT) != 0) write_to(pair.ends[i]);
      }
      for (End& end : pair.ends) write_to(end);
    }
    pairs.remove_if([](const Pair& pair) {
      if (!pair.ends[0].closed && !pair.ends[1].closed) return false;
      for (const End& end : pair.ends) ::close(end.socket);
      return true;
    });
    for (int came = 0; (polled[1].revents & POLLIN) != 0 &&
                       (came = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
      Pair pair;
      const sockaddr_in address = loopback(to_);
      pair.ends[0].socket = came;
      pair.ends[1].socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      prompt(came);
      prompt(pair.ends[1].socket);
      // To this machine it does not wait; nobody there refuses at once.
      if (::connect(pair.ends[1].socket, static_cast<const sockaddr*>(static_cast<const void*>(&address)),
                    sizeof address) != 0) {
        ::close(came);
        ::close(pair.ends[1].socket);
        continue;
      }
      ::fcntl(pair.ends[1].socket, F_SETFL, O_NONBLOCK);
      pairs.push_back(std::move(pair));
    }
  }
  for (const Pair& pair : pairs) {
    for (const End& end : pair.ends) ::close(end.socket);
  }
}

}  // namespace pointsman::load
