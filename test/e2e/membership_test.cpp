// Shows brokers that are in a list in a real etcd: who is found there, who may grant, and what a lost etcd changes.

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "clients/client.hpp"
#include "protocol/base64.hpp"
#include "protocol/etcd.hpp"
#include "test/e2e/arguments.hpp"
#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

bool is_free(int port) {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = ::bind(probe, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  ::close(probe);
  return free;
}

// Two ports in a row that nobody has: below those that the system gives away, so that they stay free while etcd is away.
int free_ports() {
  for (int port = 20'000 + ::getpid() % 6000 * 2; port < 32'700; port += 2) {
    if (is_free(port) && is_free(port + 1)) return port;
  }
  FAIL("no port is free");
  return 0;
}

// A cluster of one, in a folder of its own.
class Etcd {
 public:
  Etcd() : port_(free_ports()) { start(); }

  void start() {
    const std::string clients = "http://127.0.0.1:" + std::to_string(port_);
    const std::string peers = "http://127.0.0.1:" + std::to_string(port_ + 1);
    process = std::make_unique<Process>(
        Arguments{"etcd", "--data-dir", folder_.path() + "/etcd", "--listen-client-urls", clients,
                  "--advertise-client-urls", clients, "--listen-peer-urls", peers,
                  "--initial-advertise-peer-urls", peers, "--initial-cluster", "default=" + peers});
  }

  std::string list() const { return "etcd://127.0.0.1:1,127.0.0.1:" + std::to_string(port_) + "/fleet"; }

  etcd::Or<std::string> asked(const std::string& path, const std::string& body) const {
    return etcd::ask("http://127.0.0.1:" + std::to_string(port_), {"/v3/" + path, body}, 5s);
  }
  void ask(const std::string& path, const std::string& body) const {
    const auto answer = asked("auth/" + path, body);
    const auto* trouble = std::get_if<etcd::Trouble>(&answer);
    REQUIRE_MESSAGE(trouble == nullptr, path << ": " << trouble->text);
  }

  std::unique_ptr<Process> process;

 private:
  TemporaryFolder folder_;
  const int port_;
};

// A broker at two sockets, in a list or not.
class Broker {
 public:
  Broker(const std::string& folder, const std::string& name, const Arguments& more,
         const Arguments& environment = {})
      : clients("ipc://" + folder + "/" + name + ".c"),
        workers("ipc://" + folder + "/" + name + ".w"),
        more_(more),
        environment_(environment) {
    start();
  }

  void start() {
    broker = std::make_unique<Process>(Arguments{pointsman_program(), "broker", "--clients", clients,
                                                 "--workers", workers, "--drain", "10s"} +
                                           more_,
                                       Surroundings{.input = {}, .environment = environment_});
    REQUIRE_MESSAGE(broker->wait_for_line("ready clients=", 20s), broker->err());
  }

  Process& worker(const std::string& name, const std::string& at = {}) {
    Process& started = fleet.emplace_back(
        Arguments{pointsman_program(), "worker", "--broker", at.empty() ? workers : at, "--name", name,
                  "--service", "who", "--slots", "4", "--", "sh", "-c", "cat >/dev/null; printf " + name});
    REQUIRE_MESSAGE(started.wait_for_line("ready worker=", 20s), started.err());
    return started;
  }

  Result call(const Arguments& more = {}) const {
    return run(Arguments{pointsman_program(), "call", "who", "x", "--broker", clients} + more);
  }

  // What `status` says of a counter; 0: nothing.
  std::uint64_t counter(const std::string& name) const {
    const std::string all = run({pointsman_program(), "status", "--json", "--broker", clients}).out;
    const std::string key = "{\"name\":\"" + name + "\",\"value\":";
    const auto at = all.find(key);
    return at == std::string::npos ? 0 : std::stoull(all.substr(at + key.size()));
  }
  std::uint64_t revision() const { return counter("membership_revision"); }
  bool enters() const {
    return eventually([&] { return revision() > 0; });
  }

  const std::string clients;
  const std::string workers;
  std::unique_ptr<Process> broker;
  std::list<Process> fleet;

 private:
  const Arguments more_;
  const Arguments environment_;
};

bool has_etcd() {
  if (run({"sh", "-c", "command -v etcd"}).code == 0) return true;
  MESSAGE("skipped: etcd is not installed; on Debian: apt-get install etcd-server (or run scripts/setup)");
  return false;
}

}  // namespace

