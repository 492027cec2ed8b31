// Shows how brokers are found by asking everybody near: over the loopback interface, with real processes.

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

using Arguments = std::vector<std::string>;

// A group that no other test has.
std::string group_of_test() {
  static int count = 0;
  return "test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

Arguments command(const Arguments& options) {
  Arguments words{pointsman_program()};
  words.insert(words.end(), options.begin(), options.end());
  return words;
}
Result ask(const Arguments& options) { return run(command(options)); }

// Asks again until stdout or stderr has `part`: on a busy machine an answer may be late.
Result ask_until(const std::string& part, const Arguments& options) {
  Result result;
  eventually([&] {
    result = ask(options);
    return has(result.out, part) || has(result.err, part);
  });
  return result;
}

struct Broker {
  explicit Broker(const Arguments& more) : process(words(more)) {
    std::string ready;
    REQUIRE_MESSAGE(process.wait_for_line("ready clients=", 20s, &ready), process.err());
    clients = ready.substr(14, ready.find(' ', 14) - 14);
  }
  static Arguments words(const Arguments& more) {
    Arguments all = command({"broker", "--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*"});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Process process;
  std::string clients;
};

// Answers every question on the loopback interface with what it is told, N standing for the nonce; says when it is ready.
const char* const liar = R"(
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 5572))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
             struct.pack('4s4si', socket.inet_aton('239.255.80.77'), bytes(4), socket.if_nametoindex('lo')))
print('ready', flush=True)
text = lambda t: struct.pack('>H', len(t)) + t.encode()
while True:
    question, who = s.recvfrom(2000)
    for nonce in (question[8:24], bytes(16)):
        s.sendto(b'PMAN\1\2\0\0' + nonce + text(sys.argv[1]) + text('liar') + text('tcp://127.0.0.1:9') + text('') + bytes(32)
                 + struct.pack('>QQ', 1, 10000), who)
    s.sendto(b'nonsense', who)
)";

// Hears a question for brokers of a group, asks the same itself until one answers, and answers every later one with that.
const char* const parrot = R"(
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 5572))
everybody = struct.pack('4s4si', socket.inet_aton('239.255.80.77'), bytes(4), socket.if_nametoindex('lo'))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, everybody)
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, everybody)
print('ready', flush=True)
own.settimeout(0.2)
answer = None
while True:
    question, who = s.recvfrom(2000)
    if sys.argv[1].encode() not in question:
        continue
    if answer:
        s.sendto(answer, who)
        continue
    own.sendto(question, ('239.255.80.77', 5572))
    try:
        while not answer:
            heard, _ = own.recvfrom(2000)
            if heard[6] == 1 and sys.argv[1].encode() in heard:  # sealed: others may answer, too
                answer = heard
                print('learnt', flush=True)
    except socket.timeout:
        pass
)";

}  // namespace

TEST_CASE("e2e discovery: workers and clients find a broker of which they were told the group only") {
  const std::string group = group_of_test();
  const Broker broker({"--group", group});
  Process worker(
      command({"worker", "--broker", "auto:" + group, "--service", "shout", "--attribute", "mem=64G", "--", "tr", "a-z",
               "A-Z"}));
  REQUIRE_MESSAGE(worker.wait_for_line("ready worker=", 20s), worker.err());
  const Result called = ask({"call", "shout", "found", "--broker", "auto:" + group});
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK(called.out == "FOUND");

  const Result found = ask_until(broker.clients, {"discover", "--group", group, "--trace"});
  CHECK_MESSAGE(found.code == 0, found.err);
  CHECK(has(found.out, broker.clients));
  CHECK(has(found.err, "lo 127.0.0.1: asked"));
  CHECK_MESSAGE(has(found.err, "lo 127.0.0.1: heard 127.0.0.1 ("), found.err);
  CHECK_MESSAGE(has(found.err, " of the group " + group + "): clients " + broker.clients), found.err);
  const std::string shown = "\"clients\":\"" + broker.clients + "\"";
  CHECK(has(ask_until(shown, {"discover", "--group", group, "--service", "shout", "--json"}).out, shown));
  const auto asked = [&](const std::string& when) {
    return Arguments{"discover", "--group", group, "--service", "shout", "--when", when, "--json"};
  };
  CHECK(has(ask_until(shown, asked("mem >= 48G")).out, shown));
  // Why nobody was found.
  const std::string poor = "; without such a worker ";
  CHECK(has(ask_until(poor, asked("mem >= 128G")).err, poor));
  const Result of_none = ask({"discover", "--when", "mem >= 1"});
  CHECK(of_none.code == 2);
  CHECK_MESSAGE(has(of_none.err, "--service"), of_none.err);
  const std::string silent = "; without that service ", elsewhere = "of the group " + group + " ";
  CHECK(has(ask_until(silent, {"discover", "--group", group, "--service", "whisper", "--wait", "300ms"}).err,
            silent));
  const Result foreign =
      ask_until(elsewhere, {"discover", "--group", group + "x", "--wait", "300ms", "--json"});
  CHECK(foreign.code == 3);
  CHECK(has(foreign.out, "\"others\":[{"));
  CHECK(has(foreign.err, elsewhere));
}

