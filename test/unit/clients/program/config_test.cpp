// Shows what a configuration file may say, and that its mistakes are pointed at.
#include "clients/program/config.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "protocol/must.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace pointsman::program;
using namespace std::chrono_literals;

namespace {

// A configuration file for the length of one test.
class File {
 public:
  explicit File(const std::string& text) { std::ofstream(path) << text; }

 private:
  const TemporaryFolder folder_;

 public:
  const std::string path = folder_ / "p.toml";
};

const char* nothing(const char*) { return nullptr; }

// What is wrong with the file, its path as FILE.
std::string wrong_with(const std::string& text) {
  const File file(text);
  Settings settings;
  const auto problem = read_config(file.path, settings);
  if (!problem) return "";
  CHECK(problem->exit == Exit::usage);
  std::string message = problem->message + problem->remedy;
  for (auto at = message.find(file.path); at != std::string::npos; at = message.find(file.path)) {
    message.replace(at, file.path.size(), "FILE");
  }
  return message;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("program: a whole configuration file is taken over, with its origins") {
  const File file(R"(
[broker]
clients = "tcp://127.0.0.1:6000"
workers = "ipc:///tmp/workers"
lease = "250ms"
lease_min = "200ms"
lease_forever = false
heartbeats = 5
grace = 0.5
queue = 1
)");
  Settings settings;
  REQUIRE(read_config(file.path, settings).has_value());

  const File good(R"(
[broker]
clients = "tcp://127.0.0.1:6000"
lease = "2s"
heartbeats = 5
grace = 0.5
lease_forever = false
[client]
broker = "tcp://127.0.0.1:6000"
timeout = "1m"
[worker]
broker = "ipc:///tmp/workers"
[[service]]
name = "zip"
policy = "random"
[[service]]
name = "*"
queue_max = 7
aging = "0"
)");
  REQUIRE_FALSE(read_config(good.path, settings).has_value());
  CHECK(settings.broker.clients == "tcp://127.0.0.1:6000");
  CHECK(settings.broker.core.lease == 2s);
  CHECK(settings.broker.core.heartbeats == 5);
  CHECK(settings.broker.core.grace == 0.5);
  CHECK_FALSE(settings.broker.core.lease_forever);
  CHECK(settings.client_timeout == Milliseconds(60'000));
  CHECK(settings.worker_broker == "ipc:///tmp/workers");
  CHECK(settings.broker.core.service.queue_max == 7);
  REQUIRE(settings.broker.core.services.count("zip") == 1);
  CHECK(settings.broker.core.services["zip"].policy == Policy::random);
  CHECK(settings.broker.core.services["zip"].queue_max == 7);
  CHECK(settings.broker.core.services["zip"].aging == 0s);
  CHECK(settings.origin["broker.lease"] == good.path + ":4");
  CHECK(settings.origin["service.zip.policy"] == good.path + ":15");
  CHECK(settings.origin.count("broker.probe") == 0);
}

TEST_CASE("program: an unknown key is shown with its line, a caret and what was meant") {
  const std::string wrong = wrong_with("# first\n[broker]\nlaese = \"5s\"\n");
  CHECK(has(wrong, "FILE:3:9: there is no key \"laese\" here, did you mean lease?"));
  CHECK(has(wrong, "3 | laese = \"5s\"\n   |         ~~~~ not known"));
}

TEST_CASE("program: a value of the wrong type is shown with its line and the right one") {
  const std::string wrong = wrong_with("[broker]\n\nlease = 5\n");
  CHECK(has(wrong, "FILE:3:9: \"lease\" is of the wrong type"));
  CHECK(has(wrong, "it is a duration in quotes, like \"5s\""));
  CHECK(has(wrong_with("[broker]\nheartbeats = \"3\"\n"), "it is a whole number"));
  CHECK(has(wrong_with("[[service]]\nname = \"a\"\npolicy = 1\n"), "FILE:3:10: \"policy\" is of the wrong type"));
}

TEST_CASE("program: a value out of range is shown with its bounds") {
  CHECK(has(wrong_with("[broker]\nheartbeats = 1\n"), "FILE:2:14: \"heartbeats\": 1 is out of range"));
  CHECK(has(wrong_with("[broker]\nheartbeats = 1\n"), "it runs from 2 to 100"));
  CHECK(has(wrong_with("[broker]\nheartbeats = -1\n"), "out of range"));
  CHECK(has(wrong_with("[broker]\ngrace = 1.5\n"), "it runs from 0 to 1"));
  CHECK(has(wrong_with("[broker]\nlease = \"forever\"\n"), "forever is out of range"));
  CHECK(has(wrong_with("[broker]\nlease = \"5 parsecs\"\n"), "\"5 parsecs\" is no duration"));
  CHECK(has(wrong_with("[broker]\nclients = \"127.0.0.1:5570\"\n"), "is no endpoint"));
  CHECK(has(wrong_with("[[service]]\nname = \"a\"\npolicy = \"randon\"\n"), "did you mean random?"));
}

TEST_CASE("program: sections and services that are none are shown") {
  CHECK(has(wrong_with("\n[borker]\nlease = \"5s\"\n"), "there is no section \"borker\", did you mean broker?"));
  CHECK(has(wrong_with("broker = 1\n"), "FILE:1:10: \"broker\" is a section"));
  CHECK(has(wrong_with("[service]\nname = \"a\"\n"), "write [[service]] on a line of its own"));
  CHECK(has(wrong_with("[[service]]\npolicy = \"random\"\n"), "this service has no name"));
  CHECK(has(wrong_with("[[service]]\nname = \"a\"\n[[service]]\nname = \"a\"\n"), "is there twice"));
  CHECK(has(wrong_with("[[service]]\nname = 5\n"), "FILE:2:8: a service's name is a text"));
}

TEST_CASE("program: all mistakes of a file are told at once, in order") {
  const std::string wrong = wrong_with("[worker]\nx = 1\n[broker]\nlease = 5\nprobe = 6\n");
  CHECK(wrong.find("FILE:2:5") < wrong.find("FILE:4:9"));
  CHECK(wrong.find("FILE:4:9") < wrong.find("FILE:5:9"));
  CHECK(has(wrong, "FILE:5:9"));
}

TEST_CASE("program: a file that is no TOML is shown with its line") {
  const std::string wrong = wrong_with("[broker]\nlease = \n");
  CHECK(has(wrong, "FILE:2: missing value"));
  CHECK(has(wrong, "2 |"));
  CHECK(has(wrong, "^"));
  CHECK_FALSE(wrong_with("[broker\n").empty());
  CHECK(wrong_with("").empty());
  const std::string bytes = wrong_with("[client]\nbroker = 'tcp://\xe8:0'\n");
  CHECK(has(bytes, "FILE:2: there are bytes that are not UTF-8"));
  Settings settings;
  CHECK(read_config("/", settings).has_value());
  CHECK(read_config("/nowhere/at/all", settings).has_value());
}

TEST_CASE("program: a flag goes before the environment, that before the file, that before the default") {
  const File file("[client]\nbroker = \"ipc://file\"\ntimeout = \"1s\"\n[worker]\nbroker = \"ipc://file\"\n");
  const auto environment = [](const char* name) -> const char* {
    const std::string_view wanted = name;
    if (wanted == "POINTSMAN_BROKER") return "ipc://environment";
    if (wanted == "POINTSMAN_TIMEOUT") return "2s";
    return nullptr;
  };
  const auto loaded = load_settings({{"client.broker", "--broker", "ipc://flag"}}, file.path, environment);
  REQUIRE(std::holds_alternative<Settings>(loaded));
  auto settings = std::get<Settings>(loaded);
  CHECK(settings.client_broker == "ipc://flag");
  CHECK(settings.client_timeout == Milliseconds(2000));
  CHECK(settings.worker_broker == "ipc://file");
  CHECK(settings.broker.clients == "tcp://127.0.0.1:5570");
  CHECK(settings.origin["client.broker"] == "--broker");
  CHECK(settings.origin["client.timeout"] == "POINTSMAN_TIMEOUT");
  CHECK(settings.origin["worker.broker"] == file.path + ":5");
}

TEST_CASE("program: wrong flags and variables are named") {
  const auto flag = load_settings({{"broker.lease", "--lease", "5"}}, "", nothing);
  REQUIRE(std::holds_alternative<Problem>(flag));
  CHECK(std::get<Problem>(flag).message == "--lease: \"5\" is no duration");
  const auto variable = load_settings({}, "", [](const char* name) {
    return std::string_view(name) == "POINTSMAN_TIMEOUT" ? "soon" : nullptr;
  });
  REQUIRE(std::holds_alternative<Problem>(variable));
  CHECK(std::get<Problem>(variable).message == "POINTSMAN_TIMEOUT: \"soon\" is no duration");
  CHECK(std::holds_alternative<Problem>(load_settings({}, "/nowhere.toml", nothing)));
  CHECK(std::holds_alternative<Problem>(load_settings({{"broker.lease", "--lease", "500ms"}}, "", nothing)));
}

TEST_CASE("program: attributes and conditions are settings, read when they are given") {
  const auto good = load_settings({{"worker.attributes", "--attribute", "gpu=h200 region={eu, us} note=\"a b\""},
                                   {"worker.accepts", "--accepts", "team == red"}},
                                  "", nothing);
  REQUIRE(std::holds_alternative<Settings>(good));
  const auto& settings = std::get<Settings>(good);
  CHECK(pointsman::shown(settings.worker_attributes) == "gpu=h200 note=\"a b\" region={eu, us}");
  CHECK(settings.worker_accepts == "team == red");
  const auto message = [](const std::string& setting, const std::string& text) {
    const auto bad = load_settings({{setting, "--it", text}}, "", nothing);
    REQUIRE(std::holds_alternative<Problem>(bad));
    return std::get<Problem>(bad).message;
  };
  CHECK(message("worker.accepts", "team = red") ==
        "--it: at character 6: nothing begins with =\nteam = red\n     ^");
  CHECK(message("worker.accepts", "a == 1 and a == 2") ==
        "--it: `a == 2` can never be true together with `a == 1`");
  CHECK(message("client.attributes", "a=1 a=2") == "--it: attribute a is there twice");
}
