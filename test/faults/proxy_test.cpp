// Shows that the fault proxy relays faithfully, and that each of its faults does what it says.

#include "test/faults/proxy.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "test/e2e/eventually.hpp"

using namespace pointsman;
using namespace pointsman::faults;
using namespace std::chrono_literals;

namespace {

sockaddr_in at(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

struct End {
  explicit End(int descriptor) : socket(descriptor) {}
  ~End() { ::close(socket); }
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  void say(const std::string& text) const {
    REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  // So many bytes, or as many as come before the end or the time.
  std::string hear(std::size_t count, std::chrono::milliseconds within = 10s) {
    std::string all;
    const auto until = std::chrono::steady_clock::now() + within;
    while (all.size() < count) {
      pollfd wait{socket, POLLIN, 0};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) break;
      std::string text(count - all.size(), '\0');
      const ssize_t got = ::recv(socket, text.data(), text.size(), 0);
      error = got < 0 ? errno : 0;
      ended = got <= 0;
      if (ended) break;
      all.append(text, 0, static_cast<std::size_t>(got));
    }
    return all;
  }

  int socket;
  int error = 0;
  bool ended = false;
};

// A server's listener, a proxy in front of it, and connections through both.
struct Pair {
  Pair() : listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), proxy(listen()) {}
  ~Pair() { ::close(listener); }
  std::string listen() const {
    sockaddr_in any = at(0);
    socklen_t size = sizeof any;
    auto* generic = static_cast<sockaddr*>(static_cast<void*>(&any));
    REQUIRE(::bind(listener, generic, size) == 0);
    REQUIRE(::listen(listener, 8) == 0);
    REQUIRE(::getsockname(listener, generic, &size) == 0);
    return "tcp://127.0.0.1:" + std::to_string(ntohs(any.sin_port));
  }
  std::unique_ptr<End> connect() const {
    auto end = std::make_unique<End>(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to = at(std::stoi(proxy.endpoint().substr(proxy.endpoint().rfind(':') + 1)));
    REQUIRE(::connect(end->socket, static_cast<const sockaddr*>(static_cast<const void*>(&to)), sizeof to) == 0);
    return end;
  }
  std::unique_ptr<End> accept() const { return std::make_unique<End>(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)); }

  int listener;
  Proxy proxy;
};

}  // namespace

TEST_CASE("the fault proxy relays bytes both ways in order and passes on the end") {
  Pair pair;
  const auto one = pair.connect();
  const auto other = pair.accept();
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i);
  std::thread talker([&] { one->say(text); });
  CHECK(other->hear(text.size()) == text);
  talker.join();
  other->say("answer");
  CHECK(one->hear(6) == "answer");
  ::shutdown(one->socket, SHUT_WR);
  CHECK(other->hear(1).empty());
  CHECK(other->ended);
  CHECK(pair.proxy.connections() == 1);
  CHECK(pair.proxy.relayed(Way::there) == text.size());
  CHECK(pair.proxy.relayed(Way::back) == 6);
}

TEST_CASE("the fault proxy delays one way and not the other") {
  Pair pair;
  pair.proxy.set(Way::there, {.delay = 200ms, .jitter = 20ms});
  const auto one = pair.connect();
  const auto other = pair.accept();
  const auto start = std::chrono::steady_clock::now();
  one->say("slow");
  CHECK(other->hear(4, 100ms).empty());
  CHECK(other->hear(4) == "slow");
  CHECK(std::chrono::steady_clock::now() - start >= 200ms);
  other->say("quick");
  CHECK(one->hear(5) == "quick");
}

TEST_CASE("the fault proxy holds a rate") {
  Pair pair;
  pair.proxy.set(Way::there, {.bytes_per_second = 100'000});
  const auto one = pair.connect();
  const auto other = pair.accept();
  const auto start = std::chrono::steady_clock::now();
  one->say(std::string(30'000, 'x'));
  CHECK(other->hear(30'000).size() == 30'000);
  CHECK(std::chrono::steady_clock::now() - start >= 250ms);
}

TEST_CASE("a stall of the fault proxy fills the sender and ends where it began") {
  Pair pair;
  const auto one = pair.connect();
  const auto other = pair.accept();
  one->say("a");
  CHECK(other->hear(1) == "a");
  pair.proxy.set(Way::there, {.stall = true});
  one->say("b");
  CHECK(other->hear(1, 200ms).empty());
  pair.proxy.set({});
  CHECK(other->hear(1) == "b");
}

TEST_CASE("a black hole of the fault proxy swallows what is sent") {
  Pair pair;
  const auto one = pair.connect();
  const auto other = pair.accept();
  pair.proxy.set(Way::there, {.black_hole = true});
  one->say("lost");
  CHECK(other->hear(1, 200ms).empty());
  pair.proxy.set({});
  one->say("found");
  CHECK(other->hear(5) == "found");
}

TEST_CASE("the fault proxy cuts a connection at a byte") {
  Pair pair;
  pair.proxy.set(Way::there, {.cut_after = 7});
  const auto one = pair.connect();
  const auto other = pair.accept();
  one->say("0123456789");
  CHECK(other->hear(10) == "0123456");
  CHECK(other->ended);
}

TEST_CASE("the fault proxy resets connections and refuses new ones") {
  Pair pair;
  const auto one = pair.connect();
  const auto other = pair.accept();
  one->say("x");
  CHECK(other->hear(1) == "x");
  pair.proxy.reset();
  one->hear(1);
  CHECK(one->error == ECONNRESET);
  pair.proxy.refuse(true);
  const auto late = pair.connect();
  late->hear(1);
  CHECK(late->ended);
  pair.proxy.refuse(false);
  const auto again = pair.connect();
  again->say("y");
  CHECK(pair.accept()->hear(1) == "y");
}