TEST_CASE(
    "e2e discovery: clients and workers say with --trace where they looked, and take all sources at once") {
  const std::string group = group_of_test();
  const Broker broker({"--group", group});
  const TemporaryFolder folder;
  const std::string sources = "file:" + folder.path() + "/none,env:ELSEWHERE,auto:" + group;
  const Surroundings told{.input = {}, .environment = {"ELSEWHERE=dns:nobody.invalid"}};
  Process worker(command({"worker", "--broker", sources, "--service", "all", "--trace", "--", "cat"}), told);
  REQUIRE_MESSAGE(worker.wait_for_line("ready worker=", 20s), worker.err());
  const Arguments words{"call", "all", "of it", "--broker", sources, "--trace"};
  const Result called = run(command(words), told);
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK(called.out == "of it");
  for (const std::string& said : {called.err, worker.err()}) {
    CHECK_MESSAGE(has(said, "# file:" + folder.path() + "/none: cannot be read"), said);
    CHECK(has(said, "# auto:" + group + ": lo 127.0.0.1: asked"));
    CHECK(has(said, "# auto:" + group + ": lo 127.0.0.1: heard 127.0.0.1 "));
  }
  const Result unset = ask(words);
  CHECK(unset.code == 2);
  CHECK_MESSAGE(has(unset.err, "\"ELSEWHERE\" is not set"), unset.err);
}

TEST_CASE("e2e discovery: a broker that names no group is not found") {
  const Broker broker({});
  const Result nobody = ask({"discover", "--json", "--wait", "300ms"});
  CHECK_FALSE(has(nobody.out, broker.clients));
}

TEST_CASE("e2e discovery: who waits finds a broker that starts later, and another one when it is gone") {
  const std::string group = group_of_test();
  Process early(
      command({"worker", "--broker", "auto:" + group, "--service", "who", "--lease", "1s", "--", "cat"}));
  auto first = std::make_unique<Broker>(Arguments{"--group", group});
  REQUIRE_MESSAGE(early.wait_for_line("ready worker=", 20s), early.err());
  const Broker second({"--group", group});
  first.reset();
  const Result called = ask(
      {"call", "who", "still", "--broker", "auto:" + group, "--absent", "--wait", "20s", "--timeout", "30s"});
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK(called.out == "still");
}

TEST_CASE("e2e discovery: with the key of a realm only those who have it are heard") {
  const TemporaryFolder folder;
  const std::string ours = folder.path() + "/ours", theirs = folder.path() + "/theirs";
  CHECK(ask({"keys", "make", "--realm", ours}).code == 0);
  CHECK(ask({"keys", "make", "--realm", theirs}).code == 0);
  CHECK(ask({"keys", "make", "--realm", ours}).code == 2);
  CHECK(ask({"keys", "make"}).code == 2);
  const std::string group = group_of_test();
  const Broker broker({"--group", group, "--realm", ours});
  CHECK(has(ask_until(broker.clients, {"discover", "--group", group, "--realm", ours}).out, broker.clients));
  CHECK(ask({"discover", "--group", group, "--realm", theirs, "--wait", "300ms"}).code == 3);
  CHECK(ask({"discover", "--group", group, "--wait", "300ms"}).code == 3);
  CHECK(ask({"ls", "--broker", "auto:" + group, "--realm", ours}).code == 0);
  CHECK(eventually([&] { return has(broker.process.err(), "not answered: "); }));
}