TEST_CASE(
    "e2e membership: brokers grant while they are in the list in etcd, whoever looks there finds them, and "
    "what is open stays open") {
  if (!has_etcd()) return;
  Etcd etcd;
  TemporaryFolder folder;
  const auto member = [&](const std::string& name) {
    return Arguments{"--membership", etcd.list(), "--membership-ttl", "2s", "--name", name};
  };
  Broker one(folder.path(), "one", member("one"));
  Broker two(folder.path(), "two", member("two"));
  one.worker("w1");
  two.worker("w2");
  REQUIRE_MESSAGE(one.enters(), one.broker->err());
  REQUIRE_MESSAGE(two.enters(), two.broker->err());
  Broker same(folder.path(), "same", member("one"));

  // Clients and workers.
  const Result called = run(
      {pointsman_program(), "call", "who", "-n", "8", "--fresh", "--separate", "x", "--broker", etcd.list()});
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK_MESSAGE((has(called.out, "w1") && has(called.out, "w2")), called.out);
  const std::string scripts = POINTSMAN_SCRIPTS;
  const auto finds = [&](Arguments words) {
    words.push_back("ipc://first," + etcd.list() + ",ipc://last");
    const Result found = run(words);
    CHECK_MESSAGE(found.out == "ipc://first\n" + one.clients + "\n" + two.clients + "\nipc://last\n",
                  found.err);
  };
  finds({"/usr/bin/python3", scripts + "/python/brokers.py"});
  if (std::filesystem::exists(scripts + "/node/node_modules")) finds({"node", scripts + "/node/brokers.mjs"});
  one.worker("w3", etcd.list());
  CHECK(one.counter("workers") + two.counter("workers") == 3);

  // One of the same name never grants, and hears why.
  CHECK(same.revision() == 0);
  CHECK_MESSAGE(same.broker->wait(20s) == 125, same.broker->err());
  CHECK_MESSAGE(has(same.broker->err(), "the broker at " + one.clients + " has the name \"one\""),
                same.broker->err());
  CHECK_MESSAGE(has(same.broker->err(), "--name"), same.broker->err());

  // Without etcd nobody is granted anything, and nothing else changes.
  const std::uint64_t before = one.revision();
  Client client({.broker = one.clients});
  Session session = client.acquire("who");
  const auto answers = [&] { return has("w1 w3", std::string(session.call({Frame("x")}).front().view())); };
  CHECK(answers());
  etcd.process->signal(SIGSTOP);
  CHECK(eventually([&] { return one.counter("suspended") == 1 && two.counter("suspended") == 1; }));
  CHECK(answers());
  const Result refused = one.call({"--wait", "0s"});
  CHECK_MESSAGE(has(refused.err, "may grant nothing"), refused.err);
  Process waits({pointsman_program(), "call", "who", "x", "--wait", "60s", "--broker",
                 one.clients + "," + two.clients});
  etcd.process->signal(SIGKILL);
  CHECK(etcd.process->wait(20s) == 128 + SIGKILL);
  CHECK(answers());
  CHECK(one.counter("granted") > 0);
  CHECK(one.counter("workers") + two.counter("workers") == 3);

  // Back, it goes on by new entries.
  etcd.start();
  CHECK_MESSAGE(waits.wait(30s) == 0, waits.err());
  CHECK(eventually([&] { return one.counter("suspended") == 0 && two.counter("suspended") == 0; }));
  CHECK(one.revision() > before);
  CHECK(one.call().code == 0);
  CHECK(answers());

  // A broker that stops leaves its name to the next one; from one that is frozen it is taken when its lease has ended, and it
  // grants nothing any more when it comes to itself.
  const std::uint64_t last = one.revision();
  one.broker->signal(SIGTERM);
  CHECK_MESSAGE(one.broker->wait(20s) == 0, one.broker->err());
  one.start();
  two.broker->signal(SIGSTOP);
  Broker next(folder.path(), "next", member("two"));
  next.worker("w4");
  REQUIRE_MESSAGE(one.enters(), one.broker->err());
  REQUIRE_MESSAGE(next.enters(), next.broker->err());
  CHECK_FALSE(has(one.broker->err(), "has the name"));
  CHECK(has(next.broker->err(), "the broker at " + two.clients + " has the name"));
  CHECK(one.revision() > last);
  two.broker->signal(SIGCONT);
  CHECK_MESSAGE(has(two.call({"--wait", "0s"}).err, "may grant nothing"), two.broker->err());
  CHECK(next.call().out == "w4");
  CHECK(answers());
}

