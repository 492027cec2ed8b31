// One thread polls all connections. What was read waits in a queue until it is due; queues are short, so that a slow
// way pushes back on its sender as a slow network does.
#include "test/faults/proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <list>
#include <mutex>
#include <random>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace pointsman::faults {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t queue_max = 256 * 1024;  // bytes of one way of one connection that wait
constexpr std::size_t gulp = 16 * 1024;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

const sockaddr* generic(const sockaddr_in& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

// A descriptor that closes itself.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  int get() const { return descriptor_; }
  // Closes by RST.
  void abort() {
    const linger now{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    Socket gone(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_;
};

struct Piece {
  Clock::time_point due;
  std::string bytes;
};

// One way of a connection.
struct Lane {
  std::deque<Piece> pieces;
  std::size_t queued = 0;
  std::uint64_t passed = 0;
  Clock::time_point last{};  // due of the newest piece, and when the way is free again
  bool ended = false;        // its sender has said all
  bool told = false;         // and its receiver knows
};

struct Connection {
  std::array<Socket, 2> ends;  // of the one who connected, of the target
  std::array<Lane, 2> lanes;   // by Way; lane w is read from ends[w] and written to ends[1 - w]
  bool dead = false;
};

}  // namespace

struct Proxy::Inside {
  Inside(const std::string& target, std::uint64_t seed) : chance(seed) {
    target_port = std::stoi(target.substr(target.rfind(':') + 1));
    listener = Socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_in any = loopback(0);
    if (listener.get() < 0 || ::bind(listener.get(), generic(any), sizeof any) != 0) fail("proxy");
    if (::listen(listener.get(), 512) != 0 || ::pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0) fail("proxy");
    thread = std::thread([this] { run(); });
  }
  ~Inside() {
    over = true;
    stir();
    thread.join();
    ::close(wake[0]);
    ::close(wake[1]);
  }

  int port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(listener.get(), static_cast<sockaddr*>(static_cast<void*>(&address)), &size) != 0) fail("proxy");
    return ntohs(address.sin_port);
  }

  void stir() const { static_cast<void>(!::write(wake[1], "", 1)); }
  void run();
  void accept();
  void read(Connection& connection, std::size_t way);
  void write(Connection& connection, std::size_t way, Clock::time_point now);
  static void kill(Connection& connection);

  int target_port = 0;
  Socket listener;
  int wake[2] = {-1, -1};
  std::thread thread;
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> accepted{0};
  std::array<std::atomic<std::uint64_t>, 2> bytes{};

  mutable std::mutex mutex;  // for what follows
  std::array<Weather, 2> weather;
  bool reset = false, refuse = false;

  // The thread's.
  std::mt19937_64 chance;
  std::list<Connection> connections;
};

void Proxy::Inside::kill(Connection& connection) {
  connection.dead = true;
  for (Socket& end : connection.ends) end.abort();
}

