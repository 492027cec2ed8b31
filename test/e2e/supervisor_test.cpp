// Shows `pointsman up` with real processes: what dies comes back, what hangs is found, nothing is left behind.

#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "clients/client.hpp"
#include "protocol/codec.hpp"
#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

// A supervisor of this test alone; every process below it has the folder in its environment.
class Up {
 public:
  explicit Up(const std::string& processes, const std::string& settings = {}, const std::string& broker = {}) {
    std::ofstream(file) << "[broker]\nclients = \"" << clients << "\"\nworkers = \"" << workers << "\"\n" << broker
                        << "[up]\nfolder = \"" << folder.path() << "/up\"\n"
                        << settings << "\n" << processes;
    process.emplace(std::vector<std::string>{pointsman_program(), "up", file}, surroundings());
  }
  ~Up() {
    process->signal(SIGKILL);
    process->wait(5s);
    CHECK_MESSAGE(eventually([&] { return left() == 0; }), "something is left behind");
  }

  void ready() { REQUIRE_MESSAGE(process->wait_for_line("ready clients=", 20s), process->err()); }

  Surroundings surroundings() const { return {{}, {"UNDER_TEST=" + folder.path(), "POINTSMAN_BROKER=" + clients}}; }

  Result pointsman(std::vector<std::string> words) const {
    words.insert(words.begin(), pointsman_program());
    auto around = surroundings();
    around.environment.erase(around.environment.begin());  // these do not count as left behind
    return run(words, around);
  }

  std::vector<ProcessRow> ps() const {
    const auto result = pointsman({"ps", file, "--json"});
    if (result.code != 0) return {};
    Codec codec{};
    const auto decoded = decode(result.out.substr(0, result.out.find('\n')), codec);
    const auto* message = std::get_if<Message>(&decoded);
    REQUIRE_MESSAGE(message != nullptr, result.out);
    return std::get<Processes>(*message).rows;
  }

  ProcessRow row(const std::string& name) const {
    for (auto& found : ps()) {
      if (found.process == name) return found;
    }
    return {.process = "none"};
  }

  bool is(const std::string& name, ProcessState state) const { return row(name).state == state && row(name).process == name; }
  void is_soon(const std::string& name, ProcessState state) const {
    const bool in_time = eventually([&] { return is(name, state); });
    CHECK_MESSAGE(in_time, name << " is not " << word(state) << ": " << pointsman({"ps", file}).out << process->err());
  }

  // Processes of this test that live.
  int left() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::ifstream environment(entry.path() / "environ");
      std::stringstream text;
      text << environment.rdbuf();
      std::ifstream stat(entry.path() / "stat");
      std::string line;
      std::getline(stat, line);
      const bool dead = has(line, ") Z ");
      count += !dead && has(text.str(), "UNDER_TEST=" + folder.path() + std::string(1, '\0'));
    }
    return count;
  }

  // Its exit code, for a process that ends within the time.
  std::optional<int> stop(std::chrono::milliseconds within = 20s) {
    process->signal(SIGTERM);
    return process->wait(within);
  }

  TemporaryFolder folder;
  const std::string file = folder.path() + "/pointsman.toml";
  const std::string clients = "ipc://" + folder.path() + "/clients";
  const std::string workers = "ipc://" + folder.path() + "/workers";
  std::optional<Process> process;
};

std::string shout(const std::string& more = {}) {
  return "[[process]]\nname = \"shout\"\ncommand = [\"pointsman\", \"worker\", \"--service\", \"shout\", \"--quiet\", "
         "\"--\", \"tr\", \"a-z\", \"A-Z\"]\n" + more + "\n";
}

std::string plain(const std::string& name, const std::string& script, const std::string& more = {}) {
  return "[[process]]\nname = \"" + name + "\"\ncommand = [\"sh\", \"-c\", '''" + script + "''']\n" + more + "\n";
}

void kill_process(const ProcessRow& row, int signal) {
  REQUIRE(row.pid > 1);
  ::kill(static_cast<pid_t>(row.pid), signal);
}

}  // namespace

