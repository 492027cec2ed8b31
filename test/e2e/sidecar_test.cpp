// Shows that any command is a worker: each way, its mistakes, and that nothing of it is left behind.
#include "workers/sidecar.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "test/e2e/house.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace pointsman::e2e;
using namespace std::chrono_literals;
using workers::SidecarOptions;
using workers::Way;

namespace {

pid_t pid_in(const std::filesystem::path& file) {
  pid_t pid = 0;
  REQUIRE(wait_for([&] { return static_cast<bool>(std::ifstream(file) >> pid); }));
  return pid;
}

bool gone(pid_t pid) { return kill(pid, 0) != 0; }

// The error that a call ends with.
Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error came");
  return {Code::none, ""};
}

}  // namespace

TEST_CASE("each call is a process whose stdin is the request and whose stdout is the answer") {
  const House house;
  const auto sidecar = house.sidecar("tr a-z A-Z; echo $POINTSMAN_SERVICE $POINTSMAN_CALL $POINTSMAN_CLIENT");
  ClientOptions options = house.client();
  options.name = "ann";
  Client client(options);
  auto session = client.acquire("work");
  CHECK(joined(session.call({"ab", "cd\n"})) == "ABCD\nwork 1 ann\n");
  CHECK(joined(session.call({""})) == "work 2 ann\n");
}

TEST_CASE("an answer of many megabytes arrives whole") {
  const House house;
  const auto sidecar = house.sidecar("cat; head -c 6000000 /dev/zero | tr '\\0' x");
  Client client(house.client());
  const std::string request(3'000'000, 'y');
  CHECK(joined(client.call("work", {Frame(request)})) == request + std::string(6'000'000, 'x'));
}

TEST_CASE("a command that fails says so with its exit code and the end of its stderr") {
  const House house;
  const auto sidecar = house.sidecar("echo this went wrong >&2; exit 7");
  Client client(house.client());
  const Error error = error_of([&] { client.call("work", {"x"}); });
  CHECK(error.code == Code::failed);
  CHECK(error.exit == 7);
  CHECK(error.detail == "this went wrong\n");
}

TEST_CASE("a command that is killed fails its call and the next one is served") {
  const House house;
  const auto sidecar = house.sidecar("read line; [ \"$line\" = die ] && kill -9 $$; echo $line");
  Client client(house.client());
  auto session = client.acquire("work");
  CHECK(error_of([&] { session.call({"die\n"}); }).exit == 128 + SIGKILL);
  CHECK(joined(session.call({"live\n"})) == "live\n");
}

TEST_CASE("too long and too much are ended with a reason") {
  const House house;
  const auto slow = house.sidecar("exec sleep 600", {.services = {{.service = "slow"}}, .time_limit = Milliseconds(100)});
  const auto loud = house.sidecar("exec cat /dev/zero", {.services = {{.service = "loud"}}, .output_bytes = 1000});
  Client client(house.client());
  CHECK(error_of([&] { client.call("slow", {"x"}); }).code == Code::timed_out);
  const Error error = error_of([&] { client.call("loud", {"x"}); });
  CHECK(error.code == Code::limit_reached);
  CHECK(std::string(error.what()).find("1000 bytes") != std::string::npos);
}

TEST_CASE("work that nobody waits for any more is killed") {
  const House house;
  const TemporaryFolder folder;
  const auto sidecar = house.sidecar("echo $$ > " + folder / "pid" + "; exec sleep 600");
  Client client(house.client());
  error_of([&] { client.call("work", {"x"}, {}, {.limit = 1000ms}); });
  CHECK(wait_for([pid = pid_in(folder / "pid")] { return gone(pid); }));
}

TEST_CASE("a call that takes longer than the lease does not cost it") {
  const House house(1s);
  const auto sidecar = house.sidecar("sleep 3; echo done");
  Client client(house.client());
  auto session = client.acquire("work", {.reassign = 0});
  CHECK(joined(session.call({"x"})) == "done\n");
}

TEST_CASE("a filter answers a line with a line and is one process") {
  const House house;
  const auto sidecar = house.sidecar("while read line; do echo $$ $line; done", {.way = Way::filter});
  Client client(house.client());
  auto session = client.acquire("work");
  const std::string first = joined(session.call({"a"}));
  const std::string second = joined(session.call({"b\n"}));
  CHECK(first.substr(0, first.find(' ')) == second.substr(0, second.find(' ')));
  CHECK(second.ends_with(" b"));
  CHECK(error_of([&] { session.call({"two\nlines"}); }).code == Code::failed);
}

TEST_CASE("a filter that dies fails its call and is started again") {
  const House house;
  const auto sidecar =
      house.sidecar("while read line; do [ $line = die ] && exit 3; echo $line; done", {.way = Way::filter});
  Client client(house.client());
  auto session = client.acquire("work");
  CHECK(error_of([&] { session.call({"die"}); }).exit == 3);
  CHECK(joined(session.call({"live"})) == "live");
}