void Proxy::Inside::accept() {
  for (;;) {
    Socket one(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (one.get() < 0) return;
    Socket other(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in target = loopback(target_port);
    // On the loopback interface this is decided at once.
    if (refuse || ::connect(other.get(), generic(target), sizeof target) != 0) {
      one.abort();
      continue;
    }
    ::fcntl(other.get(), F_SETFL, O_NONBLOCK);
    const int yes = 1;
    ::setsockopt(one.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    ::setsockopt(other.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    ++accepted;
    Connection& connection = connections.emplace_back();
    connection.ends = {std::move(one), std::move(other)};
  }
}

void Proxy::Inside::read(Connection& connection, std::size_t way) {
  Lane& lane = connection.lanes[way];
  const Weather& now = weather[way];
  std::string text(gulp, '\0');
  const ssize_t got = ::recv(connection.ends[way].get(), text.data(), text.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return kill(connection);
  if (got == 0) {
    lane.ended = true;
    return;
  }
  text.resize(static_cast<std::size_t>(got));
  if (now.black_hole) return;
  const auto jitter = now.jitter.count() > 0 ? std::chrono::milliseconds(chance() % static_cast<std::uint64_t>(now.jitter.count() + 1))
                                             : std::chrono::milliseconds(0);
  Clock::time_point due = std::max(Clock::now() + now.delay + jitter, lane.last);
  if (now.bytes_per_second > 0) {
    due = std::max(due, lane.last) + std::chrono::microseconds(text.size() * 1'000'000 / now.bytes_per_second);
  }
  lane.last = due;
  lane.queued += text.size();
  lane.pieces.push_back({due, std::move(text)});
}

void Proxy::Inside::write(Connection& connection, std::size_t way, Clock::time_point now) {
  Lane& lane = connection.lanes[way];
  const std::uint64_t cut = weather[way].cut_after;
  while (!lane.pieces.empty() && lane.pieces.front().due <= now) {
    std::string& text = lane.pieces.front().bytes;
    std::size_t size = text.size();
    if (cut > 0) size = std::min<std::size_t>(size, cut > lane.passed ? cut - lane.passed : 0);
    const ssize_t sent = size == 0 ? 0 : ::send(connection.ends[1 - way].get(), text.data(), size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent < 0) return kill(connection);
    lane.passed += static_cast<std::uint64_t>(sent);
    bytes[way] += static_cast<std::uint64_t>(sent);
    lane.queued -= static_cast<std::size_t>(sent);
    text.erase(0, static_cast<std::size_t>(sent));
    if (cut > 0 && lane.passed >= cut) return kill(connection);
    if (text.empty()) lane.pieces.pop_front();
  }
  if (lane.ended && lane.pieces.empty() && !lane.told) {
    lane.told = true;
    ::shutdown(connection.ends[1 - way].get(), SHUT_WR);
  }
}

void Proxy::Inside::run() {
  std::vector<pollfd> polled;
  while (!over) {
    polled = {{wake[0], POLLIN, 0}, {listener.get(), POLLIN, 0}};
    Clock::time_point next = Clock::now() + std::chrono::seconds(1);
    {
      const std::lock_guard lock(mutex);
      for (Connection& connection : connections) {
        for (std::size_t side = 0; side < 2; ++side) {
          const Lane& in = connection.lanes[side];
          const Lane& out = connection.lanes[1 - side];
          short events = 0;
          if (!in.ended && !weather[side].stall && in.queued < queue_max) events |= POLLIN;
          if (!out.pieces.empty() && out.pieces.front().due <= Clock::now()) events |= POLLOUT;
          if (!out.pieces.empty()) next = std::min(next, out.pieces.front().due);
          // Without wishes a hung-up peer would be told of for ever: such ends are left out.
          polled.push_back({events != 0 ? connection.ends[side].get() : -1, events, 0});
        }
      }
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
    ::poll(polled.data(), polled.size(), static_cast<int>(std::max<std::int64_t>(0, wait.count())));
    char rest[64];
    while (::read(wake[0], rest, sizeof rest) > 0) {
    }
    const std::lock_guard lock(mutex);
    std::size_t index = 2;
    const auto now = Clock::now();
    for (Connection& connection : connections) {
      for (std::size_t side = 0; side < 2; ++side, ++index) {
        if (!connection.dead && (polled[index].revents & (POLLIN | POLLHUP | POLLERR)) && !weather[side].stall) {
          read(connection, side);
        }
      }
      for (std::size_t way = 0; way < 2 && !connection.dead; ++way) write(connection, way, now);
      if (!connection.dead && reset) kill(connection);
      if (connection.lanes[0].told && connection.lanes[1].told) connection.dead = true;
    }
    reset = false;
    connections.remove_if([](const Connection& connection) { return connection.dead; });
    accept();
  }
}

Proxy::Proxy(const std::string& target, std::uint64_t seed) : inside_(std::make_unique<Inside>(target, seed)) {
  endpoint_ = "tcp://127.0.0.1:" + std::to_string(inside_->port());
}

Proxy::~Proxy() = default;

void Proxy::set(Way way, const Weather& weather) {
  {
    const std::lock_guard lock(inside_->mutex);
    inside_->weather[static_cast<std::size_t>(way)] = weather;
  }
  inside_->stir();
}

void Proxy::set(const Weather& weather) {
  set(Way::there, weather);
  set(Way::back, weather);
}

void Proxy::reset() {
  {
    const std::lock_guard lock(inside_->mutex);
    inside_->reset = true;
  }
  inside_->stir();
}

void Proxy::refuse(bool on) {
  {
    const std::lock_guard lock(inside_->mutex);
    inside_->refuse = on;
  }
  inside_->stir();
}

std::uint64_t Proxy::connections() const { return inside_->accepted; }
std::uint64_t Proxy::relayed(Way way) const { return inside_->bytes[static_cast<std::size_t>(way)]; }

}  // namespace pointsman::faults
