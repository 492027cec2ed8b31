// Shows several brokers as users have them: lists, files and names, and what the death of one costs.

#include <doctest/doctest.h>
#include <signal.h>

#include <fstream>
#include <list>
#include <map>
#include <memory>
#include <sstream>

#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

using Arguments = std::vector<std::string>;

// Brokers and workers of this test alone.
class Town {
 public:
  void broker(const std::string& name) {
    auto& process = brokers[name];
    process = std::make_unique<Process>(
        Arguments{pointsman_program(), "broker", "--clients", clients(name), "--workers", workers(name)});
    REQUIRE_MESSAGE(process->wait_for_line("ready clients=", 20s), process->err());
  }

  // A worker that answers with its name, ready.
  Process& worker(const std::string& name, const std::string& where) {
    Process& started = fleet.emplace_back(Arguments{pointsman_program(), "worker", "--broker", where,
                                                    "--name", name, "--service", "who", "--lease", "1s", "--",
                                                    "sh", "-c", "cat >/dev/null; printf " + name});
    REQUIRE_MESSAGE(started.wait_for_line("ready worker=", 20s), started.err());
    return started;
  }

  std::string clients(const std::string& name) const { return "ipc://" + folder.path() + "/" + name + "-c"; }
  std::string workers(const std::string& name) const { return "ipc://" + folder.path() + "/" + name + "-w"; }

  static Result ask(const std::string& where, const Arguments& more = {}) {
    Arguments words{pointsman_program(), "call", "who", "--broker", where};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }

  // The names of the workers that a broker knows.
  std::string list(const std::string& name) const {
    return run({pointsman_program(), "ls", "workers", "--broker", clients(name)}).out;
  }
  bool knows(const std::string& broker, const std::string& worker) const {
    return list(broker).find(worker) != std::string::npos;
  }

  TemporaryFolder folder;
  std::map<std::string, std::unique_ptr<Process>> brokers;
  std::list<Process> fleet;
};

}  // namespace

TEST_CASE("e2e brokers: requests go to the brokers of a list in sequence") {
  Town town;
  std::string all;
  for (const std::string name : {"a", "b", "c"}) {
    town.broker(name);
    town.worker("at-" + name, town.workers(name));
    all += (all.empty() ? "" : ",") + town.clients(name);
  }
  const Result called = Town::ask(all, {"-n", "6", "--fresh", "--separate", "x"});
  CHECK_MESSAGE(called.code == 0, called.err);
  std::map<std::string, int> times;
  std::istringstream lines(called.out);
  for (std::string line; std::getline(lines, line);) ++times[line];
  CHECK(times == std::map<std::string, int>{{"at-a", 2}, {"at-b", 2}, {"at-c", 2}});
}

TEST_CASE("e2e brokers: a service that one broker has is found wherever one begins") {
  Town town;
  town.broker("a");
  town.broker("b");
  town.worker("w", town.workers("a") + "," + town.workers("b"));
  const std::string all = town.clients("a") + "," + town.clients("b");
  for (int i = 0; i < 6; ++i) {
    const Result called = Town::ask(all, {"x"});
    CHECK_MESSAGE(called.code == 0, called.err);
    CHECK(called.out == "w");
  }
  const Result nobody = run({pointsman_program(), "call", "nobody", "x", "--broker", all});
  CHECK(nobody.code == 4);
}

TEST_CASE("e2e brokers: when one is killed its clients and workers go to the other") {
  Town town;
  town.broker("a");
  town.broker("b");
  const std::string everywhere = town.workers("a") + "," + town.workers("b");
  town.worker("w1", everywhere);
  town.worker("w2", everywhere);
  const std::string victim = town.knows("a", "w1") ? "a" : "b";
  const std::string other = victim == "a" ? "b" : "a";
  town.brokers.at(victim).reset();
  CHECK(eventually([&] { return town.knows(other, "w1") && town.knows(other, "w2"); }));
  for (int i = 0; i < 4; ++i) {
    const Result called = Town::ask(town.clients("a") + "," + town.clients("b"), {"x"});
    CHECK_MESSAGE(called.code == 0, called.err);
  }
  // And back, when the other one is killed and this one is there again.
  town.broker(victim);
  town.brokers.at(other).reset();
  CHECK(eventually([&] { return town.knows(victim, "w1") && town.knows(victim, "w2"); }));
}

TEST_CASE("e2e brokers: a file of brokers is read anew when it changes") {
  Town town;
  town.broker("a");
  town.worker("w", town.workers("a"));
  const std::string path = town.folder.path() + "/brokers";
  std::ofstream(path) << "# none yet\n";
  const Result nobody = Town::ask("file:" + path, {"x"});
  CHECK(nobody.code == 3);
  CHECK_MESSAGE(nobody.err.find("no broker was found") != std::string::npos, nobody.err);
  Process waiting({pointsman_program(), "call", "who", "x", "--wait", "20s", "--broker", "file:" + path});
  std::ofstream(path, std::ios::app) << town.clients("a") << "\n";
  CHECK(waiting.wait(20s) == 0);
  CHECK(waiting.out() == "w");
  std::ofstream(path) << "tcp:/nonsense\n";
  const Result wrong = Town::ask("file:" + path, {"x"});
  CHECK(wrong.code == 3);
  // What looks like an endpoint and is none costs its turn, and nobody stops for it.
  std::ofstream(path) << "tcp://no!host:1\n" << town.clients("a") << "\n";
  for (int i = 0; i < 2; ++i) CHECK(Town::ask("file:" + path, {"x"}).code == 0);
  const std::string other = town.folder.path() + "/workers";
  std::ofstream(other) << "tcp://no!host:1\n" << town.workers("a") << "\n";
  for (const std::string name : {"w2", "w3"}) town.worker(name, "file:" + other);
  CHECK(eventually([&] { return town.knows("a", "w2") && town.knows("a", "w3"); }));
}

TEST_CASE("e2e brokers: a name leads to every address that it has") {
  Process broker(
      {pointsman_program(), "broker", "--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*"});
  std::string ready;
  REQUIRE(broker.wait_for_line("ready clients=", 20s, &ready));
  const auto port_of = [&](const std::string& what) {
    const auto at =
        ready.find(what + "=tcp://127.0.0.1:") + what.size() + std::string("=tcp://127.0.0.1:").size();
    return ready.substr(at, ready.find(' ', at) - at);
  };
  Process worker({pointsman_program(), "worker", "--broker", "dns:localhost:" + port_of("workers"),
                  "--service", "who", "--", "cat"});
  REQUIRE_MESSAGE(worker.wait_for_line("ready worker=", 20s), worker.err());
  const Result called = Town::ask("dns:localhost:" + port_of("clients"), {"x"});
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK(called.out == "x");
}

TEST_CASE("e2e brokers: what is no place to look for a broker is said so") {
  for (const char* wrong :
       {"nowhere", "tcp://127.0.0.1:1,", "tcp://127.0.0.1:1,udp://x:1", "dns:", "file:"}) {
    const Result called = Town::ask(wrong, {"x"});
    CHECK_MESSAGE(called.code == (std::string(wrong).ends_with(",") ? 3 : 2), wrong);
  }
  CHECK(run({pointsman_program(), "help", "brokers"}).code == 0);
}