TEST_CASE("e2e discovery: what is forged, repeated or no answer at all is counted and not believed") {
  const TemporaryFolder folder;
  const std::string realm = folder.path() + "/realm";
  REQUIRE(ask({"keys", "make", "--realm", realm}).code == 0);
  const std::string group = group_of_test();
  Process forger({"/usr/bin/python3", "-c", liar, group});
  REQUIRE(forger.wait_for_line("ready", 20s));
  const Result sealed =
      ask_until("it is no answer of a broker", {"discover", "--group", group, "--realm", realm, "--json"});
  CHECK(sealed.code == 3);
  CHECK(has(sealed.out, "\"brokers\":[]"));
  CHECK(has(sealed.out, "it is not sealed"));
  CHECK(has(sealed.out, "it is no answer of a broker"));
  // Without a realm whoever answers is believed, but not twice.
  const Result open = ask_until("it may be a repeated one", {"discover", "--group", group, "--json"});
  CHECK(open.code == 0);
  CHECK(has(open.out, "liar"));
  CHECK(has(open.out, "it may be a repeated one"));
}

TEST_CASE(
    "e2e discovery: a sealed answer that is sent again does not count, and the broker is found all the "
    "same") {
  const TemporaryFolder folder;
  const std::string realm = folder.path() + "/realm";
  REQUIRE(ask({"keys", "make", "--realm", realm}).code == 0);
  const std::string group = group_of_test();
  Process repeater({"/usr/bin/python3", "-c", parrot, group});
  REQUIRE(repeater.wait_for_line("ready", 20s));
  const Broker broker({"--group", group, "--realm", realm});
  const Arguments words{"discover", "--group", group, "--realm", realm, "--json"};
  REQUIRE(eventually([&] { return ask(words).code == 0 && repeater.wait_for_line("learnt", 1s); }));
  const Result again = ask_until("it may be a repeated one", words);
  CHECK(again.code == 0);
  CHECK(has(again.out, broker.clients));
  CHECK_MESSAGE(has(again.out, "it may be a repeated one"), again.out);
}

TEST_CASE("e2e discovery: the key of a broker is believed by the seal of its realm") {
  const TemporaryFolder folder;
  const auto file = [&](const std::string& name) { return folder.path() + "/" + name; };
  REQUIRE(ask({"keys", "make", file("broker")}).code == 0);
  REQUIRE(ask({"keys", "make", file("ann")}).code == 0);
  REQUIRE(ask({"keys", "make", "--realm", file("realm")}).code == 0);
  REQUIRE(
      ask({"keys", "allow", "--allowed", file("allowed"), "ann", file("ann.pub"), "--role", "client,admin"})
          .code == 0);
  const std::string group = group_of_test();
  const Broker broker(
      {"--group", group, "--realm", file("realm"), "--key", file("broker"), "--allowed", file("allowed")});
  const Arguments list{"ls", "--broker", "auto:" + group, "--key", file("ann")};
  const auto with = [&](Arguments words, const Arguments& more) {
    words.insert(words.end(), more.begin(), more.end());
    return ask(words);
  };
  const Result found = with(list, {"--realm", file("realm")});
  CHECK_MESSAGE(found.code == 0, found.err);
  CHECK(with(list, {"--realm", file("realm"), "--broker-key", file("broker.pub")}).code == 0);
  // Found, but with another key than was asked for.
  CHECK(with(list, {"--realm", file("realm"), "--broker-key", file("ann.pub"), "--timeout", "2s"}).code != 0);
}
