// Shows `pointsman load` as its users meet it: every kind of load with processes of its own, at a broker that is there,
// with faults, and its results and exit codes. What it measures is whatever this machine does; that it adds up is not.

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>

#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

using Arguments = std::vector<std::string>;

// pointsman load …, short unless the test says otherwise.
Result load(Arguments options) {
  const bool timed = std::find(options.begin(), options.end(), "--duration") != options.end();
  Arguments words{pointsman_program(), "load"};
  words.insert(words.end(), options.begin(), options.end());
  if (!timed) words.insert(words.end(), {"--duration", "1s", "--warmup", "200ms"});
  return run(words, {}, 120s);
}

// Every check of it holds, something was answered, and it says so itself.
void check_good(const Result& result) {
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK_FALSE(has(result.out, "VIOLATED"));
  CHECK(has(result.out, "checked     every request is accounted for once"));
  CHECK(has(result.out, "checked     nothing is answered twice: 0 doubled"));
  CHECK_FALSE(has(result.out, "answered    0 a second"));
  CHECK(result.err.empty());
}

}  // namespace

TEST_CASE("load hands off by a broker and workers of its own whose counts agree with what clients got") {
  const Result result = load({});
  check_good(result);
  CHECK(has(result.out, "checked     the broker granted what clients got"));
  CHECK(has(result.out, "checked     workers had exactly the sessions that clients got"));
  CHECK(has(result.out, "cpu         broker "));
}

TEST_CASE("load calls over sessions and checks each answer") {
  const Result result =
      load({"calls", "--session", "5", "--time", "exp:500us", "--services", "2", "--hosts", "2"});
  check_good(result);
  CHECK(has(result.out, "checked     every answer is that of its request: 0 wrong"));
  CHECK(has(result.out, "checked     workers served exactly the calls that were answered"));
  CHECK(has(result.out, "  hand-off "));
}

TEST_CASE("load streams in parts") {
  const Result result = load({"streams", "--parts", "8", "--answer", "16K", "--clients", "2"});
  check_good(result);
  CHECK(has(result.out, "MB/s"));
}

TEST_CASE("load renews leases and registers workers that leave") {
  check_good(load({"renewals", "--leases", "500", "--rate", "500"}));
  const Result registrations = load({"registrations", "--rate", "200", "--arrivals", "even"});
  check_good(registrations);
  CHECK(has(registrations.out, "checked     whoever registered has left"));
}

TEST_CASE("load in an open loop writes its result in every form and repeats") {
  const TemporaryFolder folder;
  const std::string json = folder.path() + "/a.json", csv = folder.path() + "/a.csv",
                    svg = folder.path() + "/a.svg";
  check_good(
      load({"--rate", "300..600", "--ipc", "--output", json, "--csv", csv, "--svg", svg, "--repeat", "3"}));
  CHECK(run({"/usr/bin/python3", "-m", "json.tool", json}).code == 0);
  CHECK(text_of(csv).starts_with("seconds,answered_per_s"));
  CHECK(
      run({"/usr/bin/python3", "-c", "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])", svg})
          .code == 0);

  const Result same = run({pointsman_program(), "load", "compare", json, json});
  CHECK(same.code == 0);
  CHECK(has(same.out, "Answered a second: no difference is shown"));
  CHECK(has(same.out, "3 and 3 repeats"));
  CHECK(has(run({pointsman_program(), "load", "compare", json, json, "--json"}).out, "\"differs\":false"));

  const std::string other = folder.path() + "/b.json";
  check_good(load({"--rate", "400", "--ipc", "--output", other}));
  const Result unlike = run({pointsman_program(), "load", "compare", json, other});
  CHECK(unlike.code == 2);
  CHECK(has(unlike.err, "rate: 300..600 and 400"));
  CHECK(run({pointsman_program(), "load", "compare", json, csv}).code == 2);
  CHECK(run({pointsman_program(), "load", "compare", json, folder.path() + "/none"}).code == 2);
}

TEST_CASE("load says by its exit code that a bound was missed or held") {
  const Result missed = load({"--rate", "200", "--bound", "p50<1ns"});
  CHECK(missed.code == 7);
  CHECK(has(missed.out, "p50<1ns: MISSED"));
  const Result held = load({"--rate", "200", "--bound", "p50<1m"});
  CHECK(held.code == 0);
  CHECK(has(held.out, "p50<1m: held"));
}

TEST_CASE("load searches for the rate that a bound allows") {
  // One worker that takes 10 ms answers at most 100 a second; a queue beyond that grows without end.
  const Result result = load({"calls", "--workers", "1", "--slots", "1", "--time", "10ms", "--search",
                              "p90<1s", "--rate", "20", "--arrivals", "even", "--wait", "2s"});
  INFO(result.out << result.err);
  CHECK((result.code == 0 || result.code == 7));
  CHECK(has(result.out, ": held  "));
  CHECK(has(result.out, ": missed"));
  CHECK_FALSE(has(result.out, "VIOLATED"));
}

