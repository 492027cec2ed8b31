// Shows the program with keys: who is let in, who is not and what they are told, and how keys are made and
// revoked.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <list>

#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

using Words = std::vector<std::string>;

bool is_json(const std::string& text) {
  return run({"/usr/bin/python3", "-m", "json.tool"}, {.input = text}).code == 0;
}

std::string value_of(const std::string& line, const std::string& name) {
  const std::size_t at = line.find(" " + name + "=");
  if (at == std::string::npos) return {};
  const std::size_t from = at + name.size() + 2;
  return line.substr(from, line.find_first_of(" \n", from) - from);
}

// A folder with keys, and what can be done with them.
class Keys {
 public:
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  std::string allowed() const { return path("allowed.keys"); }

  Result keys(const Words& words) const {
    return program([&] {
      Words all{"keys"};
      all.insert(all.end(), words.begin(), words.end());
      return all;
    }());
  }

  // NAME.key and NAME.key.pub
  void make(const std::string& name) const { REQUIRE(keys({"make", path(name + ".key")}).code == 0); }

  void allow(const std::string& name, const Words& more) const {
    Words words{"allow", "--allowed", allowed(), name, path(name + ".key.pub")};
    words.insert(words.end(), more.begin(), more.end());
    const Result result = keys(words);
    REQUIRE_MESSAGE(result.code == 0, result.err);
  }

  Result program(const Words& words, const Words& environment = {}) const {
    Words all{pointsman_program()};
    all.insert(all.end(), words.begin(), words.end());
    return run(all, {.input = {}, .environment = environment});
  }

 private:
  TemporaryFolder folder_;
};

// A broker that encrypts, with a client `ann` and a worker `wes` that may come.
class House : public Keys {
 public:
  explicit House(const Words& more = {}) {
    for (const char* name : {"broker", "ann", "wes", "eve"}) make(name);
    allow("ann", {"--role", "client"});
    allow("wes", {"--role", "worker"});
    Words words{pointsman_program(), "broker", "--clients",        "tcp://127.0.0.1:*", "--workers",
                "tcp://127.0.0.1:*", "--key",  path("broker.key"), "--allowed",         allowed()};
    words.insert(words.end(), more.begin(), more.end());
    broker.emplace(words);
    std::string ready;
    REQUIRE_MESSAGE(broker->wait_for_line("ready clients=", 30s, &ready), broker->err());
    clients = value_of(ready, "clients");
    workers = value_of(ready, "workers");
    CHECK(value_of(ready, "key").size() == 40);
  }

  Words as(const std::string& name) const {
    return {"POINTSMAN_BROKER=" + clients, "POINTSMAN_WORKERS=" + workers,
            "POINTSMAN_KEY=" + path(name + ".key"), "POINTSMAN_BROKER_KEY=" + path("broker.key.pub")};
  }

  Process& worker(const std::string& name = "wes") {
    Process& started = fleet.emplace_back(
        Words{pointsman_program(), "worker", "--service", "shout", "--", "tr", "a-z", "A-Z"},
        Surroundings{.input = {}, .environment = as(name)});
    REQUIRE_MESSAGE(started.wait_for_line("ready worker=", 30s), started.err());
    return started;
  }

  std::string clients, workers;
  std::optional<Process> broker;
  std::list<Process> fleet;
};

}  // namespace

TEST_CASE("with keys a broker, a worker and a call work over tcp, all of it encrypted") {
  House house;
  house.worker();
  const Result called = house.program({"call", "shout", "hello"}, house.as("ann"));
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK(called.out == "HELLO");
  // By flags, with the key as text.
  const std::string key = house.keys({"show", house.path("broker.key")}).out.substr(0, 40);
  const Result flagged = house.program({"call", "shout", "flags", "--broker", house.clients, "--key",
                                        house.path("ann.key"), "--broker-key", key});
  CHECK_MESSAGE(flagged.code == 0, flagged.err);
  CHECK(flagged.out == "FLAGS");
}

