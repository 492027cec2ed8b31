// Shows a broker with a database: what operators put down counts at once, and what is wrong with the database stops
// edits, never hand-offs.

#include <doctest/doctest.h>

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "test/e2e/arguments.hpp"
#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

bool is_json(const std::string& text) { return run({"/usr/bin/python3", "-m", "json.tool"}, {.input = text}).code == 0; }

// A folder with a database, and a broker that follows it, if started.
class House {
 public:
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  std::string database() const { return path("known.db"); }
  std::string clients() const { return "ipc://" + path("c"); }

  void start(const std::string& place) {
    broker = std::make_unique<Process>(Arguments{pointsman_program(), "broker", "--clients", clients(), "--workers",
                                             "ipc://" + path("w"), "--database", place});
    REQUIRE_MESSAGE(broker->wait_for_line("ready clients=", 20s), broker->err());
  }

  Process& worker(const std::string& name, const Arguments& more) {
    Process& started = fleet.emplace_back(
        Arguments{pointsman_program(), "worker", "--broker", "ipc://" + path("w"), "--name", name, "--service", "who"} + more +
        Arguments{"--", "sh", "-c", "cat >/dev/null; printf " + name});
    REQUIRE_MESSAGE(started.wait_for_line("ready worker=", 20s), started.err());
    return started;
  }

  Arguments client_words(const Arguments& words) const { return Arguments{pointsman_program()} + words + Arguments{"--broker", clients()}; }
  Result pointsman(const Arguments& words) const { return run(client_words(words)); }

  Result db(const Arguments& words, const std::string& input = {}) const {
    return run(Arguments{pointsman_program(), "db"} + words + Arguments{"--database", database()}, {.input = input});
  }

  // What `status` says of a counter; empty: nothing.
  std::string counter(const std::string& name) const {
    const std::string all = pointsman({"status", "--json"}).out;
    const std::string key = "{\"name\":\"" + name + "\",\"value\":";
    const auto at = all.find(key);
    return at == std::string::npos ? "" : all.substr(at + key.size(), all.find('}', at) - at - key.size());
  }