TEST_CASE("e2e up: a broker and workers run, ps shows them, and a stop leaves nothing and exit code 0") {
  Up up(shout("min = 2"));
  up.ready();
  up.is_soon("shout-2", ProcessState::ready);
  up.is_soon("shout-1", ProcessState::ready);
  CHECK(up.pointsman({"call", "shout", "hello"}).out == "HELLO");
  // What the broker has to say to an operator is said; that it is ready, once.
  CHECK(has(up.process->err(), "pointsman broker: memory is bounded by"));
  CHECK(up.process->out().find("ready clients=") == up.process->out().rfind("ready clients="));
  CHECK(eventually([&] { return up.row("shout-1").workers.size() == 1; }));
  const auto rows = up.ps();
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].kind == ProcessKind::broker);
  CHECK(rows[1].service == "shout");
  CHECK(rows[1].memory > 100'000);
  // What a quick process says before the supervisor knows its keeper is lost; names are said again, a status is not.
  CHECK((rows[1].status.empty() || has(rows[1].status, "registered as")));
  const auto table = up.pointsman({"ps", up.file});
  CHECK(table.code == 0);
  CHECK(has(table.out, "shout-2"));
  const auto second = up.pointsman({"up", up.file});
  CHECK(second.code == 125);
  CHECK(has(second.err, "another supervisor"));
  CHECK(up.stop() == 0);
  CHECK(up.left() == 0);
  CHECK(up.pointsman({"ps", up.file}).code == 3);
}

