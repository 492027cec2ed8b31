// Shows the program as its users meet it: every command and every exit code, with real brokers and workers.

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <list>
#include <sstream>

#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/e2e/stranger.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

using Arguments = std::vector<std::string>;

// A parser of somebody else's; an empty text is no JSON.
bool is_json(const std::string& text) {
  return run({"/usr/bin/python3", "-m", "json.tool"}, {.input = text}).code == 0;
}

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "x\n";
  return text;
}

// A broker and workers of this test alone.
class House {
 public:
  explicit House(const Arguments& broker_options = {}) {
    Arguments words{pointsman_program(), "broker", "--clients", clients, "--workers", workers};
    words.insert(words.end(), broker_options.begin(), broker_options.end());
    broker.emplace(words, surroundings());
    REQUIRE_MESSAGE(broker->wait_for_line("ready clients=", 20s), broker->err());
  }

  Surroundings surroundings(std::string input = {}) const {
    return {std::move(input), {"POINTSMAN_BROKER=" + clients, "POINTSMAN_WORKERS=" + workers}};
  }

  // pointsman worker …, ready.
  Process& worker(const Arguments& options) {
    Arguments words{pointsman_program(), "worker"};
    words.insert(words.end(), options.begin(), options.end());
    Process& started = fleet.emplace_back(words, surroundings());
    REQUIRE_MESSAGE(started.wait_for_line("ready worker=", 20s), started.err());
    return started;
  }

  // pointsman …, to its end.
  Result pointsman(const Arguments& options, std::string input = {}) const {
    Arguments words{pointsman_program()};
    words.insert(words.end(), options.begin(), options.end());
    return run(words, surroundings(std::move(input)));
  }

  int used() const {
    const auto listed = pointsman({"ls", "sessions"});
    REQUIRE(listed.code == 0);
    return static_cast<int>(std::count(listed.out.begin(), listed.out.end(), '\n')) - 1;
  }

  TemporaryFolder folder;
  const std::string clients = "ipc://" + folder.path() + "/clients";
  const std::string workers = "ipc://" + folder.path() + "/workers";
  std::optional<Process> broker;
  std::list<Process> fleet;
};

// Without a broker.
Result alone(const Arguments& options, const Arguments& environment = {}) {
  Arguments words{pointsman_program()};
  words.insert(words.end(), options.begin(), options.end());
  return run(words, {.environment = environment});
}

}  // namespace

TEST_CASE("e2e program: exit code 0 and an answer, byte for byte") {
  House house;
  house.worker({"--service", "shout", "--", "tr", "a-z", "A-Z"});
  const auto called = house.pointsman({"call", "shout", "hello"});
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK(called.out == "HELLO");
  CHECK(called.err.empty());
  const std::string bytes("a\0b\xff\n", 5);
  CHECK(house.pointsman({"call", "shout", "-"}, bytes).out == std::string("A\0B\xff\n", 5));
  CHECK(house.pointsman({"call", "shout"}).out.empty());
  CHECK(house.pointsman({"call", "shout", "--", "-x"}).out == "-X");
}

TEST_CASE("e2e program: exit code 1 when the work failed, with the program's exit code and its stderr") {
  House house;
  house.worker({"--service", "bad", "--", "sh", "-c", "echo it hurts >&2; exit 7"});
  const auto called = house.pointsman({"call", "bad", "x"});
  CHECK(called.code == 1);
  CHECK(has(called.err, "7"));
  CHECK(has(called.err, "it hurts"));
  CHECK(called.out.empty());
  const auto json = house.pointsman({"call", "bad", "x", "--json"});
  CHECK(json.code == 1);
  CHECK(is_json(json.out));
  CHECK(is_json(json.err));
  CHECK(has(json.err, "\"work_exit\":7"));
}