  std::unique_ptr<Process> broker;
  std::list<Process> fleet;

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("e2e db: what is put down of a worker or a client counts at once, also for who waits, and is watched") {
  House house;
  house.start("sqlite:" + house.database());
  house.worker("w1", {"--attribute", "gpu=a", "--accepts", "tenant == lab"});
  Process watching(house.client_words({"watch", "--kind", "configured", "--json"}));
  Process call(house.client_words({"call", "who", "--when", "gpu == h200", "--absent", "--wait", "60s"}));
  REQUIRE(eventually([&] { return has(house.pointsman({"ls", "waiting", "--json"}).out, "h200"); }));

  // Its client's name is made up: any tenant for any client has to come by a name that it gives.
  const std::string waiting = house.pointsman({"ls", "waiting", "--json"}).out;
  const auto at = waiting.find("\"client\":\"") + 10;
  const std::string client = waiting.substr(at, waiting.find('"', at) - at);
  REQUIRE(house.db({"set", "client", client, "--tenant", "lab"}).code == 0);
  CHECK(eventually([&] { return has(watching.out(), client); }));
  CHECK_FALSE(call.wait(0s));
  const Result set = house.db({"set", "worker", "w1", "--attribute", "gpu=h200"});
  CHECK_MESSAGE(set.out == "worker w1 : gpu=h200\n", set.err);
  CHECK(call.wait(30s) == 0);
  CHECK(call.out() == "w1");
  CHECK(has(house.pointsman({"ls", "workers", "--json"}).out, "h200"));
  CHECK(house.counter("known") == "2");
  CHECK(eventually([&] { return has(watching.out(), "worker w1 : gpu=h200"); }));

  REQUIRE(house.db({"remove", "worker", "w1"}).code == 0);
  CHECK(eventually([&] { return !has(house.pointsman({"ls", "workers", "--json"}).out, "h200"); }));

  // What it may not offer any more it loses at once.
  REQUIRE(house.db({"set", "worker", "w1", "--offers", "nothing,of.*"}).code == 0);
  CHECK(eventually([&] { return !has(house.pointsman({"ls", "workers"}).out, "w1"); }));
  // A broker that is started anew knows it from the beginning.
  house.broker.reset();
  house.start(house.database());
  CHECK(house.counter("known") == "2");
}

TEST_CASE("e2e db: records are set, shown, unset, listed, exported, imported, backed up and checked") {
  House house;
  CHECK(house.db({"list"}).code == 2);
  CHECK(run({pointsman_program(), "db", "list"}).code == 2);
  CHECK(house.db({"set", "worker", "w1"}).code == 2);
  CHECK(house.db({"set", "machine", "w1", "--tenant", "a"}).code == 2);
  const Result wrong = house.db({"set", "worker", "w1", "--priority", "3", "--json"});
  CHECK(wrong.code == 2);
  CHECK_MESSAGE(is_json(wrong.err), wrong.err);
  CHECK(has(wrong.err, "no use for priority"));

  REQUIRE(house.db({"set", "worker", "w1", "--attribute", "gpu=a", "--attribute", "mem=64G", "--offers", "zip"}).code == 0);
  const Result more = house.db({"set", "worker", "w1", "--attribute", "gpu=b", "--tenant", "the lab"});
  CHECK(more.out == "worker w1 tenant=\"the lab\" offers=zip : gpu=b mem=64G\n");
  CHECK(house.db({"show", "worker", "w1"}).out == more.out);
  CHECK(house.db({"show", "worker", "w2"}).code == 4);
  CHECK(house.db({"unset", "worker", "w2", "--tenant"}).code == 4);
  CHECK(house.db({"unset", "worker", "w1", "--attribute", "color"}).code == 4);
  CHECK(house.db({"unset", "worker", "w1", "--attribute", "mem", "--tenant", "--offers"}).out == "worker w1 : gpu=b\n");
  CHECK(house.db({"remove", "worker", "w2"}).code == 4);

  // A key by its file, by its text, and by its name among the allowed ones.
  REQUIRE(run({pointsman_program(), "keys", "make", house.path("ann.key")}).code == 0);
  const std::string key = text_of(house.path("ann.key.pub"));
  REQUIRE(run({pointsman_program(), "keys", "allow", "--allowed", house.path("allowed"), "ann", house.path("ann.key.pub")}).code == 0);
  const Result by_file = house.db({"set", "key", house.path("ann.key.pub"), "--sessions", "3"});
  CHECK_MESSAGE(by_file.code == 0, by_file.err);
  const Result by_name = house.db({"show", "key", "ann", "--allowed", house.path("allowed")});
  CHECK(by_name.out == by_file.out);
  CHECK(house.db({"show", "key", "eve", "--allowed", house.path("allowed")}).code == 2);

  const Result listed = house.db({"list", "--json"});
  CHECK_MESSAGE(is_json(listed.out), listed.out);
  CHECK(has(listed.out, R"("about":"worker","name":"w1")"));
  CHECK(has(house.db({"list", "key"}).out, "ATTRIBUTES"));
  CHECK_FALSE(has(house.db({"list", "key"}).out, "w1"));

  const std::string exported = house.db({"export"}).out;
  CHECK(std::count(exported.begin(), exported.end(), '\n') == 3);
  CHECK(house.db({"backup", house.path("copy.db")}).code == 0);
  const Result bad = house.db({"import", "-"}, "client ann waiting=5\nclient bob color=red\n");
  CHECK(bad.code == 2);
  CHECK_MESSAGE(has(bad.err, "line 2"), bad.err);
  CHECK(house.db({"export"}).out == exported);
  CHECK(house.db({"import", "--replace", "-"}, "# a note\n\nclient ann waiting=5\n").code == 0);
  CHECK(has(house.db({"export"}).out, "client ann waiting=5"));
  CHECK_FALSE(has(house.db({"export"}).out, "worker"));
  CHECK(house.db({"import", "--replace", "-"}, exported).code == 0);
  CHECK(house.db({"export"}).out == exported);

  const Result checked = house.db({"check", "--json"});
  CHECK(checked.code == 0);
  CHECK_MESSAGE(is_json(checked.out), checked.out);
  CHECK(has(run({pointsman_program(), "db", "--help"}).out, "Exit codes:"));
}

TEST_CASE("e2e db: what workers did is noted at a broker's end at the latest, and adds up over their instances") {
  House house;
  CHECK(house.db({"history"}).code == 2);
  for (const int calls : {2, 3}) {
    house.start(house.database());
    house.worker("w1", {});
    for (int i = 0; i < calls; ++i) REQUIRE(house.pointsman({"call", "who"}).out == "w1");
    CHECK(eventually([&] { return has(house.pointsman({"ls", "workers", "--json"}).out, R"("completed":)" + std::to_string(calls)); }));
    house.fleet.clear();
    house.broker->signal(SIGTERM);
    REQUIRE(house.broker->wait(20s) == 0);
  }
  const Result history = house.db({"history"});
  CHECK_MESSAGE(has(history.out, "w1           2     5 "), history.out);
  const Result json = house.db({"history", "w1", "--json"});
  CHECK_MESSAGE(is_json(json.out), json.out);
  CHECK(has(json.out, R"("jobs":2)"));
  CHECK(has(json.out, R"("jobs":3)"));
  CHECK_FALSE(has(house.db({"history", "w2"}).out, "w1"));
}

TEST_CASE("e2e db: of workers that were started anew the one that was quicker before goes first") {
  House house;
  house.start(house.database());
  REQUIRE(house.pointsman({"service", "who", "--policy", "shortest-expected-delay"}).code == 0);
  REQUIRE(run({"/usr/bin/python3", "-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2])",
               house.database(),
               "CREATE TABLE IF NOT EXISTS history (worker TEXT NOT NULL, instance TEXT NOT NULL, jobs INTEGER NOT NULL,"
               " busy_ms INTEGER NOT NULL, failures INTEGER NOT NULL, since INTEGER NOT NULL, seen INTEGER NOT NULL,"
               " PRIMARY KEY (worker, instance)) WITHOUT ROWID;"
               "INSERT INTO history VALUES ('w1', 'x', 10, 600000, 0, 1, 1), ('w2', 'x', 8, 80, 0, 1, 1), ('w2', 'y', 2, 20, 5, 1, 1)"})
              .code == 0);
  house.worker("w1", {});
  house.worker("w2", {});
  const auto knows = [&](const std::string& pace) { return has(house.pointsman({"ls", "workers", "--json"}).out, pace); };
  REQUIRE(eventually([&] { return knows(R"("pace_ms":60000)") && knows(R"("pace_ms":15)"); }));
  for (int i = 0; i < 3; ++i) CHECK(house.pointsman({"call", "who"}).out == "w2");
}

TEST_CASE("e2e db: a full disk or a damaged database stops edits, never hand-offs") {
  House house;
  house.start(house.database());
  house.worker("w1", {"--attribute", "gpu=a"});
  REQUIRE(house.db({"set", "worker", "w1", "--attribute", "gpu=h200"}).code == 0);
  const Arguments call{"call", "who", "--when", "gpu == h200"};
  REQUIRE(eventually([&] { return house.pointsman(call).out == "w1"; }));
  REQUIRE(house.db({"backup", house.path("copy.db")}).code == 0);

  // No file may grow: nothing of a large import is there afterwards.
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += "worker x" + std::to_string(i) + " : rack=" + std::string(200, 'r') + "\n";
  const Result full = run({"/bin/sh", "-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh", pointsman_program(), "db", "import", "-",
                           "--database", house.database()},
                          {.input = lines});
  CHECK(full.code == 125);
  CHECK_MESSAGE(has(full.err, "nothing was changed"), full.err);
  CHECK(house.db({"check"}).out == "sound: 1 records\n");

  std::ofstream(house.path("garbage")) << std::string(20000, 'x');
  std::filesystem::rename(house.path("garbage"), house.database());
  CHECK(eventually([&] { return house.counter("database_away") == "1"; }));
  CHECK(has(house.broker->err(), "put a backup in its place"));
  CHECK(house.pointsman(call).out == "w1");
  const Result refused = house.db({"set", "worker", "w1", "--attribute", "gpu=x"});
  CHECK(refused.code == 125);
  CHECK(has(refused.err, "put a backup in its place"));
  CHECK(house.db({"check"}).code == 125);

  for (const char* log : {"-wal", "-shm"}) std::filesystem::remove(house.database() + log);
  std::filesystem::rename(house.path("copy.db"), house.database());
  CHECK(eventually([&] { return house.counter("database_away").empty(); }));
  CHECK(house.counter("database_troubles") == "1");
  REQUIRE(house.db({"set", "worker", "w1", "--attribute", "gpu=b"}).code == 0);
  CHECK(eventually([&] { return house.pointsman({"call", "who", "--when", "gpu == b"}).out == "w1"; }));

  // A broker that finds it damaged at its start hands off all the same; one that finds another program's does not start.
  house.broker.reset();
  std::ofstream(house.database(), std::ios::trunc) << std::string(20000, 'x');
  house.start(house.database());
  CHECK(house.counter("database_away") == "1");
  REQUIRE(run({"/usr/bin/python3", "-c", "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE songs (name TEXT)')",
               house.path("songs.db")})
              .code == 0);
  const Result foreign = run({pointsman_program(), "broker", "--clients", "ipc://" + house.path("c2"), "--workers",
                              "ipc://" + house.path("w2"), "--database", house.path("songs.db")});
  CHECK(foreign.code == 2);
  CHECK(has(foreign.err, "another program's"));
}