TEST_CASE("e2e up: a killed worker is struck off at once, and is back") {
  Up up(shout("min = 2"));
  up.ready();
  up.is_soon("shout-1", ProcessState::ready);
  up.is_soon("shout-2", ProcessState::ready);
  const auto victim = up.row("shout-1");
  REQUIRE(victim.workers.size() == 1);
  Client client({.broker = up.clients});
  const auto listed = [&] {
    const auto listing = std::get<Listing>(client.ask(List{.of = Subject::workers}));
    for (const auto& worker : listing.workers) {
      if (worker.worker == victim.workers[0]) return true;
    }
    return false;
  };
  CHECK(listed());
  const auto begun = std::chrono::steady_clock::now();
  kill_process(victim, SIGKILL);
  CHECK(eventually([&] { return !listed(); }));
  const auto took = std::chrono::steady_clock::now() - begun;
  MESSAGE("struck off after " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms");
  CHECK(eventually([&] { return up.row("shout-1").restarts == 1 && up.is("shout-1", ProcessState::ready); }));
  CHECK(has(up.row("shout-1").exit, "SIGKILL"));
  CHECK(client.call("shout", {"x"}).at(0).view() == "X");
}

TEST_CASE("e2e up: a killed broker is back where it was, and grants") {
  Up up(shout());
  up.ready();
  up.is_soon("shout", ProcessState::ready);
  Client client({.broker = up.clients});
  CHECK(client.call("shout", {"x"}).at(0).view() == "X");
  const auto begun = std::chrono::steady_clock::now();
  kill_process(up.row("broker"), SIGKILL);
  CHECK(client.call("shout", {"y"}, {.wait = 20s, .absent = true}).at(0).view() == "Y");
  const auto took = std::chrono::steady_clock::now() - begun;
  MESSAGE("granted after " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms");
  CHECK(up.row("broker").restarts == 1);
  CHECK(up.row("shout").restarts == 0);
  CHECK(up.stop() == 0);
}

TEST_CASE("e2e up: a stopped worker is found to hang, and is replaced, and so is the broker") {
  Up up(shout("watchdog = \"3s\""), "watchdog = \"3s\"");
  up.ready();
  up.is_soon("shout", ProcessState::ready);
  kill_process(up.row("shout"), SIGSTOP);
  CHECK(eventually([&] { return up.row("shout").restarts >= 1 && up.is("shout", ProcessState::ready); }));
  CHECK(has(up.row("shout").exit, "it hung"));
  kill_process(up.row("broker"), SIGSTOP);
  CHECK(eventually([&] { return up.row("broker").restarts >= 1 && up.is("broker", ProcessState::ready); }));
  CHECK(up.pointsman({"call", "shout", "hello", "--absent", "--wait", "10s"}).out == "HELLO");
}

TEST_CASE("e2e up: a supervisor that was suspended blames nobody for the time that it missed") {
  Up up(shout("watchdog = \"3s\""), "watchdog = \"3s\"");
  up.ready();
  up.is_soon("shout", ProcessState::ready);
  up.process->signal(SIGSTOP);
  std::this_thread::sleep_for(4500ms);  // the time that it misses
  up.process->signal(SIGCONT);
  CHECK(up.row("shout").restarts == 0);
  CHECK(up.row("broker").restarts == 0);
  CHECK(up.pointsman({"call", "shout", "hello"}).out == "HELLO");
}

TEST_CASE("e2e up: with keys, the supervisor goes to the broker as an admin") {
  TemporaryFolder keys;
  const auto file = [&](const std::string& name) { return keys.path() + "/" + name; };
  const std::string allowed = file("allowed.keys");
  for (const char* name : {"broker", "admin", "farm"}) {
    REQUIRE(run({pointsman_program(), "keys", "make", file(name)}).code == 0);
  }
  const auto allow = [&](const std::string& name, const std::string& role) {
    const auto done = run({pointsman_program(), "keys", "allow", "--allowed", allowed, name, file(name + ".pub"), "--role", role});
    REQUIRE_MESSAGE(done.code == 0, done.err);
  };
  REQUIRE(run({pointsman_program(), "keys", "allow", "--allowed", allowed, "admin", file("admin.pub"), "--role", "client",
               "--role", "admin"}).code == 0);
  allow("farm", "worker");
  const auto both = [&](const std::string& section, const std::string& name) {
    return "[" + section + "]\nkey = \"" + file(name) + "\"\nbroker_key = \"" + file("broker.pub") + "\"\n";
  };
  Up up(shout() + both("client", "admin") + both("worker", "farm"), "",
        "key = \"" + file("broker") + "\"\nallowed = \"" + allowed + "\"\n");
  up.ready();
  up.is_soon("shout", ProcessState::ready);
  REQUIRE(eventually([&] { return up.row("shout").workers.size() == 1; }));
  const auto before = up.row("shout").workers;
  kill_process(up.row("shout"), SIGKILL);
  CHECK(eventually([&] { return up.row("shout").restarts == 1 && up.is("shout", ProcessState::ready); }));
  const auto listed = [&] { return up.pointsman({"ls", "workers", "--config", up.file}); };
  CHECK_MESSAGE(eventually([&] { return !has(listed().out, before.at(0)); }), listed().out);
  const auto rolled = up.pointsman({"roll", "shout", "--config", up.file});
  CHECK_MESSAGE(rolled.code == 0, rolled.err);
}

TEST_CASE("e2e up: a worker whose calls make no progress hangs, although its loop turns") {
  const std::string command = "[[process]]\nname = \"slow\"\ncommand = [\"pointsman\", \"worker\", \"--service\", \"slow\", "
                              "\"--quiet\", \"--\", \"sleep\", \"1000\"]\nwatchdog = \"600ms\"\nhang = \"600ms\"\n";
  Up up(command);
  up.ready();
  up.is_soon("slow", ProcessState::ready);
  std::thread caller([&] { up.pointsman({"call", "slow", "x", "--timeout", "15s"}); });
  CHECK(eventually([&] { return up.row("slow").restarts > 0; }));
  CHECK(has(up.row("slow").exit, "it hung"));
  up.stop();
  caller.join();
}

TEST_CASE("e2e up: a crash loop is seen, and what is configured wrong is not tried again") {
  Up up(plain("sick", "exit 7") + plain("wrong", "exit 2") +
        "[[process]]\nname = \"absent\"\ncommand = [\"no-such-program\"]\n");
  up.ready();
  up.is_soon("sick", ProcessState::crash_loop);
  CHECK(up.row("sick").exit == "exit code 7");
  CHECK(up.row("sick").restarts >= 4);
  CHECK(up.row("sick").next_ms > 30s);
  up.is_soon("wrong", ProcessState::failed);
  CHECK(up.row("wrong").restarts == 0);
  up.is_soon("absent", ProcessState::failed);
  CHECK(has(up.row("absent").exit, "no-such-program"));
  CHECK(up.stop() == 0);
}

TEST_CASE("e2e up: commands that fork twice and call setsid leave nothing, whoever dies and how") {
  const std::string daemons = "setsid sh -c \"sleep 1000 & sleep 1000 &\" & exec sleep 1000";
  SUBCASE("the supervisor is stopped") {
    Up up(plain("daemons", daemons));
    up.ready();
    CHECK(eventually([&] { return up.left() >= 7; }));
    CHECK(up.stop() == 0);
    CHECK(up.left() == 0);
  }
  SUBCASE("the supervisor is killed") {
    Up up(plain("daemons", daemons));
    up.ready();
    CHECK(eventually([&] { return up.left() >= 7; }));
    up.process->signal(SIGKILL);
    CHECK(eventually([&] { return up.left() == 0; }));
  }
  SUBCASE("a side car is killed") {
    Up up("[[process]]\nname = \"car\"\ncommand = [\"pointsman\", \"worker\", \"--service\", \"car\", \"--quiet\", "
          "\"--filter\", \"--\", \"sh\", \"-c\", '''" + daemons + "''']\n");
    up.ready();
    up.is_soon("car", ProcessState::ready);
    CHECK(eventually([&] { return up.left() == 9; }));  // the shells that started the daemons are over
    kill_process(up.row("car"), SIGKILL);
    CHECK(eventually([&] { return up.row("car").restarts == 1 && up.is("car", ProcessState::ready); }));
    CHECK(eventually([&] { return up.left() == 9; }));
    CHECK(up.stop() == 0);
  }
  SUBCASE("keeper and spawner are killed") {
    Up up(plain("daemons", daemons));
    up.ready();
    CHECK(eventually([&] { return up.left() >= 7; }));
    const auto row = up.row("daemons");
    std::ifstream stat("/proc/" + std::to_string(row.pid) + "/stat");
    std::string skipped;
    pid_t keeper = 0;
    stat >> skipped >> skipped >> skipped >> keeper;
    REQUIRE(keeper > 1);
    ::kill(keeper, SIGKILL);
    CHECK(eventually([&] { return up.row("daemons").restarts == 1; }));
    CHECK(eventually([&] { return up.left() >= 7; }));
    CHECK(up.stop() == 0);
    CHECK(up.left() == 0);
  }
}

TEST_CASE("e2e up: a stop ends within its bound, and its exit code tells that something had to be killed") {
  Up up(plain("deaf", "trap '' TERM; echo deaf >&2; while true; do sleep 0.1; done"), "stop = \"1s\"");
  up.ready();
  up.is_soon("deaf", ProcessState::ready);
  CHECK(eventually([&] { return has(up.process->err(), "deaf\n"); }));
  CHECK(up.stop() == 124);
  CHECK(up.left() == 0);
}

TEST_CASE("e2e up: a worker is started when a request waits, and rests when nobody comes") {
  Up up(shout("min = 0\nmax = 2\nidle = \"500ms\""));
  up.ready();
  up.is_soon("shout-1", ProcessState::stopped);
  CHECK(up.pointsman({"call", "nobody", "x"}).code == 4);
  CHECK(up.pointsman({"call", "shout", "hello", "--wait", "20s"}).out == "HELLO");
  CHECK(eventually([&] {
    const auto rows = up.ps();
    return rows.size() == 2 && rows[1].state == ProcessState::stopped;
  }));
  CHECK(up.pointsman({"call", "shout", "again", "--wait", "20s"}).out == "AGAIN");
  CHECK(up.stop() == 0);
}

TEST_CASE("e2e up: a roll under load replaces every process, and no request fails") {
  Up up(shout("min = 3"));
  up.ready();
  for (const char* name : {"shout-1", "shout-2", "shout-3"}) up.is_soon(name, ProcessState::ready);
  std::set<std::uint64_t> before;
  for (const auto& row : up.ps()) before.insert(row.pid);
  std::atomic<bool> over = false;
  std::atomic<int> done = 0, failed = 0;
  std::vector<std::thread> load;
  for (int i = 0; i < 4; ++i) {
    load.emplace_back([&] {
      Client client({.broker = up.clients});
      while (!over) {
        try {
          // Not sent again to another worker: what fails is counted.
          done += client.call("shout", {"x"}, {.wait = 20s, .reassign = 0}).at(0).view() == "X";
        } catch (const Error& error) {
          ++failed;
          MESSAGE(std::string(error.what()));
        }
      }
    });
  }
  CHECK(eventually([&] { return done > 20; }));
  const auto rolled = up.pointsman({"roll", "shout", "--config", up.file});
  CHECK_MESSAGE(rolled.code == 0, rolled.out << rolled.err);
  CHECK(has(rolled.out, "3 of 3 processes of shout were replaced"));
  over = true;
  for (auto& thread : load) thread.join();
  CHECK(failed == 0);
  MESSAGE(done.load() << " requests meanwhile");
  int fresh = 0;
  for (const auto& row : up.ps()) fresh += row.state == ProcessState::ready && !before.contains(row.pid);
  CHECK(fresh == 3);
  CHECK(up.pointsman({"roll", "nothing", "--config", up.file}).code == 4);
  CHECK(up.stop() == 0);
}

TEST_CASE("e2e up: a roll whose first new process does not become ready ends, and the old ones go on") {
  TemporaryFolder flags;
  const std::string broken = flags.path() + "/broken";
  Up up("[[process]]\nname = \"shout\"\nservice = \"shout\"\nnotify = true\nmin = 2\ncommand = [\"sh\", \"-c\", "
        "'''test ! -e " + broken + " || exit 9; exec " + pointsman_program() +
        " worker --service shout --quiet -- tr a-z A-Z''']\n");
  up.ready();
  up.is_soon("shout-1", ProcessState::ready);
  up.is_soon("shout-2", ProcessState::ready);
  std::ofstream(broken) << "\n";
  const auto rolled = up.pointsman({"roll", "shout", "--config", up.file});
  CHECK(rolled.code == 1);
  CHECK(has(rolled.err, "exit code 9"));
  CHECK(has(rolled.err, "0 of 2"));
  CHECK(up.is("shout-1", ProcessState::ready));
  CHECK(up.is("shout-2", ProcessState::ready));
  CHECK(up.ps().size() == 3);
  CHECK(up.pointsman({"call", "shout", "hello"}).out == "HELLO");
  CHECK(up.stop() == 0);
}

TEST_CASE("e2e up: a file that is wrong is told with the line, and nothing is started") {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/pointsman.toml";
  const auto up = [&](const std::string& text) {
    std::ofstream(file) << text;
    return run({pointsman_program(), "up", file});
  };
  const auto unnamed = up("[[process]]\ncommand = [\"true\"]\n");
  CHECK(unnamed.code == 2);
  CHECK(has(unnamed.err, file + ":1"));
  const auto less = up("[[process]]\nname = \"a\"\nservice = \"a\"\ncommand = [\"true\"]\nmin = 3\nmax = 2\n");
  CHECK(less.code == 2);
  CHECK(has(less.err, "max is 2, but min is 3"));
  const auto key = up("[[process]]\nname = \"a\"\ncomand = [\"true\"]\n");
  CHECK(key.code == 2);
  const auto words = up("[[process]]\nname = \"a\"\ncommand = \"true\"\n");
  CHECK(words.code == 2);
  CHECK(has(words.err, file + ":3"));
  const auto wild = up("[broker]\nclients = \"tcp://127.0.0.1:*\"\n");
  CHECK(wild.code == 2);
  CHECK(has(wild.err, "at each start"));
  CHECK(run({pointsman_program(), "up", folder.path() + "/none.toml"}).code == 2);
}