TEST_CASE("e2e program: exit code 2 for what is written wrong, and what was meant") {
  CHECK(alone({}).code == 2);
  const auto command = alone({"wokrer"});
  CHECK(command.code == 2);
  CHECK(has(command.err, "did you mean worker?"));
  const auto option = alone({"call", "x", "--wiat", "5s"});
  CHECK(option.code == 2);
  CHECK(has(option.err, "did you mean --wait?"));
  CHECK(alone({"call"}).code == 2);
  CHECK(alone({"call", "x", "--wait", "5"}).code == 2);
  CHECK(alone({"call", "x", "-n", "0"}).code == 2);
  CHECK(alone({"call", "x", "@/no/such/file"}).code == 2);
  CHECK(alone({"call", "x", "--stream", "-c", "2"}).code == 2);
  CHECK(alone({"ls", "wrokers"}).code == 2);
  CHECK(alone({"explain"}).code == 2);
  CHECK(alone({"explain", "job", "7"}).code == 2);
  CHECK(alone({"watch", "--kind", "granded"}).code == 2);
  CHECK(alone({"service", "x", "--policy", "fair"}).code == 2);
  CHECK(alone({"drain", "w", "--leave", "--resume"}).code == 2);
  CHECK(alone({"run", "x"}).code == 2);
  CHECK(alone({"broker", "--clients", "127.0.0.1:1"}).code == 2);
  CHECK(alone({"broker", "--clients", "tcp://0.0.0.0:*"}).code == 2);
  CHECK(alone({"broker", "--", "x"}).code == 2);
  const auto json = alone({"--json", "wokrer"});
  CHECK(json.code == 2);
  CHECK(json.out.empty());
  CHECK(is_json(json.err));
}

TEST_CASE("e2e program: a command without dashes in front of it is asked for them") {
  for (const Arguments& words : {Arguments{"worker", "--service", "x", "gzip", "-c"}, Arguments{"run", "x", "true"}}) {
    const auto result = alone(words);
    CHECK(result.code == 2);
    CHECK(has(result.err, "put `--` in front of it"));
  }
}

TEST_CASE("e2e program: exit code 3 when there is no broker") {
  TemporaryFolder folder;
  const std::string nobody = "ipc://" + folder.path() + "/nobody";
  for (const Arguments& words : {Arguments{"ls"}, Arguments{"call", "x", "y"}, Arguments{"run", "x", "--", "true"}, Arguments{"status"},
                             Arguments{"watch"}, Arguments{"drain", "w"}}) {
    CAPTURE(words.front());
    Arguments full{"--broker", nobody, "--json"};
    full.insert(full.end(), words.begin(), words.end());
    const auto result = alone(full, {"POINTSMAN_TIMEOUT=1s"});
    CHECK_MESSAGE(result.code == 3, result.err);
    CHECK(is_json(result.err));
  }
}

TEST_CASE("e2e program: exit code 4 for what is not known") {
  House house;
  const auto called = house.pointsman({"call", "nobody", "x"});
  CHECK_MESSAGE(called.code == 4, called.err);
  CHECK(has(called.err, "nobody"));
  CHECK(house.pointsman({"run", "nobody", "--", "true"}).code == 4);
  CHECK(house.pointsman({"drain", "nobody"}).code == 4);
  CHECK(house.pointsman({"explain", "nothing"}).code == 4);
  CHECK(house.pointsman({"explain", "session", "7"}).code == 4);
  CHECK(house.pointsman({"explain", "worker", "nobody"}).code == 4);
  CHECK(house.pointsman({"explain", "service", "nobody"}).code == 4);
  CHECK(house.pointsman({"service", "nobody"}).code == 4);
  CHECK(house.pointsman({"ls", "--service", "nobody"}).code == 4);
}

TEST_CASE("e2e program: exit code 5 when no worker came free, and explain says why") {
  House house;
  house.worker({"--service", "slow", "--name", "only", "--", "cat"});
  Process holder({pointsman_program(), "run", "slow", "--", "sh", "-c", "echo held; sleep 60"}, house.surroundings());
  REQUIRE_MESSAGE(holder.wait_for_line("held", 20s), holder.err());
  CHECK(house.pointsman({"call", "slow", "x", "--wait", "0"}).code == 5);
  CHECK(house.pointsman({"call", "slow", "x", "--wait", "300ms"}).code == 5);
  CHECK(house.pointsman({"run", "slow", "--wait", "0", "--", "true"}).code == 5);
  CHECK(house.pointsman({"drain", "only", "--wait", "200ms"}).code == 5);
  CHECK(house.pointsman({"drain", "only", "--resume"}).code == 0);
  const auto why = house.pointsman({"explain", "service", "slow"});
  CHECK(why.code == 0);
  CHECK(has(why.out, "only"));
  holder.signal(SIGTERM);
  CHECK(holder.wait(20s) == 143);
  CHECK(eventually([&] { return house.used() == 0; }));
  CHECK(house.pointsman({"call", "slow", "x"}).code == 0);
}