TEST_CASE("load kills freezes and cuts off what it started and still accounts for everything") {
  const Result workers =
      load({"calls", "--lease", "1s", "--rate", "200", "--fault", "300ms kill worker for 200ms", "--fault",
            "600ms freeze worker for 300ms", "--fault", "1s cut worker for 300ms", "--duration", "2s"});
  INFO(workers.out << workers.err);
  CHECK(workers.code == 0);
  CHECK_FALSE(has(workers.out, "VIOLATED"));
  for (const char* part : {"worker host 0 killed", "worker host 0 started", "worker host 1 frozen",
                           "worker host 1 goes on", "workers cut off", "workers joined"}) {
    CHECK_MESSAGE(has(workers.out, part), part);
  }

  const Result broker =
      load({"--together", "--rate", "300", "--lease", "1s", "--fault", "500ms restart broker", "--fault",
            "1500ms freeze broker for 200ms", "--fault", "2s cut broker for 200ms", "--duration", "3s"});
  INFO(broker.out << broker.err);
  CHECK(broker.code == 0);
  CHECK_FALSE(has(broker.out, "VIOLATED"));
  CHECK(has(broker.out, "broker killed"));
  CHECK(has(broker.out, "broker started"));
  CHECK(has(broker.out, "all of worker host 0 registered"));
}

TEST_CASE("load asks a broker that is there for workers that are there or brings its own") {
  const TemporaryFolder folder;
  const std::string clients = "ipc://" + folder.path() + "/clients",
                    workers = "ipc://" + folder.path() + "/workers";
  Process broker({pointsman_program(), "broker", "--clients", clients, "--workers", workers});
  REQUIRE(broker.wait_for_line("ready", 20s));
  Process worker({pointsman_program(), "worker", "--broker", workers, "--service", "echo", "--slots", "4",
                  "--filter", "--", "cat"});
  REQUIRE(worker.wait_for_line("ready", 20s));
  check_good(load({"--broker", clients, "--service", "echo"}));
  check_good(load({"calls", "--broker", clients, "--service", "echo", "--clients", "2"}));
  check_good(load({"--broker", clients, "--workers-at", workers}));
  check_good(
      load({"renewals", "--broker", clients, "--workers-at", workers, "--leases", "50", "--rate", "100"}));
}

TEST_CASE("load works with keys") { check_good(load({"calls", "--encrypt", "--clients", "4"})); }

TEST_CASE("load that is stopped prints what it has so far") {
  const TemporaryFolder folder;
  const std::string clients = "ipc://" + folder.path() + "/clients",
                    workers = "ipc://" + folder.path() + "/workers";
  Process broker({pointsman_program(), "broker", "--clients", clients, "--workers", workers});
  REQUIRE(broker.wait_for_line("ready", 20s));
  for (const int signal : {SIGINT, SIGTERM}) {
    Process process({pointsman_program(), "load", "--broker", clients, "--workers-at", workers, "--rate",
                     "200", "--warmup", "0", "--duration", "10m"});
    REQUIRE(eventually(30s, [&] {
      const Result seen =
          run({pointsman_program(), "watch", "--broker", clients, "--kind", "granted", "-n", "20"}, {}, 2s);
      return seen.code == 0;
    }));
    process.signal(signal);
    const auto code = process.wait(60s);
    INFO(process.out() << process.err());
    CHECK(code == 0);
    CHECK(has(process.out(), "stopped by a signal"));
    CHECK_FALSE(has(process.out(), "VIOLATED"));
    CHECK(process.err().empty());
  }
}

TEST_CASE("load names what is wrong with its command line and what to do") {
  const std::vector<std::pair<Arguments, std::string>> wrong{
      {{"everything"}, "there is no load \"everything\""},
      {{"--rate", "fast"}, "--rate: \"fast\" is no rate"},
      {{"--bound", "p99"}, "--bound: \"p99\" is no bound"},
      {{"--time", "soon"}, "--time: \"soon\" is no law"},
      {{"--fault", "soon"}, "--fault: \"soon\" is no fault"},
      {{"--arrivals", "odd"}, "--arrivals: \"odd\" is neither"},
      {{"--duration", "x"}, "--duration: \"x\" is no time"},
      {{"--request", "1G"}, "--request: \"1G\" is no size"},
      {{"--service", "zip"}, "--service and --workers-at belong to a broker that is there already"},
      {{"--broker", "tcp://127.0.0.1:1"}, "add either --service NAME, or --workers-at ENDPOINT"},
      {{"--broker", "tcp://127.0.0.1:1", "--service", "x", "--fault", "1s kill broker"},
       "only what this load test started"},
      {{"--services", "9", "--workers", "2"}, "there are more services than workers"},
      {{"--search", "p99<1s", "--repeat", "2"}, "leave out --repeat"},
      {{"--ipc", "--fault", "1s cut worker"}, "leave out --ipc"}};
  for (const auto& mistake : wrong) {
    const Result result = load(mistake.first);
    CHECK_MESSAGE(result.code == 2, mistake.second);
    CHECK_MESSAGE(has(result.err, mistake.second), result.err);
  }
  const Result unwritable = load({"--output", "/nowhere/at/all.json"});
  CHECK(unwritable.code == 125);
  CHECK(has(unwritable.err, "cannot write /nowhere/at/all.json"));
  CHECK(run({pointsman_program(), "load-host", "--", "x"}).code == 2);
  CHECK(has(run({pointsman_program(), "load", "--help"}).out, "Examples:"));
}
