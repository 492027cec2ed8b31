// Shows that peers which send garbage, too much, without end or very slowly cost a broker a bounded amount, and nobody
// else anything.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>

#include "test/faults/ground.hpp"

using namespace pointsman;
using namespace pointsman::faults;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;

sockaddr_in address_of(const std::string& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
  return address;
}

// A TCP connection to a listener; -1: it did not come about.
int dial(const std::string& endpoint) {
  const sockaddr_in address = address_of(endpoint);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval second{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
  if (::connect(socket, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address) == 0) return socket;
  ::close(socket);
  return -1;
}

// The same without waiting whether it comes about.
int knock(const std::string& endpoint) {
  const sockaddr_in address = address_of(endpoint);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  static_cast<void>(::connect(socket, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address));
  return socket;
}

// How many connections of a listener nobody has accepted yet.
std::uint64_t waiting_at(const std::string& endpoint) {
  char port[6];
  std::snprintf(port, sizeof port, ":%04X", ntohs(address_of(endpoint).sin_port));
  std::ifstream table("/proc/net/tcp");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string number, local, remote, state, queues;
    fields >> number >> local >> remote >> state >> queues;
    if (state == "0A" && local.ends_with(port)) return std::stoull(queues.substr(queues.find(':') + 1), nullptr, 16);
  }
  return 0;
}