TEST_CASE("e2e program: exit code 6 for other refusals") {
  House house;
  // The workers' listener takes no requests.
  const auto called = house.pointsman({"call", "x", "y", "--broker", house.workers});
  CHECK_MESSAGE(called.code == 6, called.err);
}

TEST_CASE("e2e program: exit code 124 when the answer or the whole takes too long") {
  House house;
  house.worker({"--service", "slow", "--slots", "4", "--", "sleep", "60"});
  CHECK(house.pointsman({"call", "slow", "x", "--limit", "300ms"}).code == 124);
  CHECK(house.pointsman({"call", "slow", "x", "--timeout", "300ms"}).code == 124);
  CHECK(house.pointsman({"run", "slow", "--timeout", "300ms", "--", "sleep", "60"}).code == 124);
  CHECK(house.pointsman({"watch", "--timeout", "300ms"}).code == 124);
  CHECK(eventually([&] { return house.used() == 0; }));
}

TEST_CASE("e2e program: exit code 125 when pointsman cannot do its part") {
  House house;
  CHECK(house.pointsman({"broker", "--clients", house.clients, "--workers", house.workers}).code == 125);
  Arguments words{"sh", "-c", pointsman_program() + " status >/dev/full"};
  CHECK(run(words, house.surroundings()).code == 125);
}

TEST_CASE("e2e program: run gives its command the session and passes its end on") {
  House house;
  house.worker({"--service", "x", "--name", "w", "--slots", "2", "--", "cat"});
  const auto shown = house.pointsman(
      {"run", "x", "--", "sh", "-c",
       "echo $POINTSMAN_SERVICE $POINTSMAN_WORKER $POINTSMAN_SESSION; test -n \"$POINTSMAN_TICKET\" -a -n "
       "\"$POINTSMAN_CLIENT\" -a -n \"$POINTSMAN_ENDPOINT\"; cat"},
      "input goes through");
  CHECK_MESSAGE(shown.code == 0, shown.err);
  CHECK(has(shown.out, "x w "));
  CHECK(has(shown.out, "input goes through"));
  CHECK(house.pointsman({"run", "x", "--", "sh", "-c", "exit 9"}).code == 9);
  CHECK(house.pointsman({"run", "x", "--", "sh", "-c", "kill -KILL $$"}).code == 137);
  CHECK(house.pointsman({"run", "x", "--", "/no/such/command"}).code == 127);
  CHECK(house.pointsman({"run", "x", "--", "/etc/passwd"}).code == 126);
  CHECK(eventually([&] { return house.used() == 0; }));
}

TEST_CASE("e2e program: run passes signals on") {
  House house;
  house.worker({"--service", "x", "--", "cat"});
  Process runner({pointsman_program(), "run", "x", "--", "sh", "-c",
                  "trap 'echo heard; exit 5' USR1; echo up; while :; do sleep 0.05; done"},
                 house.surroundings());
  REQUIRE(runner.wait_for_line("up", 20s));
  runner.signal(SIGUSR1);
  CHECK(runner.wait(20s) == 5);
  CHECK(has(runner.out(), "heard"));
}

TEST_CASE("e2e program: exit code 130 on Ctrl-C, and the session is given back") {
  House house;
  house.worker({"--service", "slow", "--", "sleep", "60"});
  Process caller({pointsman_program(), "call", "slow", "x"}, house.surroundings());
  REQUIRE(eventually([&] { return house.used() == 1; }));
  caller.signal(SIGINT);
  CHECK(caller.wait(20s) == 130);
  CHECK(caller.err().empty());
  CHECK(eventually([&] { return house.used() == 0; }));
}

