// Shows what a process tells its watcher, when, and that without one it tells nothing.
#include "protocol/notice.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

// A watcher at an abstract address of its own.
class Watcher {
 public:
  Watcher() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name = "@pointsman-notice-test-" + std::to_string(::getpid());
    std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) == 0);
  }
  ~Watcher() { ::close(socket_); }

  std::string next() const {
    std::array<char, 1000> text{};
    const ssize_t size = ::recv(socket_, text.data(), text.size(), MSG_DONTWAIT);
    return size < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(size));
  }

  std::string name;

 private:
  int socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

struct Unset {
  ~Unset() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "POINTSMAN_HANG_MS"}) ::unsetenv(name);
  }
};

void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }

}  // namespace

TEST_CASE("a process tells its watcher that it is ready, what it is, and that it stops") {
  const Watcher watcher;
  const Unset afterwards;
  set("NOTIFY_SOCKET", watcher.name);
  Notice notice;
  CHECK(notice.wanted());
  notice.ready("two\nlines");
  CHECK(watcher.next() == "READY=1\nSTATUS=two lines\n");
  notice.worker("zip-1", "abc");
  CHECK(watcher.next() == "X_POINTSMAN_WORKER=zip-1 abc\n");
  notice.status("busy");
  CHECK(watcher.next() == "STATUS=busy\n");
  notice.stopping();
  CHECK(watcher.next() == "STOPPING=1\n");
  CHECK(notice.due() == never);
  notice.tick(Instant(1h));
  CHECK(watcher.next() == "nothing");
}

TEST_CASE("a process gives three signs of life in the time that its watcher wants one, unless its work stands still") {
  const Watcher watcher;
  const Unset afterwards;
  set("NOTIFY_SOCKET", watcher.name);
  set("WATCHDOG_USEC", "3000000");
  set("WATCHDOG_PID", std::to_string(::getpid()));
  set("POINTSMAN_HANG_MS", "5000");
  Notice notice;
  CHECK(notice.hang() == 5s);
  const Instant start(1h);
  notice.tick(start);
  CHECK(watcher.next() == "WATCHDOG=1\n");
  CHECK(notice.due() == start + 1s);
  notice.tick(start + 500ms);
  CHECK(watcher.next() == "nothing");
  notice.tick(start + 1s, false);
  CHECK(watcher.next() == "nothing");
  CHECK(notice.due() == start + 2s);
  notice.tick(start + 2s);
  CHECK(watcher.next() == "WATCHDOG=1\n");
  // What may have been lost is said again.
  notice.worker("zip-1", "abc");
  notice.ready();
  watcher.next();
  watcher.next();
  notice.tick(start + 3s);
  CHECK(watcher.next() == "X_POINTSMAN_WORKER=zip-1 abc\nREADY=1\nWATCHDOG=1\n");
}

TEST_CASE("signs of life that are wanted of another process, and addresses that are none, are left alone") {
  const Watcher watcher;
  const Unset afterwards;
  set("NOTIFY_SOCKET", watcher.name);
  set("WATCHDOG_USEC", "3000000");
  set("WATCHDOG_PID", "1");
  CHECK((Notice().due() == never || ::getppid() == 1));
  for (const std::string& address : {std::string(), std::string("x"), std::string("/"), "/" + std::string(200, 'x')}) {
    set("NOTIFY_SOCKET", address);
    Notice notice;
    CHECK(!notice.wanted());
    notice.ready();
  }
  CHECK(watcher.next() == "nothing");
}

TEST_CASE("work without progress is found to stand still after its time, and idleness never") {
  Movement movement(5s);
  const Instant start(1h);
  CHECK(movement.moving(start, true, 1));
  CHECK(movement.moving(start + 4s, true, 1));
  CHECK(!movement.moving(start + 5s, true, 1));
  CHECK(movement.moving(start + 6s, true, 2));
  CHECK(!movement.moving(start + 11s, true, 2));
  CHECK(movement.moving(start + 12s, false, 2));
  CHECK(movement.moving(start + 1h, false, 2));
  CHECK(movement.moving(start + 1h + 4s, true, 2));
  Movement patient(Duration{0});
  patient.moving(start, true, 1);
  CHECK(patient.moving(start + 24h, true, 1));
}
