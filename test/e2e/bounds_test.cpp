// Peers that want too much: connections, memory, answers that they do not read. The broker's bounds hold, and who was
// there before goes on.

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "test/e2e/eventually.hpp"
#include "test/e2e/stranger.hpp"
#include "test/folder.hpp"

namespace pointsman {
namespace {

using namespace std::chrono_literals;

const std::string hello = R"({"op":"hello"})";

// A TCP connection; -1 if there is none.
int connected(const std::string& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  static_cast<void>(::connect(socket, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address));
  return socket;
}

// The start of a ZMTP 3.0 connection with the NULL mechanism.
std::string greeting() {
  std::string text("\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL", 16);
  text.resize(64, '\0');
  return text + std::string("\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06"
                            "DEALER",
                            30);
}

// What the system says of a process, in /proc/PID/status.
std::uint64_t figure(pid_t pid, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1));
  }
  return 0;
}

std::uint64_t resident(pid_t pid) { return figure(pid, "VmRSS") * 1024; }

std::uint64_t counter(Stranger& peer, const std::string& name) {
  const auto answer = peer.ask({R"({"op":"status"})"});
  if (!answer || !std::holds_alternative<Stats>(*answer)) return 0;
  for (const Counter& one : std::get<Stats>(*answer).counters) {
    if (one.name == name) return one.value;
  }
  return 0;
}