TEST_CASE("e2e program: SIGTERM ends every party quietly") {
  House house;
  Process& worker = house.worker({"--service", "x", "--", "cat"});
  Process& filter = house.worker({"--service", "z", "--filter", "--", "cat"});
  Process watcher({pointsman_program(), "watch"}, house.surroundings());
  Process waiter({pointsman_program(), "call", "y", "--absent", "--wait", "60s"}, house.surroundings());
  // Something has to happen once the watcher is there.
  REQUIRE(eventually([&] {
    run({pointsman_program(), "service", "x", "--queue-max", "77"}, house.surroundings());
    return watcher.wait_for_line("event", 200ms);
  }));
  for (Process* process : {&watcher, &waiter}) {
    process->signal(SIGTERM);
    CHECK(process->wait(20s) == 143);
    CHECK_MESSAGE(process->err().empty(), process->err());
  }
  for (Process* process : {&worker, &filter}) {
    process->signal(SIGTERM);
    CHECK(process->wait(20s) == 0);
    CHECK_MESSAGE(process->err().empty(), process->err());
  }
  house.broker->signal(SIGTERM);
  CHECK(house.broker->wait(20s) == 0);
}

TEST_CASE("e2e program: a reader that goes away ends the writer quietly") {
  House house;
  house.worker({"--service", "x", "--", "cat"});
  for (const char* command : {"call x -n 100000 hello", "call x -n 100000 --separate --json hello", "watch"}) {
    const Arguments words{"bash", "-c",
                      pointsman_program() + " " + command + " | head -c 100 >/dev/null; echo ${PIPESTATUS[0]}"};
    Process pipeline(words, house.surroundings());
    // Something has to happen for a watcher to notice.
    CHECK(eventually([&] {
      house.pointsman({"call", "x", "y"});
      return pipeline.wait(10ms).has_value();
    }));
    CHECK(pipeline.out() == "141\n");
    CHECK_MESSAGE(pipeline.err().empty(), pipeline.err());
  }
}

TEST_CASE("e2e program: many requests go over several sessions and come back in order") {
  House house;
  house.worker({"--service", "count", "--slots", "4", "--", "wc", "-l"});
  Arguments words{"call", "count", "-c", "4"};
  for (int i = 0; i < 20; ++i) {
    const std::string file = house.folder.path() + "/" + std::to_string(i);
    std::ofstream(file) << lines(i);
    words.push_back("@" + file);
  }
  const auto called = house.pointsman(words);
  CHECK_MESSAGE(called.code == 0, called.err);
  std::istringstream answers(called.out);
  for (int i = 0, answer = -1; i < 20; ++i) {
    answers >> answer;
    CHECK(answer == i);
  }
  CHECK(has(called.err, "answered=20 failed=0 sessions=4"));

  const auto fresh = house.pointsman({"call", "count", "-n", "6", "--fresh", "x"});
  CHECK(has(fresh.err, "answered=6 failed=0 sessions=6"));
}

TEST_CASE("e2e program: answers are bytes, lines, one document, or a document each") {
  House house;
  house.worker({"--service", "shout", "--name", "w", "--", "tr", "a-z", "A-Z"});
  CHECK(house.pointsman({"call", "shout", "a", "b"}).out == "AB");
  CHECK(house.pointsman({"call", "shout", "a", "b", "--separate"}).out == "A\nB\n");
  const auto document = house.pointsman({"call", "shout", "a", "b", "--json"});
  CHECK(is_json(document.out));
  CHECK(has(document.out, R"("text":"A")"));
  CHECK(has(document.out, R"("worker":"w")"));
  CHECK(has(document.out, R"("summary":{"answered":2)"));
  const auto stream = house.pointsman({"call", "shout", "a", "b", "--json", "--separate"});
  const auto end = stream.out.find('\n');
  REQUIRE(end != std::string::npos);
  CHECK(is_json(stream.out.substr(0, end)));
  CHECK(is_json(stream.out.substr(end)));
  CHECK(has(house.pointsman({"call", "shout", "-", "--json"}, "\xff").out, R"("base64":"/w==")"));
  CHECK(house.pointsman({"call", "shout", "streamed", "--stream"}).out == "STREAMED");
}