TEST_CASE("a key that may not come is told so at once, with the remedy, and the broker says who it was") {
  House house;
  std::string name = "eve", said;
  SUBCASE("unknown") { said = "not allowed here"; }
  SUBCASE("of another role") {
    name = "wes";
    said = "no role for this listener";
  }
  SUBCASE("expired") {
    house.allow("eve", {"--until", "2020-01-31"});
    said = "time is over";
  }
  SUBCASE("revoked") {
    house.allow("eve", {});
    REQUIRE(house.keys({"revoke", "--allowed", house.allowed(), "eve"}).code == 0);
    said = "revoked";
  }
  Result called;
  CHECK(eventually([&] {  // the broker has read its file
    called = house.program({"call", "shout", "hello", "--absent", "--wait", "1s"}, house.as(name));
    return called.code == 3 && has(house.broker->err(), said);
  }));
  CHECK_MESSAGE(has(called.err, "does not let this key in"), called.err);
  CHECK_MESSAGE(has(called.err, "pointsman keys allow"), called.err);
  CHECK_MESSAGE(has(house.broker->err(), said), house.broker->err());
  CHECK(has(house.broker->err(), house.keys({"show", house.path(name + ".key")}).out.substr(0, 40)));
  const Result listed = house.program({"ls", "workers", "--json"}, house.as(name));
  CHECK(listed.code == 3);
  CHECK_MESSAGE(is_json(listed.err), listed.err);
}

TEST_CASE("a worker whose key may not come says so, and comes in once it is allowed") {
  House house;
  Process worker({pointsman_program(), "worker", "--service", "shout", "--", "cat"},
                 Surroundings{.input = {}, .environment = house.as("eve")});
  CHECK(eventually([&] { return has(worker.err(), "does not let this key in"); }));
  house.allow("eve", {"--role", "worker"});
  CHECK_MESSAGE(worker.wait_for_line("ready worker=", 30s), worker.err());
  worker.signal(SIGTERM);
  CHECK(worker.wait(20s) == 0);

  const Result hasty =
      house.program({"worker", "--service", "x", "--timeout", "2s", "--", "cat"}, house.as("ann"));
  CHECK(hasty.code == 3);
  CHECK_MESSAGE(has(hasty.err, "does not let this key in"), hasty.err);
}

TEST_CASE("who expects another key of the broker is told so") {
  House house;
  const Result called =
      house.program({"call", "shout", "x", "--broker-key", house.path("eve.key.pub")}, house.as("ann"));
  CHECK(called.code == 3);
  CHECK_MESSAGE(has(called.err, "likely its key is not"), called.err);
  CHECK_MESSAGE(has(called.err, "--broker-key"), called.err);
}

TEST_CASE("where only one side encrypts, the other is told") {
  House house;
  const Result plain = house.program({"call", "shout", "x", "--broker", house.clients});
  CHECK(plain.code == 3);
  CHECK_MESSAGE(has(plain.err, "asks for keys"), plain.err);
  CHECK_MESSAGE(has(plain.err, "--broker-key"), plain.err);

  Process open(
      {pointsman_program(), "broker", "--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*"});
  std::string ready;
  REQUIRE(open.wait_for_line("ready clients=", 30s, &ready));
  const Result secured =
      house.program({"ls", "workers", "--broker", value_of(ready, "clients")}, house.as("ann"));
  CHECK(secured.code == 3);
  CHECK_MESSAGE(has(secured.err, "does not encrypt"), secured.err);
}

TEST_CASE("who is turned away is counted by status, each by why") {
  House house;
  house.allow("ann", {"--role", "client,admin"});
  const auto status = [&] { return house.program({"status", "--json"}, house.as("ann")).out; };
  REQUIRE(eventually([&] { return has(status(), R"("memory_bound")"); }));  // the broker has read that she is an admin
  CHECK_MESSAGE(!has(status(), "turned_away"), status());

  CHECK(house.program({"ls", "workers"}, house.as("eve")).code == 3);
  CHECK(house.program({"ls", "workers"}, house.as("wes")).code == 3);
  CHECK(house.program({"ls", "workers", "--broker-key", house.path("eve.key.pub")}, house.as("ann")).code == 3);
  house.allow("eve", {});
  REQUIRE(house.keys({"revoke", "--allowed", house.allowed(), "eve"}).code == 0);
  for (const char* why : {"unknown", "wrong-role", "broken"}) {
    CHECK_MESSAGE(eventually([&] { return has(status(), std::string("turned_away_") + why); }), status());
  }
  CHECK(eventually([&] {
    house.program({"ls", "workers"}, house.as("eve"));
    return has(status(), "turned_away_revoked");
  }));
}