TEST_CASE("e2e membership: an etcd that knows its users is told who asks, and again when it has forgotten") {
  if (!has_etcd()) return;
  Etcd etcd;
  REQUIRE(eventually([&] { return std::holds_alternative<std::string>(etcd.asked("maintenance/status", "{}")); }));
  etcd.ask("user/add", R"({"name":"root","password":"r"})");
  etcd.ask("role/add", R"({"name":"root"})");
  etcd.ask("user/grant", R"({"user":"root","role":"root"})");
  etcd.ask("user/add", R"({"name":"fleet","password":"a:\"b"})");
  etcd.ask("role/add", R"({"name":"fleet"})");
  etcd.ask("role/grant", R"({"name":"fleet","perm":{"permType":"READWRITE","key":")" + to_base64("/fleet/") +
                             R"(","range_end":")" + to_base64("/fleet0") + "\"}}");
  etcd.ask("user/grant", R"({"user":"fleet","role":"fleet"})");
  etcd.ask("enable", "{}");

  TemporaryFolder folder;
  const auto member = [&](const std::string& name) {
    return Arguments{"--membership", etcd.list(), "--membership-ttl", "2s", "--name", name};
  };
  const Arguments user{"POINTSMAN_ETCD_USER=fleet:a:\"b"};
  Broker one(folder.path(), "one", member("one"), user);
  one.worker("w1");
  REQUIRE_MESSAGE(one.enters(), one.broker->err());
  const auto call = [&](const Arguments& environment) {
    return run({pointsman_program(), "call", "who", "x", "--broker", etcd.list(), "--wait", "2s"},
               {.input = {}, .environment = environment});
  };
  CHECK(call(user).out == "w1");
  const std::string scripts = POINTSMAN_SCRIPTS;
  const auto found = [&](const Arguments& words) {
    return run(words + Arguments{etcd.list()}, {.input = {}, .environment = user}).out;
  };
  CHECK(found({"/usr/bin/python3", scripts + "/python/brokers.py"}) == one.clients + "\n");
  if (std::filesystem::exists(scripts + "/node/node_modules"))
    CHECK(found({"node", scripts + "/node/brokers.mjs"}) == one.clients + "\n");

  // Nobody, and somebody else.
  CHECK(call({}).code == 3);
  Broker nobody(folder.path(), "nobody", member("nobody"));
  CHECK(eventually([&] { return has(nobody.broker->err(), "set POINTSMAN_ETCD_USER=NAME:PASSWORD"); }));
  Broker wrong(folder.path(), "wrong", member("wrong"), {"POINTSMAN_ETCD_USER=fleet:b"});
  CHECK_MESSAGE(eventually([&] { return has(wrong.broker->err(), "invalid user ID or password"); }), wrong.broker->err());
  Broker unformed(folder.path(), "unformed", member("unformed"), {"POINTSMAN_ETCD_USER=fleet"});
  CHECK(eventually([&] { return has(unformed.broker->err(), "not of the form NAME:PASSWORD"); }));
  CHECK(nobody.revision() + wrong.revision() + unformed.revision() == 0);

  // When users change the tokens of before are worth nothing, and so they are when it is started anew.
  const std::uint64_t entered = one.revision();
  const auto stays = [&] {
    const auto since = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - since < 3s) REQUIRE(one.counter("suspended") == 0);
  };
  ::setenv("POINTSMAN_ETCD_USER", "root:r", 1);
  etcd.ask("user/add", R"({"name":"other","password":"o"})");
  ::unsetenv("POINTSMAN_ETCD_USER");
  stays();
  CHECK(one.revision() == entered);
  CHECK(call(user).out == "w1");
  etcd.process->signal(SIGKILL);
  CHECK(etcd.process->wait(20s) == 128 + SIGKILL);
  CHECK(eventually([&] { return one.counter("suspended") == 1; }));
  etcd.start();
  CHECK(eventually([&] { return one.counter("suspended") == 0; }));
  stays();
  CHECK(one.revision() > entered);
  CHECK(call(user).out == "w1");
}

TEST_CASE("e2e membership: without any etcd a broker grants nothing, unless it may do so alone") {
  TemporaryFolder folder;
  const Arguments nowhere{"--membership", "etcd://127.0.0.1:1/fleet"};
  Broker waits(folder.path(), "waits", nowhere);
  waits.worker("w1");
  Broker alone(folder.path(), "alone", nowhere + Arguments{"--grants-alone"});
  alone.worker("w2");
  CHECK(has(waits.call({"--wait", "0s"}).err, "may grant nothing"));
  CHECK(alone.call().out == "w2");
  CHECK_MESSAGE(has(waits.broker->err(), "the list of brokers cannot be had: http://127.0.0.1:1: "),
                waits.broker->err());

  const Result lost =
      run({pointsman_program(), "call", "who", "x", "--broker", "etcd://127.0.0.1:1/fleet", "--wait", "1s"});
  CHECK(lost.code == 3);
  CHECK_MESSAGE(has(lost.err, "etcd://127.0.0.1:1/fleet"), lost.err);
}

TEST_CASE("e2e membership: what cannot be is said, with what to do") {
  const auto wrong = [](const Arguments& more, const std::string& part) {
    const Result result = run(Arguments{pointsman_program(), "broker"} + more);
    CHECK(result.code == 2);
    CHECK_MESSAGE(has(result.err, part), result.err);
  };
  wrong({"--membership", "etcd://127.0.0.1:1"}, "etcd://HOST:PORT/PREFIX");
  wrong({"--membership", "http://127.0.0.1:1/x"}, "etcd://");
  wrong({"--membership", "etcd://127.0.0.1:1/x", "--clients", "tcp://0.0.0.0:5999", "--insecure"},
        "--endpoint tcp://");
  wrong({"--membership", "etcd://127.0.0.1:1/x", "--workers", "tcp://*:5999", "--insecure"},
        "--workers-endpoint tcp://");
  wrong({"--membership", "etcd://127.0.0.1:1/x", "--membership-ttl", "1s"}, "--membership-ttl");
}