TEST_CASE("e2e program: one request that fails does not lose the others") {
  House house;
  house.worker({"--service", "grep", "--", "grep", "good"});
  const auto called = house.pointsman({"call", "grep", "good 1", "bad", "good 2", "--separate"});
  CHECK(called.code == 1);
  CHECK(called.out == "good 1\ngood 2\n");
  CHECK(has(called.err, "request 2 (\"bad\")"));
}

TEST_CASE("e2e program: every listing and answer is JSON on demand, and complete") {
  House house;
  house.worker({"--service", "zip", "--name", "a", "-n", "3", "--", "cat"});
  Process holder({pointsman_program(), "run", "zip", "--", "sh", "-c", "echo held; sleep 60"}, house.surroundings());
  REQUIRE(holder.wait_for_line("held", 20s));
  Process waiter({pointsman_program(), "call", "later", "--absent", "--wait", "60s"}, house.surroundings());
  REQUIRE(eventually([&] { return has(house.pointsman({"ls", "waiting"}).out, "later"); }));
  const auto json = [&](Arguments words) {
    words.push_back("--json");
    const auto result = house.pointsman(words);
    CHECK_MESSAGE(result.code == 0, result.err);
    CHECK_MESSAGE(is_json(result.out), result.out);
    CHECK(result.out.front() == '{');
    return result.out;
  };
  CHECK(has(json({"ls"}), R"("service":"zip")"));
  for (const char* worker : {"a-1", "a-2", "a-3"}) CHECK(has(json({"ls", "workers"}), worker));
  CHECK(has(json({"ls", "workers", "--limit", "1"}), R"("next":"a-1")"));
  CHECK(has(json({"ls", "sessions"}), R"("service":"zip")"));
  CHECK(has(json({"ls", "waiting"}), R"("service":"later")"));
  CHECK(has(json({"top"}), R"("workers":)"));
  CHECK(has(json({"status"}), R"("counters":)"));
  CHECK(has(json({"service", "zip", "--policy", "random"}), R"("policy":"random")"));
  CHECK(has(json({"explain", "service", "zip"}), R"("candidates":)"));
  CHECK(has(json({"explain", "--worker", "a-1"}), R"("subject":)"));
  CHECK(has(json({"drain", "a-3"}), R"("worker":"a-3")"));
  CHECK(has(json({"config", "show"}), R"("name":"client.broker")"));
  CHECK(has(house.pointsman({"top"}).out, "slots used"));
  CHECK(has(house.pointsman({"status"}).out, "sessions"));
}

TEST_CASE("e2e program: more rows than a page are all listed") {
  House house;
  house.worker({"--service", "x", "--name", "w", "-n", "120", "--", "cat"});
  REQUIRE(eventually([&] { return has(house.pointsman({"ls"}).out, "120"); }));
  const auto listed = house.pointsman({"ls", "workers"});
  CHECK(std::count(listed.out.begin(), listed.out.end(), '\n') == 121);
  const auto first = house.pointsman({"ls", "workers", "--limit", "7"});
  CHECK(std::count(first.out.begin(), first.out.end(), '\n') == 8);
  CHECK(has(first.err, "there are more"));
}

TEST_CASE("e2e program: more sessions than a page are all listed, and those that a worker brought along") {
  House house;
  Stranger granted(house.workers);
  Stranger brought(house.workers);
  Stranger client(house.clients);
  Register message{.worker = "w1", .instance = "i", .services = {{.service = "x"}}, .slots = 200, .endpoint = "tcp://127.0.0.1:1"};
  message.lease_ms = std::chrono::minutes(5);
  REQUIRE(granted.ask({encode(message)}).has_value());
  for (int i = 0; i < 120; ++i) {
    REQUIRE(client.refusal({encode(Request{.id = "r" + std::to_string(i), .service = "x"})}) == Code::none);
  }
  // Their numbers are smaller than those of the others, which they stand behind.
  message.worker = "w2";
  for (std::uint64_t i = 1; i <= 30; ++i) message.sessions.push_back({.session = i, .service = "x", .open = true});
  REQUIRE(brought.ask({encode(message)}).has_value());
  CHECK(house.used() == 150);
}