// User and system time so far, in clock ticks.
std::uint64_t ticks(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  std::uint64_t user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

// A broker that can hold little.
const std::vector<std::string> small{"--clients",        "tcp://127.0.0.1:*", "--workers",       "tcp://127.0.0.1:*",
                                     "--connections-max", "40",                "--receive-queue", "4",
                                     "--send-queue",      "4",                 "--outbox-bytes",  "65536",
                                     "--sessions-max",    "1000",              "--waiting-max",   "1000",
                                     "--workers-max",     "1000",              "--remembered-max", "1000",
                                     "--services-max",    "1000",              "--demands-max",   "100",
                                     "--classes-max",     "100"};

TEST_CASE("bounds: a broker has no more memory than twice what it may have, whatever its limits allow") {
  const auto bound = [](const std::vector<std::string>& more) {
    std::vector<std::string> words{pointsman_program(), "broker", "--bounds", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const std::string text = run(words).out;
    const std::size_t at = text.find(R"("total":)");
    REQUIRE(at != std::string::npos);
    return std::stoull(text.substr(at + 8));
  };
  CHECK(bound({}) == 4ULL << 30);
  CHECK(bound({"--memory-max", "100000000"}) == 200'000'000);
  CHECK(bound({"--memory-max", "0"}) > 4ULL << 30);
  CHECK(bound({"--connections-max", "7", "--workers-max", "10", "--sessions-max", "10", "--waiting-max", "10",
               "--remembered-max", "10"}) < 1ULL << 30);
}

TEST_CASE("bounds: the program shows every limit and what they allow") {
  const auto text = run({pointsman_program(), "broker", "--connections-max", "7", "--bounds"});
  CHECK(text.code == 0);
  CHECK(text.out.find("connections_max") != std::string::npos);
  CHECK(text.out.find("memory at the very worst: ") != std::string::npos);
  const auto json = run({pointsman_program(), "broker", "--connections-max", "7", "--bounds", "--json"});
  CHECK(json.code == 0);
  CHECK(json.out.find(R"("bound":"connections_max","value":7)") != std::string::npos);
  CHECK(json.out.find(R"("total":)") != std::string::npos);
}

TEST_CASE("bounds: newcomers wait outside while there are too few descriptors and nobody else notices") {
  Process broker({"/bin/sh", "-c",
                  "ulimit -n 128 && exec " + pointsman_program() +
                      " broker --clients 'tcp://127.0.0.1:*' --workers 'tcp://127.0.0.1:*'"});
  std::string ready;
  REQUIRE(broker.wait_for_line("ready ", 20s, &ready));
  const std::string clients = ready.substr(14, ready.find(' ', 14) - 14);
  Stranger before(clients);
  REQUIRE(before.ask({hello}).has_value());

  // As many as it can hold: one after the other, since few may wait at its listener, and each says what it is, so that it stays.
  std::vector<int> crowd;
  const auto press = [&, words = greeting()] {
    crowd.push_back(connected(clients));
    static_cast<void>(::send(crowd.back(), words.data(), words.size(), MSG_NOSIGNAL));
  };
  REQUIRE(eventually([&] {
    press();
    return broker.err().find("newcomers have to wait") != std::string::npos;
  }));
  for (int i = 0; i < 200; ++i) press();
  CHECK(before.ask({hello}).has_value());

  // It does not run in circles meanwhile.
  const std::uint64_t first = ticks(broker.pid());
  const auto since = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - since < 1s) CHECK(before.ask({hello}).has_value());
  MESSAGE("clock ticks of the broker in a second: " << ticks(broker.pid()) - first);

  for (const int one : crowd) ::close(one);
  REQUIRE(eventually([&] { return broker.err().find("let in again") != std::string::npos; }));
  CHECK(before.ask({hello}).has_value());
  Stranger after(clients);
  CHECK(after.ask({hello}).has_value());
}

TEST_CASE("bounds: memory stays below what the limits allow under silent, slow and loud peers") {
  const BrokerProcess broker(small);
  Stranger honest(broker.clients);
  const std::uint64_t most = counter(honest, "memory_bound");
  REQUIRE(most > 0);
  REQUIRE(most < 512ULL * 1024 * 1024);

  // Two hundred names that make answers long.
  for (int i = 0; i < 200; ++i) {
    const std::string name(60, static_cast<char>('a' + i % 26));
    CHECK(honest.ask({R"({"op":"configure","service":")" + name + std::to_string(i) + R"(","queue_max":5})"}).has_value());
  }
  std::vector<int> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(connected(broker.clients));
  std::vector<std::unique_ptr<Stranger>> slow;
  for (int i = 0; i < 10; ++i) slow.push_back(std::make_unique<Stranger>(broker.clients));
  std::uint64_t peak = 0;
  for (int turn = 0; turn < 100; ++turn) {
    for (auto& one : slow) one->try_send({R"({"op":"list","of":"services","limit":1000})"});
    peak = std::max(peak, resident(broker.process->pid()));
  }
  for (int turn = 0; turn < 20; ++turn) {
    Stranger loud(broker.clients);
    loud.try_send({std::string(1024 * 1024, 'x')});
    CHECK(honest.ask({hello}).has_value());
    peak = std::max(peak, resident(broker.process->pid()));
  }
  MESSAGE("resident at most " << peak / 1024 << " KiB of " << most / 1024);
  CHECK(peak > 0);
  CHECK(peak < most);
  CHECK(honest.ask({hello}).has_value());
  for (const int one : silent) ::close(one);
}

TEST_CASE("bounds: a message without end costs the broker its process but not the machine") {
  auto arguments = small;
  arguments.insert(arguments.end(), {"--memory-max", "220000000"});
  BrokerProcess broker(arguments);
  Process& process = *broker.process;
  const int socket = connected(broker.clients);
  const auto send_all = [&](std::string_view bytes) {
    while (!bytes.empty()) {
      pollfd writable{.fd = socket, .events = POLLOUT, .revents = 0};
      if (::poll(&writable, 1, 20'000) != 1) return false;
      const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  };
  REQUIRE(send_all(greeting()));
  // It answers with a greeting of its own and READY once it has let the peer in.
  std::string answer;
  REQUIRE(eventually([&] {
    char bytes[256];
    const ssize_t got = ::recv(socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0) answer.append(bytes, static_cast<std::size_t>(got));
    return answer.size() > 100;
  }));
  // The head of a frame of 0x30000 bytes that another one follows.
  const std::string part = std::string("\x03\0\0\0\0\0\x03\0\0", 9) + std::string(0x30000, 'x');
  bool more = true;
  for (int i = 0; i < 20'000 && more; ++i) more = send_all(part);
  ::close(socket);
  const auto code = process.wait(20s);
  REQUIRE(code.has_value());
  CHECK(*code != 0);
  CHECK(process.err().find("twice memory_max") != std::string::npos);
}

TEST_CASE("bounds: who did what is written to the audit file, which only its owner can read") {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/audit";
  const BrokerProcess broker({"--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*", "--audit", file});
  Stranger worker(broker.workers);
  CHECK(worker.ask({R"({"op":"register","worker":"w\u0001\"1","instance":"i","services":[{"service":"zip"}],"endpoint":"tcp://127.0.0.1:9"})"})
            .has_value());
  CHECK(worker.refusal({R"({"op":"list","of":"workers"})"}) == Code::wrong_role);
  std::ifstream in(file);
  std::string first, second;
  REQUIRE(std::getline(in, first));
  REQUIRE(std::getline(in, second));
  CHECK(first.find(R"("event":"registered","worker":"w\u0001\"1","service":"zip")") != std::string::npos);
  CHECK(second.find(R"("event":"refused","code":"wrong-role","about":"list")") != std::string::npos);
  struct stat state {};
  REQUIRE(::stat(file.c_str(), &state) == 0);
  CHECK((state.st_mode & 0777) == 0600);
}

}  // namespace
}  // namespace pointsman
