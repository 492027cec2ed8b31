// Shows how brokers are found on networks of their own: on several interfaces, by IPv6 alone, on one that comes later, where
// nothing carries multicast, and when the one that was found is cut off.

#include <doctest/doctest.h>

#include <list>

#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/faults/nets.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace pointsman::faults;
using namespace std::chrono_literals;

namespace {

using Arguments = std::vector<std::string>;

// Programs in the networks of their parties.
struct Town {
  explicit Town(const Arguments& parties) : nets(parties) {}

  Arguments command(const std::string& party, const Arguments& words) const {
    Arguments all = nets.within(party);
    all.push_back(pointsman_program());
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  Result ask(const std::string& party, const Arguments& words) const { return run(command(party, words)); }

  // Of the group lab, on all addresses of its party.
  Process& broker(const std::string& party, const std::string& host, const Arguments& more = {}) {
    Arguments words{"broker",    "--insecure",
                    "--group",   "lab",
                    "--clients", "tcp://" + host + ":5570",
                    "--workers", "tcp://" + host + ":5571"};
    words.insert(words.end(), more.begin(), more.end());
    Process& started = processes.emplace_back(command(party, words));
    REQUIRE_MESSAGE(started.wait_for_line("ready clients=", 20s), started.err());
    return started;
  }
  Result discover(const std::string& party, const Arguments& more = {}) const {
    Arguments words{"discover", "--group", "lab", "--json", "--trace", "--wait", "500ms"};
    words.insert(words.end(), more.begin(), more.end());
    return ask(party, words);
  }
  // Asks again if it must: on a busy machine an answer may be late.
  bool finds(const std::string& party, const std::string& endpoint) const {
    return eventually([&] { return hears(party, endpoint); });
  }
  bool hears(const std::string& party, const std::string& endpoint) const {
    return has(discover(party).out, "\"clients\":\"" + endpoint + "\"");
  }
  bool knows(const std::string& party, const std::string& worker) const {
    return has(ask(party, {"ls", "workers", "--broker", "tcp://127.0.0.1:5570"}).out, worker);
  }

  Nets nets;
  std::list<Process> processes;
};

}  // namespace

TEST_CASE("a broker on several networks is found on each by the address that works there") {
  Town town({"b", "one", "two"});
  town.nets.second({"b", "two"});
  town.nets.in("two", "ip link set eth0 down");
  town.broker("b", "0.0.0.0");
  const std::string first = "tcp://" + town.nets.address("b") + ":5570";
  const std::string second = "tcp://" + town.nets.second_address("b") + ":5570";
  CHECK(town.finds("one", first));
  CHECK_FALSE(town.hears("one", second));
  CHECK(town.finds("two", second));
  CHECK_FALSE(town.hears("two", first));
  for (const std::string party : {"one", "two"}) {
    const Result listed = town.ask(party, {"ls", "--broker", "auto:lab"});
    CHECK_MESSAGE(listed.code == 0, listed.err);
  }
  // On its own machine it answers by each of its addresses, and is still one broker.
  const Result home = town.ask("b", {"ls", "--broker", "auto:lab"});
  CHECK_MESSAGE(home.code == 0, home.err);
}

TEST_CASE("a broker is found by IPv6 alone") {
  Town town({"b", "one"});
  for (const std::string party : {"b", "one"}) town.nets.in(party, "ip -4 addr flush dev eth0");
  // The addresses of the local link are there when nobody else has them.
  REQUIRE(eventually([&] {
    return has(run({"sh", "-c",
                    "nsenter -t " + town.nets.holders().at("b") +
                        " -n /usr/sbin/ip -6 addr show dev eth0 -tentative"})
                   .out,
               "fe80::");
  }));
  town.broker("b", "[::]");
  REQUIRE(eventually([&] { return has(town.discover("one").out, "\"clients\":\"tcp://[fe80::"); }));
  const Result listed = town.ask("one", {"ls", "--broker", "auto:lab"});
  CHECK_MESSAGE(listed.code == 0, listed.err);
}

TEST_CASE("a network that comes later is listened to as well") {
  Town town({"b", "one"});
  town.nets.in("b", "ip link set eth0 down");
  town.broker("b", "0.0.0.0");
  CHECK(town.discover("one").code == 3);
  town.nets.in("b", "ip link set eth0 up");
  CHECK(town.finds("one", "tcp://" + town.nets.address("b") + ":5570"));
}

TEST_CASE(
    "where multicast is forbidden or lost nobody is found, it is said what happened, and a list still "
    "works") {
  Town town({"b", "one"});
  town.broker("b", "0.0.0.0");
  const std::string there = "tcp://" + town.nets.address("b") + ":5570";
  REQUIRE(town.finds("one", there));
  town.nets.in("b", "nft add rule inet cut in meta pkttype multicast drop");
  const Result lost = town.discover("one");
  CHECK(lost.code == 3);
  CHECK_MESSAGE(has(lost.err, "eth0 " + town.nets.address("one") + ": asked"), lost.err);
  CHECK_MESSAGE(has(lost.err, "no broker of the group lab has answered"), lost.err);
  town.nets.in("one", "nft add rule inet cut out ip daddr 224.0.0.0/4 drop");
  const Result forbidden = town.discover("one");
  CHECK(forbidden.code == 3);
  CHECK_MESSAGE(has(forbidden.err, "eth0 " + town.nets.address("one") + ": cannot ask: "), forbidden.err);
  const Result nobody = town.ask("one", {"ls", "--broker", "auto:lab", "--timeout", "3s"});
  CHECK(nobody.code == 3);
  CHECK_MESSAGE(has(nobody.err, "no broker was found at auto:lab"), nobody.err);
  CHECK(town.ask("one", {"ls", "--broker", "auto:lab," + there}).code == 0);
}

TEST_CASE("a broker that tells an address which is not true here is reached by the one that was seen") {
  Town town({"b", "one"});
  const std::string inside = "10.99.0.1", outside = town.nets.address("b");
  town.nets.in("b", "ip addr add " + inside + "/32 dev lo");
  town.nets.in(
      "b",
      "nft add table ip door && nft add chain ip door pre '{ type nat hook prerouting priority dstnat; }'"
      " && nft add rule ip door pre ip daddr " +
          outside + " tcp dport { 5570, 5571 } dnat to " + inside);
  town.broker("b", inside);
  Result found;
  CHECK(eventually([&] { return (found = town.discover("one")).code == 0; }));
  CHECK_MESSAGE(has(found.out, "\"clients\":\"tcp://" + inside + ":5570\""), found.out);
  CHECK_MESSAGE(has(found.out, "\"from\":\"" + outside + "\""), found.out);
  CHECK_MESSAGE(has(found.err, "or as it was seen tcp://" + outside + ":5570"), found.err);
  const Result listed = town.ask("one", {"ls", "--broker", "auto:lab", "--timeout", "20s"});
  CHECK_MESSAGE(listed.code == 0, listed.err);
  town.processes.emplace_back(
      town.command("one", {"worker", "--insecure", "--bind", "tcp://" + town.nets.address("one") + ":*",
                           "--broker", "auto:lab", "--name", "wes", "--service", "who", "--", "cat"}));
  CHECK(eventually([&] {
    return has(town.ask("b", {"ls", "workers", "--broker", "tcp://" + inside + ":5570"}).out, "wes");
  }));
}

TEST_CASE("what is asked of one address is not answered, from however far") {
  Town town({"b", "one"});
  town.broker("b", "0.0.0.0");
  REQUIRE(town.finds("one", "tcp://" + town.nets.address("b") + ":5570"));
  // The same question, to all and to the broker's own address.
  const std::string asker =
      "import socket, struct, sys\n"
      "q = b'PMAN' + bytes([1, 1, 0, 0]) + bytes(range(16)) + struct.pack('>H', 3) + b'lab'\n"
      "for where in sys.argv[1:]:\n"
      "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
      "    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack('4s4si', b'', b'', "
      "socket.if_nametoindex('eth0')))\n"
      "    s.settimeout(1 if where != '239.255.80.77' else 20)\n"
      "    s.sendto(q.ljust(1024, bytes(1)), (where, 5572))\n"
      "    try: print(where, s.recvfrom(2000)[0][5])\n"
      "    except socket.timeout: print(where, 'silence')\n";
  Arguments words = town.nets.within("one");
  for (const std::string& word : {std::string("/usr/bin/python3"), std::string("-c"), asker,
                                  town.nets.address("b"), std::string("239.255.80.77")})
    words.push_back(word);
  CHECK(run(words).out == town.nets.address("b") + " silence\n239.255.80.77 2\n");
}

TEST_CASE("two realms on one network do not hear each other") {
  Town town({"ours", "theirs", "one"});
  const TemporaryFolder folder;
  const auto key = [&](const std::string& name) { return folder.path() + "/" + name; };
  for (const std::string name : {"ours", "theirs"}) {
    REQUIRE(run({pointsman_program(), "keys", "make", "--realm", key(name)}).code == 0);
    town.broker(name, "0.0.0.0", {"--realm", key(name)});
  }
  for (const std::string name : {"ours", "theirs"}) {
    const std::string other = name == "ours" ? "theirs" : "ours";
    Result found;
    CHECK(eventually([&] { return (found = town.discover("one", {"--realm", key(name)})).code == 0; }));
    CHECK_MESSAGE(found.code == 0, found.err);
    CHECK(has(found.out, town.nets.address(name)));
    CHECK_FALSE(has(found.out, town.nets.address(other)));
    CHECK(eventually([&] {
      return has(town.ask(other, {"status", "--broker", "tcp://127.0.0.1:5570"}).out, "questions_ignored");
    }));
  }
}

TEST_CASE("a worker whose broker is cut off finds the other one") {
  Town town({"b1", "b2", "w"});
  for (const std::string party : {"b1", "b2"}) town.broker(party, "0.0.0.0");
  town.processes.emplace_back(town.command(
      "w", {"worker", "--insecure", "--bind", "tcp://" + town.nets.address("w") + ":*", "--broker",
            "auto:lab", "--name", "wes", "--service", "who", "--lease", "1s", "--", "cat"}));
  REQUIRE(eventually([&] { return town.knows("b1", "wes") || town.knows("b2", "wes"); }));
  const std::string its = town.knows("b1", "wes") ? "b1" : "b2";
  const std::string other = its == "b1" ? "b2" : "b1";
  town.nets.cut("w", its);
  CHECK(eventually([&] { return town.knows(other, "wes"); }));
  const Result called = town.ask("w", {"call", "who", "found", "--broker", "auto:lab", "--wait", "10s"});
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK(called.out == "found");
}