TEST_CASE("e2e program: explain finds a waiting request by its id") {
  House house;
  Process waiter({pointsman_program(), "call", "later", "--absent", "--wait", "60s"}, house.surroundings());
  std::string id;
  REQUIRE(eventually([&] {
    std::istringstream listed(house.pointsman({"ls", "waiting"}).out);
    std::string last;
    while (listed >> last) id = last;
    return id != "REQUEST";
  }));
  const auto explained = house.pointsman({"explain", id});
  CHECK_MESSAGE(explained.code == 0, explained.err);
  CHECK(has(explained.out, "waiting"));
  CHECK(has(explained.out, "later"));
}

TEST_CASE("e2e program: a drained worker gets nothing, and serves again when told so") {
  House house;
  Process& worker = house.worker({"--service", "x", "--name", "w", "--", "cat"});
  CHECK(house.pointsman({"drain", "w", "--wait", "10s"}).code == 0);
  CHECK(has(house.pointsman({"ls", "workers"}).out, "draining"));
  CHECK(house.pointsman({"call", "x", "y", "--wait", "0"}).code == 5);
  CHECK(house.pointsman({"drain", "w", "--resume"}).code == 0);
  CHECK(house.pointsman({"call", "x", "y"}).code == 0);
  CHECK(house.pointsman({"drain", "w", "--leave"}).code == 0);
  CHECK(worker.wait(20s) == 0);
  CHECK_FALSE(has(house.pointsman({"ls", "workers"}).out, "w "));
}

TEST_CASE("e2e program: watch prints what happens") {
  House house;
  Process watcher({pointsman_program(), "watch", "--kind", "registered", "--kind", "closed", "-n", "2", "--json"},
                  house.surroundings());
  REQUIRE(eventually([&] { return has(house.pointsman({"status"}).out, "watchers                        1") ||
                                  has(house.pointsman({"status", "--json"}).out, R"({"name":"watchers","value":1})"); }));
  house.worker({"--service", "x", "--", "cat"});
  CHECK(house.pointsman({"call", "x", "y"}).code == 0);
  CHECK(watcher.wait(20s) == 0);
  CHECK(has(watcher.out(), R"("kind":"registered")"));
  CHECK(has(watcher.out(), R"("kind":"closed")"));
  CHECK(is_json(watcher.out().substr(0, watcher.out().find('\n'))));
}

TEST_CASE("e2e program: settings of a service are shown and changed") {
  House house;
  house.worker({"--service", "x", "--", "cat"});
  CHECK(has(house.pointsman({"service", "x"}).out, "weighted-round-robin"));
  const auto changed =
      house.pointsman({"service", "x", "--policy", "least-busy", "--queue-max", "3", "--aging", "2s", "--hang", "1m"});
  CHECK_MESSAGE(changed.code == 0, changed.err);
  const auto shown = house.pointsman({"service", "x"}).out;
  for (const char* part : {"least-busy", " 3 ", "2s", "1m"}) CHECK(has(shown, part));
}