TEST_CASE("a server of its own is granted once it accepts connections and its sessions end by release") {
  const House house;
  const auto sidecar = house.sidecar(
      "exec python3 -c \"\n"
      "import os, socket\n"
      "host, port = os.environ['POINTSMAN_BIND'].split('//')[1].split(':')\n"
      "s = socket.create_server((host, int(port)))\n"
      "while True:\n"
      "  c, _ = s.accept(); c.sendall(b'hello'); c.close()\n\"",
      {.way = Way::server});
  Client client(house.client());
  for (int i = 0; i < 3; ++i) {  // one slot: each must be given back
    auto session = client.acquire("work");
    CHECK(session.grant().direct == Direct::own);
    CHECK(session.grant().endpoint.starts_with("tcp://127.0.0.1:"));
    session.release();
  }
}

TEST_CASE("a server that dies is not granted until it is back") {
  const House house;
  const TemporaryFolder folder;
  const std::string pid_file = folder / "pid";
  const auto sidecar = house.sidecar(
      "exec python3 -c \"\n"
      "import os, socket\n"
      "host, port = os.environ['POINTSMAN_BIND'].split('//')[1].split(':')\n"
      "s = socket.create_server((host, int(port)))\n"
      "open('" + pid_file + "', 'w').write(str(os.getpid()) + chr(10))\n"
      "while True: s.accept()\n\"",
      {.way = Way::server});
  const pid_t pid = pid_in(pid_file);
  Client client(house.client());
  const std::string before = client.acquire("work").grant().endpoint;
  kill(pid, SIGKILL);
  CHECK(wait_for([&] { return gone(pid); }));
  CHECK(wait_for([&] {
    try {
      return client.acquire("work", {.absent = true}).grant().endpoint != before;
    } catch (const Error&) {
      return false;
    }
  }));
}

TEST_CASE("an endpoint that exists already needs no command") {
  const House house;
  const auto sidecar = house.sidecar("", {.way = Way::server, .endpoint = "http://127.0.0.1:8080"});
  Client client(house.client());
  CHECK(client.acquire("work").grant().endpoint == "http://127.0.0.1:8080");
}

TEST_CASE("copies are workers with names of their own") {
  const House house;
  SidecarOptions options{.copies = 3, .name = "w", .command = {"cat"}};
  const auto sidecar = house.start(options);
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) names.push_back(value_of(sidecar->line(), "worker"));
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"w-1", "w-2", "w-3"});
  sidecar->signal(SIGTERM);
  CHECK(sidecar->status() == 0);
}

TEST_CASE("a command that does not exist is told before anything is registered") {
  const House house;
  const auto sidecar = house.start({.command = {"no-such-command-anywhere"}});
  const auto status = sidecar->status();
  REQUIRE(status);
  CHECK(WEXITSTATUS(*status) == 127);
}

TEST_CASE("a stopped side car leaves nothing behind even what has cut its ties") {
  const TemporaryFolder folder;
  const std::string away = folder / "away";
  const std::string near = folder / "near";
  const House house;
  // One process stays; the other forks twice into a session of its own and ignores being asked.
  const std::string command = "(setsid sh -c 'trap \"\" TERM; echo $$ > " + away + "; sleep 600' </dev/null >/dev/null 2>&1 &); "
                              "echo $$ > " + near + "; exec sleep 600";
  SidecarOptions options{.grace = Milliseconds(200)};
  SUBCASE("by SIGTERM") {
    const auto sidecar = house.sidecar(command, options);
    Client client(house.client());
    auto session = client.acquire("work", {.reassign = 0});
    session.call_async({"x"}, [](auto, auto) {});
    const pid_t first = pid_in(near), second = pid_in(away);
    sidecar->signal(SIGTERM);
    CHECK(sidecar->status() == 0);
    CHECK(gone(first));
    CHECK(gone(second));
  }
  SUBCASE("by a second SIGTERM at once") {
    options.grace = Milliseconds(600'000);
    const auto sidecar = house.sidecar("trap '' TERM; " + command, options);
    Client client(house.client());
    auto session = client.acquire("work", {.reassign = 0});
    session.call_async({"x"}, [](auto, auto) {});
    const pid_t first = pid_in(near), second = pid_in(away);
    for (int i = 0; i < 3; ++i) {
      sidecar->signal(SIGTERM);
      poll(nullptr, 0, 50);  // two signals at once are one
    }
    CHECK(sidecar->status() == 0);
    CHECK(gone(first));
    CHECK(gone(second));
  }
  SUBCASE("by SIGKILL what still belongs to it") {
    const auto sidecar = house.sidecar("echo $$ > " + near + "; exec sleep 600", options);
    Client client(house.client());
    auto session = client.acquire("work", {.reassign = 0});
    session.call_async({"x"}, [](auto, auto) {});
    const pid_t first = pid_in(near);
    sidecar->signal(SIGKILL);
    CHECK(wait_for([&] { return gone(first); }));
  }
  SUBCASE("by SIGKILL of one of several copies even what has cut its ties") {
    options.copies = 2;
    const auto sidecar = house.sidecar(command, options);
    REQUIRE(sidecar->line().starts_with("ready"));
    Client client(house.client());
    auto session = client.acquire("work", {.reassign = 0});
    session.call_async({"x"}, [](auto, auto) {});
    const pid_t first = pid_in(near), second = pid_in(away);
    pid_t copy = 0;
    std::ifstream stat("/proc/" + std::to_string(first) + "/stat");
    std::string skipped;
    stat >> skipped >> skipped >> skipped >> copy;  // its parent
    kill(copy, SIGKILL);
    CHECK(wait_for([&] { return gone(first) && gone(second); }));
    sidecar->signal(SIGTERM);
    sidecar->status();
  }
}