bool say(int socket, const std::string& bytes) {
  return ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

// ZMTP 3.0, NULL mechanism, a DEALER: what a peer says before its first message.
std::string introduction() {
  std::string text("\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL", 16);
  text.resize(64, '\0');
  return text + std::string("\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06" "DEALER", 30);
}

// A connection that has shaken hands: what is said before the other end has answered ends it.
int meet(const std::string& endpoint) {
  const int socket = dial(endpoint);
  REQUIRE(socket >= 0);
  REQUIRE(say(socket, introduction()));
  const timeval patience{10, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string heard;
  char byte = 0;
  // A greeting of 64 bytes, and a command with its length in front.
  while (heard.size() < 66 || heard.size() < 66U + static_cast<unsigned char>(heard[65])) {
    REQUIRE(::recv(socket, &byte, 1, 0) == 1);
    heard += byte;
  }
  return socket;
}

// A long frame that says how long it is; `more`: others follow.
std::string frame(std::uint64_t claimed, std::size_t given, bool more) {
  std::string text(1, more ? '\x03' : '\x02');
  for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(claimed >> shift);
  return text + std::string(given, 'x');
}

// Seconds of processor time that a process has used.
double processor(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string word;
  std::uint64_t user = 0, system = 0;
  for (int i = 0; i < 13; ++i) stat >> word;
  stat >> user >> system;
  return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct Besieged {
  Ground ground;
  std::uint64_t before = 0;

  explicit Besieged(GroundOptions options = {}) : ground(std::move(options)) {
    ground.start_watch();
    ground.start_worker("w1", {"slots=4", "work_ms=10"});
    ground.start_client("c1", {"threads=4", "calls=1", "pause_ms=10"});
    REQUIRE(ground.granted("c1", 10));
    before = rss_of(ground.process("broker").pid());
  }
  // At most so much more memory than before, and a client that is served all the while.
  void bounded(std::uint64_t more) {
    ground.rss("broker", before + more);
    REQUIRE(ground.granted("c1", 10));
  }
  Tally prove() {
    const Tally tally = ground.prove();
    CHECK(tally.lost == 0);
    CHECK(tally.failed == 0);
    return tally;
  }
};

}  // namespace

TEST_CASE("garbage and frames that are too large cost little and harm nobody") {
  Besieged besieged;
  std::mt19937_64 chance(7);
  for (const std::string& listener : {besieged.ground.clients(), besieged.ground.workers()}) {
    for (int i = 0; i < 300; ++i) {
      const int socket = i % 4 == 0 ? dial(listener) : meet(listener);
      REQUIRE(socket >= 0);
      std::string bytes(1 + chance() % 2000, '\0');
      for (char& byte : bytes) byte = static_cast<char>(chance());
      switch (i % 4) {
        case 0: say(socket, bytes); break;
        case 1: say(socket, bytes); break;
        case 2: say(socket, frame(1ULL << 33, 1000, false)); break;
        default: say(socket, frame(1 * mebibyte, 60'000, i % 8 == 3)); break;
      }
      ::close(socket);
    }
  }
  besieged.bounded(48 * mebibyte);
  besieged.prove();
}

TEST_CASE("peers that say their greeting a byte at a time or nothing at all are sent away") {
  Besieged besieged;
  std::vector<int> sockets;
  for (int i = 0; i < 400; ++i) sockets.push_back(dial(i % 2 == 0 ? besieged.ground.clients() : besieged.ground.workers()));
  const std::string text = introduction();
  // Longer than a handshake may take.
  for (std::size_t byte = 0; byte < 40; ++byte) {
    for (std::size_t i = 0; i < sockets.size(); i += 2) say(sockets[i], text.substr(byte, 1));
    last(100ms);
  }
  besieged.bounded(64 * mebibyte);
  // Each has been closed by the broker: there is nothing more to be read than its own greeting.
  CHECK(eventually(10s, [&] {
    std::string greeting(1000, '\0');
    return std::all_of(sockets.begin(), sockets.end(), [&](int socket) {
      while (::recv(socket, greeting.data(), greeting.size(), MSG_DONTWAIT) > 0) {
      }
      return ::recv(socket, greeting.data(), 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EINTR);
    });
  }));
  for (const int socket : sockets) ::close(socket);
  besieged.prove();
}

TEST_CASE("peers that never read their answers cost a bounded amount") {
  Besieged besieged;
  std::vector<int> sockets;
  // Each asks for the counters as fast as it goes and reads nothing.
  const std::string question = std::string("\0\x0f{\"op\":\"status\"}", 17);
  std::string many;
  for (int i = 0; i < 500; ++i) many += question;
  for (int i = 0; i < 10; ++i) {
    const int socket = meet(besieged.ground.clients());
    for (int burst = 0; burst < 20 && say(socket, many); ++burst) {
    }
    sockets.push_back(socket);
  }
  besieged.bounded(96 * mebibyte);
  for (const int socket : sockets) ::close(socket);
  besieged.prove();
}

TEST_CASE("a broker whose descriptors run out serves those it has and takes new peers again afterwards") {
  Besieged besieged({.limits = {"descriptors=96"}});
  std::vector<int> sockets;
  for (int i = 0; i < 150; ++i) sockets.push_back(dial(besieged.ground.clients()));
  const pid_t broker = besieged.ground.process("broker").pid();
  last(500ms);
  const double before = processor(broker);
  last(2s);
  const double used = processor(broker) - before;
  MESSAGE(used << " s of processor time in 2 s without descriptors");
  REQUIRE(besieged.ground.granted("c1", 10));
  for (const int socket : sockets) ::close(socket);
  besieged.ground.start_client("c2", {"threads=2", "calls=1", "pause_ms=10"});
  REQUIRE(besieged.ground.granted("c2", 10));
  besieged.prove();
}

TEST_CASE("a burst that takes every descriptor leaves nobody waiting at the listeners") {
  // Who waits where nobody can be let in keeps libzmq running in circles. Those who say what they are stay for good.
  Besieged besieged({.limits = {"descriptors=96"}});
  for (int burst = 0; burst < 3; ++burst) {
    std::vector<int> sockets;
    for (int i = 0; i < 200; ++i) {
      sockets.push_back(knock(i % 2 == 0 ? besieged.ground.clients() : besieged.ground.workers()));
      say(sockets.back(), introduction());
    }
    for (const std::string& listener : {besieged.ground.clients(), besieged.ground.workers()}) {
      CHECK_MESSAGE(eventually(10s, [&] { return waiting_at(listener) == 0; }), waiting_at(listener) << " wait");
    }
    REQUIRE(besieged.ground.granted("c1", 10));
    for (const int socket : sockets) ::close(socket);
    const std::string late = "late" + std::to_string(burst);
    besieged.ground.start_client(late, {"threads=1", "calls=1", "pause_ms=10"});
    REQUIRE(besieged.ground.granted(late, 10));
  }
  besieged.prove();
}

TEST_CASE("a message without an end kills at most the broker and its supervisor brings it back") {
  // libzmq has no bound for frames that all announce another one: the process's limit is the last resort.
  Ground ground({.limits = {"memory=" + std::to_string(192 * mebibyte)}, .supervised = {"w1", "w2"}});
  ground.start_watch();
  ground.start_client("c1", {"threads=4", "calls=1"});
  ground.start_client("holder", {"threads=2", "hold=1", "pause_ms=20"});
  REQUIRE(ground.granted("c1", 20));
  std::string many;
  for (int i = 0; i < 16; ++i) many += frame(60'000, 60'000, true);
  std::size_t sent = 0;
  for (int bomb = 0; bomb < 2; ++bomb) {
    const int socket = meet(ground.clients());
    ground.fault("broker", "message-without-an-end");
    // Until the other end is gone, or takes nothing for a while.
    std::size_t at = 0;
    for (ssize_t took = 1; took > 0 && sent < static_cast<std::size_t>(bomb + 1) * 400 * mebibyte;) {
      took = ::send(socket, many.data() + at, many.size() - at, MSG_NOSIGNAL);
      if (took > 0) at = (at + static_cast<std::size_t>(took)) % many.size(), sent += static_cast<std::size_t>(took);
    }
    ::close(socket);
    ground.healed("broker");
    REQUIRE(ground.granted("c1", 20));
  }
  const std::size_t mebibytes = sent / mebibyte;
  MESSAGE(mebibytes << " MiB were sent");
  const Tally tally = ground.prove();
  CHECK(sent > 20 * mebibyte);
  CHECK(tally.lost == 0);
  CHECK(tally.broken == 0);
}