TEST_CASE("e2e program: the configuration file is read, and its mistakes are shown where they are") {
  TemporaryFolder folder;
  const std::string good = folder.path() + "/good.toml";
  const std::string bad = folder.path() + "/bad.toml";
  std::ofstream(good) << "[client]\nbroker = \"ipc:///tmp/from-file\"\n[[service]]\nname = \"zip\"\npolicy = \"random\"\n";
  std::ofstream(bad) << "[broker]\n\nlaese = \"5s\"\n";
  CHECK(alone({"config", "check", good}).code == 0);
  const auto checked = alone({"config", "check", bad});
  CHECK(checked.code == 2);
  CHECK(has(checked.err, bad + ":3:9: there is no key \"laese\" here, did you mean lease?"));
  CHECK(alone({"ls", "--config", bad}).code == 2);
  CHECK(alone({"ls"}, {"POINTSMAN_CONFIG=" + bad}).code == 2);
  CHECK(alone({"config", "check", "/no/such/file"}).code == 2);
  const auto shown = alone({"config", "show"}, {"POINTSMAN_CONFIG=" + good, "POINTSMAN_TIMEOUT=3s"});
  CHECK(shown.code == 0);
  CHECK(has(shown.out, good + ":2"));
  CHECK(has(shown.out, "POINTSMAN_TIMEOUT"));
  CHECK(has(shown.out, "service.zip.policy"));
  const auto flag = alone({"config", "show", "--broker", "ipc:///tmp/flag", "--json"}, {"POINTSMAN_BROKER=ipc:///tmp/e"});
  CHECK(is_json(flag.out));
  CHECK(has(flag.out, R"({"name":"client.broker","value":"ipc:///tmp/flag","origin":"--broker"})"));
}

TEST_CASE("e2e program: every level has a help with examples, and the topics are there") {
  for (const Arguments& words :
       {Arguments{}, Arguments{"broker"}, Arguments{"worker"}, Arguments{"call"}, Arguments{"run"}, Arguments{"ls"}, Arguments{"top"},
        Arguments{"explain"}, Arguments{"drain"}, Arguments{"watch"}, Arguments{"service"}, Arguments{"status"}, Arguments{"config"},
        Arguments{"config", "check"}, Arguments{"config", "show"}, Arguments{"help"}}) {
    Arguments full = words;
    full.emplace_back("--help");
    const auto help = alone(full);
    CHECK(help.code == 0);
    CHECK(help.err.empty());
    CHECK(has(help.out, "Usage: pointsman"));
    CHECK((words.empty() || has(help.out, "Examples:\n  pointsman ")));
  }
  for (const char* code : {"0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "124", "125", "126", "127", "128+n", "130"}) {
    CHECK(has(alone({"help", "exit-codes"}).out, code));
  }
  CHECK(has(alone({"help", "environment"}).out, "POINTSMAN_BROKER"));
  CHECK(has(alone({"help", "call"}).out, "--wait"));
  CHECK(alone({"help", "nothing"}).code == 2);
  CHECK(has(alone({"--version"}).out, "pointsman 0."));
}

TEST_CASE("a condition finds the worker that meets it and a clause that nobody meets is named") {
  House house;
  house.worker({"--service", "train", "--name", "big", "--attribute", "gpu=h200", "--attribute", "mem=64G", "--", "sh", "-c", "echo big"});
  house.worker({"--service", "train", "--name", "small", "--attribute", "gpu=h200", "--attribute", "mem=32G", "--accepts",
                "team == red", "--", "sh", "-c", "echo small"});
  CHECK(house.pointsman({"call", "train", "x", "--when", "gpu==h200 and mem >= 48G"}).out == "big\n");
  CHECK(house.pointsman({"call", "train", "x", "--when", "mem < 48G", "--attribute", "team=red"}).out == "small\n");
  CHECK(house.pointsman({"call", "train", "x", "--prefer", "-mem", "--attribute", "team=red"}).out == "small\n");
  CHECK(house.pointsman({"run", "train", "--when", "mem > 48G", "--", "sh", "-c", "echo $POINTSMAN_WORKER"}).out == "big\n");

  const auto nobody = house.pointsman({"call", "train", "x", "--when", "gpu == h200 and cpu == arm"});
  CHECK(nobody.code == 4);
  CHECK(has(nobody.err, "`cpu == arm` is true of none of 2 workers: none has cpu"));
  const auto stern = house.pointsman({"call", "train", "x", "--when", "mem == 32G", "--attribute", "team=blue"});
  CHECK(stern.code == 4);
  CHECK(has(stern.err, "none of these accepts this client: `team == red` is not true: team is blue"));

  const auto wrong = house.pointsman({"call", "train", "x", "--when", "mem >= 64GB"});
  CHECK(wrong.code == 2);
  CHECK(has(wrong.err, "at character 8: >= compares numbers, and 64GB is none"));
  CHECK(has(wrong.err, "mem >= 64GB\n"));
  CHECK(has(wrong.err, "       ^"));
  CHECK(house.pointsman({"worker", "--service", "s", "--attribute", "gpu", "--", "cat"}).code == 2);
  const auto listed = house.pointsman({"ls", "workers", "--json"});
  CHECK(is_json(listed.out));
  CHECK(has(listed.out, R"("attributes":{"gpu":"h200","mem":64000000000})"));
  CHECK(has(listed.out, R"("accepts":"team == red")"));
}