TEST_CASE("a key that is revoked loses effect on connections that stand") {
  House house({"--lease", "1s", "--lease-min", "1s"});
  house.allow("eve", {"--role", "client"});
  Process& worker = house.worker();
  Process watcher({pointsman_program(), "watch", "--json"},
                  Surroundings{.input = {}, .environment = house.as("ann")});
  REQUIRE(eventually([&] {
    house.program({"call", "shout", "x"}, house.as("ann"));
    return has(watcher.out(), "granted");
  }));
  REQUIRE(house.keys({"revoke", "--allowed", house.allowed(), "ann"}).code == 0);
  REQUIRE(house.keys({"revoke", "--allowed", house.allowed(), "wes"}).code == 0);
  const auto code = watcher.wait(60s);
  CHECK(code == 3);
  CHECK_MESSAGE(has(watcher.err(), "does not let this key in"), watcher.err());
  CHECK(worker.wait(60s) == 0);
  CHECK_MESSAGE(has(worker.err(), "its key was revoked"), worker.err());
  CHECK(eventually([&] {
    return house.program({"call", "shout", "x", "--wait", "1s"}, house.as("eve")).code != 0;
  }));
}

TEST_CASE("a broken file of allowed keys changes nothing, and is told with its line") {
  House house;
  house.worker();
  const std::string good = text_of(house.allowed());
  std::ofstream(house.allowed()) << good << "eve nonsense client\n";
  CHECK(eventually([&] { return has(house.broker->err(), "line 3: 'nonsense' is no public key"); }));
  CHECK(has(house.broker->err(), "stay so"));
  CHECK(house.program({"call", "shout", "x"}, house.as("ann")).code == 0);
  std::ofstream(house.allowed()) << good;
  CHECK(eventually([&] { return has(house.broker->err(), "2 are in force"); }));
  house.broker->signal(SIGHUP);
  CHECK(eventually([&] {
    const std::string err = house.broker->err();
    return has(err.substr(err.find("2 are in force") + 1), "2 are in force");
  }));
}

TEST_CASE("a broker does not start with keys that are not as they should be") {
  Keys keys;
  keys.make("broker");
  const auto broker = [&](const Words& more) {
    Words words{"broker", "--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*"};
    words.insert(words.end(), more.begin(), more.end());
    return keys.program(words);
  };
  const auto refused = [&](const Words& more, const std::string& said) {
    const Result result = broker(more);
    CHECK(result.code == 2);
    CHECK_MESSAGE(has(result.err, said), result.err);
  };
  refused({"--key", keys.path("broker.key")}, "--allowed");
  refused({"--allowed", keys.allowed()}, "--key FILE");
  refused({"--key", keys.path("broker.key"), "--allowed", keys.allowed()}, "it is not there");
  std::ofstream(keys.allowed()) << "what is this\n";
  REQUIRE(::chmod(keys.allowed().c_str(), 0644) == 0);
  refused({"--key", keys.path("broker.key"), "--allowed", keys.allowed()}, "line 1");
  REQUIRE(::chmod(keys.allowed().c_str(), 0666) == 0);
  refused({"--key", keys.path("broker.key"), "--allowed", keys.allowed()}, "chmod go-w");
  refused({"--key", keys.path("broker.key.pub"), "--allowed", keys.allowed()}, "chmod 600");
  refused({"--key", keys.path("none"), "--allowed", keys.allowed()}, "pointsman keys make");
  refused({"--broker-key", keys.path("broker.key.pub")}, "--key FILE");
  const Result half = keys.program({"ls", "workers", "--key", keys.path("broker.key")});
  CHECK(half.code == 2);
  CHECK(has(half.err, "--broker-key"));
}

TEST_CASE("without keys a broker on an address of all machines needs --insecure, and warns") {
  Keys keys;
  const Words base{pointsman_program(), "broker",    "--clients",
                   "tcp://0.0.0.0:*",   "--workers", "tcp://127.0.0.1:*"};
  const Result refused = run(base);
  CHECK(refused.code == 2);
  CHECK(has(refused.err, "--key"));
  Words insecure = base;
  insecure.emplace_back("--insecure");
  Process broker(insecure);
  REQUIRE(broker.wait_for_line("ready ", 30s));
  CHECK(has(broker.err(), "warning: tcp://0.0.0.0:* is not encrypted"));
}

