// epoll, level triggered: one read a readiness, one write a batch.
#include "test/peers/wire.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "protocol/must.hpp"

namespace pointsman::peers {
namespace {

constexpr std::size_t piece = 256 * 1024;  // of one read

[[noreturn]] void fail(const std::string& what) { throw Broken(what + ": " + std::strerror(errno)); }

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr* generic(sockaddr_in& address) { return static_cast<sockaddr*>(static_cast<void*>(&address)); }

// `shares`: it may be bound to a port on which connections of others are still dying.
int new_socket(bool shares = false) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) fail("socket");
  const int yes = 1;
  if (shares) ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  return socket;
}

// Bound to a port that the system chooses.
int bound(std::uint16_t& port) {
  const int socket = new_socket(true);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(socket, generic(address), size) != 0 || ::getsockname(socket, generic(address), &size) != 0)
    fail("bind");
  port = ntohs(address.sin_port);
  return socket;
}

}  // namespace

std::uint64_t nanoseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint16_t port_of(const std::string& endpoint) {
  return static_cast<std::uint16_t>(std::stoul(endpoint.substr(endpoint.rfind(':') + 1)));
}

std::uint16_t free_port() {
  std::uint16_t port = 0;
  ::close(bound(port));
  return port;
}

int connect_to(std::uint16_t port) {
  const int socket = new_socket();
  sockaddr_in address = loopback(port);
  if (::connect(socket, generic(address), sizeof address) != 0) {
    const int why = errno;
    ::close(socket);
    errno = why;
    fail("connect to port " + std::to_string(port));
  }
  return socket;
}

int new_listener(std::uint16_t& port) {
  const int socket = bound(port);
  if (::listen(socket, 1024) != 0) fail("listen");
  return socket;
}

std::pair<int, int> connected_pair() {
  std::uint16_t port = 0;
  const int listener = new_listener(port);
  const int near = connect_to(port);
  const int far = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (far < 0) fail("accept");
  ::close(listener);
  return {near, far};
}

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) { MUST(epoll_ >= 0); }
Loop::~Loop() { ::close(epoll_); }

void Loop::flush() {
  // Sending may throw; what is behind would then never be sent, which does not matter any more.
  for (std::size_t i = 0; i < dirty_.size(); ++i) dirty_[i]->flush();
  dirty_.clear();
}

bool Loop::run(double within, const std::function<bool()>& done) {
  const std::uint64_t until = nanoseconds() + static_cast<std::uint64_t>(within * 1e9);
  std::array<epoll_event, 256> events{};
  for (;;) {
    flush();
    if (done()) return true;
    const std::uint64_t now = nanoseconds();
    if (now >= until) return false;
    const int wait = static_cast<int>(std::min<std::uint64_t>((until - now) / 1'000'000 + 1, 100));
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      static_cast<Link*>(event.data.ptr)->handle(event.events);
    }
  }
}

Link::Link(Loop& loop, int socket) : loop_(loop), socket_(-1) { replace(socket); }

Link::~Link() {
  if (dirty_) std::erase(loop_.dirty_, this);
  shut();
}

void Link::shut() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  out_.clear();
  sent_ = 0;
}

int Link::accept() { return ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC); }

void Link::replace(int socket) {
  shut();
  socket_ = socket;
  const int yes = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  ::fcntl(socket_, F_SETFL, O_NONBLOCK);
  in_.clear();
  wants_room_ = false;
  watch(EPOLL_CTL_ADD, EPOLLIN);
}

void Link::watch(int operation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = this;
  if (::epoll_ctl(loop_.epoll_, operation, socket_, &event) != 0) fail("epoll_ctl");
}

void Link::over() { throw Broken("the other side closed a connection"); }

void Link::mark() {
  dirty_ = true;
  loop_.dirty_.push_back(this);
}

void Link::flush() {
  dirty_ = false;
  if (socket_ < 0) return;
  while (sent_ < out_.size()) {
    const ssize_t put = ::send(socket_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0) fail("send");
    sent_ += static_cast<std::size_t>(put);
  }
  const bool full = sent_ < out_.size();
  if (!full) {
    out_.clear();
    sent_ = 0;
  }
  if (full != wants_room_) watch(EPOLL_CTL_MOD, full ? EPOLLIN | EPOLLOUT : EPOLLIN);
  wants_room_ = full;
}

void Link::handle(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 && !dirty_) mark();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  if (socket_ < 0) return;
  static std::string room(piece, '\0');
  const ssize_t got = ::recv(socket_, room.data(), room.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return over();
  const std::string_view fresh(room.data(), static_cast<std::size_t>(got));
  if (in_.empty()) {
    const std::size_t used = take(fresh);
    if (used < fresh.size()) in_.assign(fresh.substr(used));
  } else {
    in_ += fresh;
    in_.erase(0, take(in_));
  }
}

}  // namespace pointsman::peers