TEST_CASE("keys are made, shown, allowed, listed and revoked, for people and for programs") {
  Keys keys;
  const Result made = keys.keys({"make", keys.path("a.key"), "--json"});
  CHECK(made.code == 0);
  CHECK(is_json(made.out));
  const std::string shown = keys.keys({"show", keys.path("a.key")}).out;
  CHECK(shown.size() == 41);
  CHECK(has(made.out, "\"public_file\":\"" + keys.path("a.key.pub")));
  CHECK(keys.keys({"make", keys.path("a.key")}).code == 2);
  CHECK(is_json(keys.keys({"show", keys.path("a.key.pub"), "--json"}).out));
  CHECK(keys.keys({"show", keys.path("none")}).code == 2);

  CHECK(keys.keys({"list", "--allowed", keys.allowed()}).code == 2);
  const Result allowed =
      keys.keys({"allow", "--allowed", keys.allowed(), "a", keys.path("a.key.pub"), "--role", "client,admin",
                 "--asks", "zip,img.*", "--until", "2099-12-31", "--sessions", "5", "--rate", "10"});
  CHECK_MESSAGE(allowed.code == 0, allowed.err);
  CHECK(allowed.out ==
        "a " + shown.substr(0, 40) + " client,admin asks=zip,img.* until=2099-12-31 sessions=5 rate=10\n");
  CHECK(text_of(keys.allowed()) == allowed.out);
  std::ofstream(keys.allowed(), std::ios::app) << "# a note\n";
  keys.make("b");
  keys.allow("b", {"--role", "worker"});
  CHECK(has(text_of(keys.allowed()), "# a note\nb "));
  const Result listed = keys.keys({"list", "--allowed", keys.allowed(), "--json"});
  CHECK(is_json(listed.out));
  CHECK(has(listed.out, R"("name":"a")"));
  CHECK(has(keys.keys({"list", "--allowed", keys.allowed()}).out, "img.*"));

  CHECK(keys.keys({"revoke", "--allowed", keys.allowed(), "nobody"}).code == 4);
  CHECK(keys.keys({"revoke", "--allowed", keys.allowed(), "a", "--json"}).code == 0);
  CHECK(has(keys.keys({"list", "--allowed", keys.allowed()}).out, "revoked"));
  CHECK(keys.keys({"revoke", "--allowed", keys.allowed(),
                   keys.keys({"show", keys.path("b.key")}).out.substr(0, 40)})
            .code == 0);

  keys.make("c");
  CHECK(keys.keys({"allow", "--allowed", keys.allowed(), "a", keys.path("c.key.pub")}).code ==
        2);  // the name is taken
  CHECK(
      keys.keys({"allow", "--allowed", keys.allowed(), "c", keys.path("c.key.pub"), "--role", "boss"}).code ==
      2);
  CHECK(keys.keys({"allow", "--allowed", keys.allowed(), "c", keys.path("c.key.pub"), "--until", "soon"})
            .code == 2);
  CHECK(keys.keys({"allow", "--allowed", keys.allowed(), "c", "no key"}).code == 2);
  CHECK(keys.keys({"allow", "c", keys.path("c.key.pub")}).code == 2);
  CHECK(has(keys.program({"keys", "--help"}).out, "Examples:"));
}

TEST_CASE("no secret is printed, traced, listed or told") {
  House house;
  house.worker();
  std::string secrets[3];
  int i = 0;
  for (const char* name : {"broker", "ann", "wes"}) {
    const std::string text = text_of(house.path(std::string(name) + ".key"));
    secrets[i++] = text.substr(text.find("\nsecret ") + 8, 40);
  }
  std::string everything;
  for (const Words& words :
       {Words{"call", "shout", "x", "--trace"}, Words{"ls", "workers", "--json"},
        Words{"config", "show", "--json"}, Words{"keys", "show", house.path("ann.key"), "--json"}}) {
    const Result result = house.program(words, house.as("ann"));
    everything += result.out + result.err;
  }
  house.broker->signal(SIGTERM);
  house.broker->wait(20s);
  everything +=
      house.broker->out() + house.broker->err() + house.fleet.front().out() + house.fleet.front().err();
  CHECK(everything.size() > 500);
  for (const std::string& secret : secrets) {
    CHECK(secret.size() == 40);
    CHECK_FALSE(has(everything, secret));
  }
}
