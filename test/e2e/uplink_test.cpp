// Shows brokers that are another one's workers: what is below is seen above, as it comes, changes and goes.

#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "clients/client.hpp"
#include "test/e2e/arguments.hpp"
#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

// A broker at two sockets of a folder, and the workers that it has.
class Station {
 public:
  Station(const std::string& folder, const std::string& name, Arguments keys = {}, Arguments as = {})
      : clients("ipc://" + folder + "/" + name + ".c"),
        workers("ipc://" + folder + "/" + name + ".w"),
        keys_(std::move(keys)),
        as_(std::move(as)) {
    start();
  }

  void start() {
    broker = std::make_unique<Process>(
        Arguments{pointsman_program(), "broker", "--clients", clients, "--workers", workers} + keys_);
    REQUIRE_MESSAGE(broker->wait_for_line("ready clients=", 20s), broker->err());
  }

  // A worker that answers with its name, ready.
  Process& worker(const std::string& name, const Arguments& more) {
    Process& started = fleet.emplace_back(
        Arguments{pointsman_program(), "worker", "--broker", workers, "--name", name, "--lease", "1s"} + as_ +
        more + Arguments{"--", "sh", "-c", "cat >/dev/null; printf " + name});
    REQUIRE_MESSAGE(started.wait_for_line("ready worker=", 20s), started.err());
    return started;
  }

  Result pointsman(const Arguments& words) const {
    return run(Arguments{pointsman_program()} + words + Arguments{"--broker", clients} + as_);
  }

  // The row of a worker as JSON, without what follows its own fields; empty: there is none.
  std::string row(const std::string& name) const {
    const std::string all = pointsman({"ls", "workers", "--json"}).out;
    const auto from = all.find("{\"worker\":\"" + name + "\"");
    if (from == std::string::npos) return {};
    return all.substr(from, all.find("{\"worker\":", from + 1) - from);
  }
  std::size_t rows() const {
    const std::string all = pointsman({"ls", "workers", "--json"}).out;
    std::size_t count = 0;
    for (auto at = all.find("{\"worker\":"); at != std::string::npos; at = all.find("{\"worker\":", at + 1))
      ++count;
    return count;
  }

  const std::string clients;
  const std::string workers;
  std::unique_ptr<Process> broker;
  std::list<Process> fleet;

 private:
  const Arguments keys_;
  const Arguments as_;
};

std::unique_ptr<Process> uplink(const Station& below, const std::vector<const Station*>& above,
                                const Arguments& more = {}) {
  Arguments words{pointsman_program(), "uplink", "--broker", below.clients, "--every", "200ms"};
  for (const Station* one : above) words = words + Arguments{"--above", one->workers};
  auto started = std::make_unique<Process>(words + more);
  REQUIRE_MESSAGE(started->wait_for_line("ready uplink=", 20s), started->err());
  return started;
}

// An upper broker, and two below it with a worker each.
struct Line {
  TemporaryFolder folder;
  Station top{folder.path(), "top"};
  Station left{folder.path(), "left"};
  Station right{folder.path(), "right"};
};

}  // namespace

TEST_CASE("e2e uplink: brokers below are workers of the one above, for what their own workers are") {
  Line line;
  line.left.worker("l1", {"--service", "who", "--slots", "3"});
  line.right.worker(
      "r1", {"--service", "who", "--slots", "5", "--attribute", "gpu=h200", "--accepts", "not team == red"});
  const auto left = uplink(line.left, {&line.top}, {"--name", "left"});
  const auto right = uplink(line.right, {&line.top}, {"--name", "right"});

  const std::string row = line.top.row("left");
  CHECK_MESSAGE(has(row, R"("services":["who"],"slots":3)"), row);
  CHECK_MESSAGE(has(row, R"("direct":"broker")"), row);
  CHECK_MESSAGE(has(row, R"("endpoint":")" + line.left.clients), row);
  CHECK(line.top.rows() == 2);
  const std::string other = line.top.pointsman({"ls", "workers", "--json"}).out;
  CHECK_MESSAGE(has(other, R"({"worker":"right/)"), other);
  CHECK_MESSAGE(has(other, "h200"), other);
  CHECK_MESSAGE(has(other, "red"), other);

  // Who asks above is served below, by whom its condition and theirs allow.
  const Result called = line.top.pointsman({"call", "who", "-n", "8", "--fresh", "--separate", "x"});
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK_MESSAGE(has(called.out, "l1"), called.out);
  CHECK_MESSAGE(has(called.out, "r1"), called.out);
  const Result chosen =
      line.top.pointsman({"call", "who", "-n", "4", "--fresh", "--when", "gpu == h200", "x"});
  CHECK_MESSAGE(chosen.out == "r1r1r1r1", chosen.err);
  CHECK(eventually(
      [&] { return has(line.top.row("left"), R"("slots":3)") && !has(line.top.row("left"), "used"); }));

  // What changes below changes above: more slots, another service, one less.
  Process& second = line.left.worker("l2", {"--service", "who", "--slots", "4"});
  CHECK(eventually([&] { return has(line.top.row("left"), R"("slots":7)"); }));
  Process& third = line.left.worker("l3", {"--service", "what"});
  CHECK(eventually([&] { return has(line.top.pointsman({"ls", "services"}).out, "what "); }));
  second.signal(SIGTERM);
  third.signal(SIGTERM);
  CHECK(eventually([&] { return has(line.top.row("left"), R"("slots":3)"); }));
  CHECK(eventually([&] { return !has(line.top.pointsman({"ls", "services"}).out, "what "); }));

  // Stopped, it leaves, and the others stay.
  left->signal(SIGTERM);
  CHECK_MESSAGE(left->wait(20s) == 0, left->err());
  CHECK(line.top.row("left").empty());
  CHECK(line.top.rows() == 1);
}

TEST_CASE("e2e uplink: a broker below that is killed under load costs nobody a call") {
  Line line;
  line.left.worker("l1", {"--service", "who", "--slots", "4"});
  line.right.worker("r1", {"--service", "who", "--slots", "4"});
  const auto left = uplink(line.left, {&line.top}, {"--name", "left"});
  const auto right = uplink(line.right, {&line.top}, {"--name", "right"});
  Process load({pointsman_program(), "load", "calls", "--broker", line.top.clients, "--service", "who", "--clients", "4",
                "--duration", "6s", "--wait", "20s", "--json"});
  const auto granted = [](const Station& station) {
    return has(station.pointsman({"ls", "workers", "--json"}).out, R"("granted":)");
  };
  REQUIRE(eventually([&] { return granted(line.left) && granted(line.right); }));
  line.left.broker.reset();
  CHECK_MESSAGE(load.wait(60s) == 0, load.err());
  CHECK_MESSAGE(has(load.out(), R"("refused":{},"failed":{},"unfinished":0,"doubled":0)"), load.out());
  CHECK(eventually([&] { return !has(line.top.pointsman({"ls", "sessions", "--json"}).out, R"("session":)"); }));
}

TEST_CASE("e2e uplink: nobody is sent to a broker that was killed, until it is back") {
  Line line;
  line.left.worker("l1", {"--service", "who", "--slots", "3"});
  const auto left = uplink(line.left, {&line.top}, {"--name", "left"});
  CHECK(has(line.top.row("left"), R"("slots":3)"));
  line.left.broker.reset();
  CHECK(eventually([&] { return has(line.top.row("left"), "draining") || line.top.row("left").empty(); }));
  CHECK(eventually([&] { return line.top.row("left").empty(); }));
  line.left.start();
  CHECK(eventually([&] { return has(line.top.row("left"), R"("slots":3)"); }));
}

TEST_CASE(
    "e2e uplink: one that was killed gets its names back, and a broker above that was killed its workers") {
  Line line;
  line.left.worker("l1", {"--service", "who", "--slots", "3"});
  auto left = uplink(line.left, {&line.top, &line.right}, {"--name", "left"});
  CHECK(line.top.rows() == 1);
  CHECK(line.right.rows() == 1);
  left->signal(SIGKILL);
  CHECK(left->wait(20s) == 128 + SIGKILL);
  left = uplink(line.left, {&line.top, &line.right}, {"--name", "left"});
  CHECK(line.top.rows() == 1);
  line.top.broker.reset();
  line.top.start();
  CHECK(eventually([&] { return has(line.top.row("left"), R"("slots":3)"); }));
  // An operator above may send it away, and it stays away.
  CHECK(line.top.pointsman({"drain", "left", "--leave"}).code == 0);
  CHECK(eventually([&] { return line.top.rows() == 0; }));
  line.left.worker("l2", {"--service", "who", "--slots", "4"});
  CHECK(eventually([&] { return has(line.right.row("left"), R"("slots":7)"); }));
  CHECK(line.top.rows() == 0);
}

TEST_CASE("e2e uplink: a session below outlives the uplink and the broker above that it came by") {
  Line line;
  line.left.worker("l1", {"--service", "who", "--slots", "2"});
  const auto left = uplink(line.left, {&line.top}, {"--name", "left"});
  Client client({.broker = line.top.clients});
  Session session = client.acquire("who", {.term = 2s});
  const auto answers = [&] { return session.call({Frame("x")}).front().view() == "l1"; };
  CHECK(answers());
  // It takes a slot above and one below, and neither twice.
  CHECK(eventually([&] { return has(line.top.row("left"), R"("slots":2,"used":1)"); }));
  left->signal(SIGTERM);
  CHECK(left->wait(20s) == 0);
  CHECK(line.top.rows() == 0);
  CHECK(answers());
  line.top.broker.reset();
  CHECK(answers());
  // Nobody calls for longer than its term: its client renews it.
  CHECK_FALSE(eventually(5s, [&] { return !has(line.left.row("l1"), R"("used":1)"); }));
  CHECK(answers());
  CHECK(session.reassigned() == 0);
  session.release();
  CHECK(eventually([&] { return !has(line.left.row("l1"), R"("used":1)"); }));
}

TEST_CASE("e2e uplink: watch --tiers tells what happens at brokers below, also those that come later") {
  Line line;
  const auto watch = [&](const Arguments& more) {
    return std::make_unique<Process>(Arguments{pointsman_program(), "watch", "--tiers", "--kind", "granted",
                                               "--broker", line.top.clients} +
                                     more);
  };
  const auto all = watch({"--json"});
  line.right.worker("r1", {"--service", "who"});
  const auto right = uplink(line.right, {&line.left}, {"--name", "right"});
  const auto left = uplink(line.left, {&line.top}, {"--name", "left"});
  const auto call = [&] { CHECK(line.top.pointsman({"call", "who", "x"}).code == 0); };
  const auto told_by = [&](const Station& at) {
    return has(all->out(), R"({"broker":")" + at.clients + R"(","op":"event")");
  };
  CHECK(eventually([&] {
    call();
    return told_by(line.top) && told_by(line.left) && told_by(line.right);
  }));
  const auto one = watch({"-n", "1"});
  CHECK(eventually([&] {
    call();
    return one->wait(10ms) == 0;
  }));
  CHECK_MESSAGE(has(one->out(), " event number="), one->out());
  CHECK_MESSAGE(one->out().starts_with("ipc://"), one->out());
}

TEST_CASE("e2e uplink: explain follows a request to where it was sent, and says where it loses it") {
  Line line;
  line.right.worker("r1", {"--service", "who"});
  const auto right = uplink(line.right, {&line.left}, {"--name", "right"});
  const auto left = uplink(line.left, {&line.top}, {"--name", "left"});
  Client client({.broker = line.top.clients});
  Session session = client.acquire("who");
  const std::string id = session.grant().id;
  const auto explain = [&](const Arguments& what, const Arguments& more = {}) {
    const Result result = line.top.pointsman(Arguments{"explain"} + what + more);
    CHECK_MESSAGE(result.code == 0, result.err);
    return result.out;
  };
  const auto below = [](const std::string& name, const Station& at, const std::string& what) {
    return R"("below":{"broker":")" + name + R"(","clients":")" + at.clients + "\",\"" + what + "\":{";
  };
  const std::string text = explain({id});
  CHECK_MESSAGE(has(text, "\n  left is a broker below, at " + line.left.clients + ":\n    request " + id),
                text);
  CHECK_MESSAGE(
      has(text, "\n      right is a broker below, at " + line.right.clients + ":\n        request " + id),
      text);
  CHECK_MESSAGE(has(text, "granted r1 as session "), text);
  const std::string told = explain({id}, {"--json"});
  CHECK_MESSAGE(has(told, below("left", line.left, "explained")), told);
  CHECK_MESSAGE(has(told, below("right", line.right, "explained")), told);
  CHECK_MESSAGE(has(told, "granted r1 as session "), told);
  const auto listed = std::get<Listing>(client.ask(List{.of = Subject::sessions}));
  REQUIRE(listed.sessions.size() == 1);
  CHECK(has(explain({"session", std::to_string(listed.sessions.front().session)}), "granted r1 as session "));

  // In a circle, which clients would not have followed.
  const auto top = uplink(line.top, {&line.right}, {"--name", "top"});
  for (const Station* station : {&line.top, &line.left, &line.right}) {
    Client asker({.broker = station->clients});
    REQUIRE_NOTHROW(asker.ask(Request{.id = "lost", .service = "who", .client = "c", .wait_ms = 20s}));
  }
  const std::string circle = explain({"lost", "--client", "c"}, {"--json"});
  CHECK_MESSAGE(has(circle, below("right", line.right, "explained")), circle);
  CHECK_MESSAGE(has(circle, below("top", line.top, "error") + R"("code":"loop")"), circle);

  line.left.broker.reset();
  const std::string cut = explain({id, "--timeout", "5s"});
  CHECK_MESSAGE(
      has(cut, "\n  left is a broker below, at " + line.left.clients + ":\n    it cannot be asked: "), cut);
}

TEST_CASE(
    "e2e uplink: encrypted, a key with the role peer is enough, and clients are told the key of the broker "
    "below") {
  TemporaryFolder folder;
  const auto file = [&](const std::string& name) { return folder.path() + "/" + name; };
  for (const char* name : {"top.key", "low.key", "link.key", "worker.key", "admin.key"}) {
    REQUIRE(run({pointsman_program(), "keys", "make", file(name)}).code == 0);
  }
  for (const auto& [name, role] :
       {std::pair("link", "peer"), {"worker", "worker"}, {"admin", "client,admin"}}) {
    REQUIRE(run({pointsman_program(), "keys", "allow", "--allowed", file("allowed"), name,
                 file(std::string(name) + ".key.pub"), "--role", role})
                .code == 0);
  }
  const auto keys = [&](const std::string& own) {
    return Arguments{"--key", file(own), "--allowed", file("allowed")};
  };
  const auto as = [&](const std::string& own, const std::string& broker) {
    return Arguments{"--key", file(own), "--broker-key", file(broker)};
  };
  Station top(folder.path(), "top", keys("top.key"), as("admin.key", "top.key.pub"));
  Station low(folder.path(), "low", keys("low.key"), as("worker.key", "low.key.pub"));
  low.worker("w1", {"--service", "who", "--slots", "2"});
  const auto started = uplink(low, {&top},
                              as("link.key", "low.key.pub") +
                                  Arguments{"--above-key", file("top.key.pub"), "--name", "low", "--trace"});
  const std::string row = top.row("low");
  CHECK_MESSAGE(has(row, R"("slots":2)"), row);
  CHECK_MESSAGE(has(row, R"("by":"link")"), row);
  const std::string pub = text_of(file("low.key.pub"));
  const std::string key = pub.substr(pub.find("public ") + 7, 40);
  CHECK_MESSAGE(has(started->err(), key), started->err());
  // Who may ask at both is told by both.
  Client client({.broker = top.clients, .key = file("admin.key"), .broker_key = file("top.key.pub")});
  const Session session = client.acquire("who");
  const Result told = top.pointsman({"explain", session.grant().id});
  CHECK_MESSAGE(has(told.out, "granted w1 as session "), told.out);
}

TEST_CASE("e2e uplink: a broker above is where clients and workers look brokers up") {
  Line line;
  const auto left = uplink(line.left, {&line.top}, {"--name", "left", "--workers-endpoint", line.left.workers});
  line.left.worker("l1", {"--service", "who"});
  line.right.worker("r1", {"--service", "who"});
  auto right = uplink(line.right, {&line.top}, {"--name", "right"});
  const auto brokers = [&] { return line.top.pointsman({"ls", "brokers", "--json"}).out; };
  CHECK(eventually([&] { return has(brokers(), R"("broker":"left")") && has(brokers(), R"("broker":"right")"); }));
  CHECK(has(brokers(), R"("clients":")" + line.right.clients + R"(",)"));
  CHECK(has(brokers(), R"("workers":")" + line.left.workers + R"(",)"));
  CHECK(has(line.top.pointsman({"ls", "brokers"}).out, line.left.workers));

  // Clients ask those below themselves; nothing is granted above.
  const std::string lookup = "lookup:" + line.top.clients;
  const Result called =
      run({pointsman_program(), "call", "who", "-n", "8", "--fresh", "--separate", "x", "--broker", lookup});
  CHECK_MESSAGE(called.code == 0, called.err);
  CHECK_MESSAGE((has(called.out, "l1") && has(called.out, "r1")), called.out);
  CHECK_FALSE(has(line.top.pointsman({"ls", "services", "--json"}).out, R"("granted":)"));

  // Workers go where an uplink says that they may, and to the next one when that is gone.
  Process found({pointsman_program(), "worker", "--broker", lookup, "--service", "what", "--name", "f1", "--", "cat"});
  REQUIRE_MESSAGE(found.wait_for_line("ready worker=", 20s), found.err());
  CHECK_FALSE(line.left.row("f1").empty());
  right.reset();
  right = uplink(line.right, {&line.top}, {"--name", "right", "--workers-endpoint", line.right.workers});
  line.left.broker.reset();
  CHECK(eventually([&] { return !line.right.row("f1").empty(); }));

  // Who cannot be found is said, and where it was looked.
  const auto fails = [](const std::string& broker, const std::string& part) {
    const Result result = run({pointsman_program(), "call", "who", "x", "--broker", broker, "--wait", "2s"});
    CHECK(result.code == 3);
    CHECK_MESSAGE(has(result.err, part), result.err);
  };
  fails("lookup:" + line.right.clients, "no broker is below");
  fails("lookup:ipc://" + line.folder.path() + "/nobody", "has not answered");
}

TEST_CASE("e2e uplink: what cannot be is said, with what to do") {
  TemporaryFolder folder;
  const auto wrong = [](Arguments words, int code, const std::string& part) {
    const Result result = run(Arguments{pointsman_program(), "uplink"} + words);
    CHECK(result.code == code);
    CHECK_MESSAGE(has(result.err, part), result.err);
    CHECK(result.out.empty());
  };
  const std::string here = "ipc://" + folder.path() + "/here";
  const std::string there = "ipc://" + folder.path() + "/there";
  wrong({"--broker", here}, 2, "--above");
  wrong({"--broker", here, "--above", here}, 2, "the same");
  wrong({"--broker", here + "," + there, "--above", there}, 2, "one broker");
  wrong({"--broker", here, "--above", "nowhere"}, 2, "tcp://HOST:PORT");
  wrong({"--broker", here, "--above", there, "--above", there}, 2, "twice");
  wrong({"--broker", here, "--above", "lookup:" + there}, 2, "none above");
  wrong({"--broker", here, "--above", "tcp://192.0.2.1:5571"}, 2, "--endpoint");
  wrong({"--broker", here, "--above", there, "--name", std::string(60, 'n')}, 2, "--name");
  wrong({"--broker", here, "--above", there, "--above-key", "k"}, 2, "--key");
  wrong({"--broker", here, "--above", there, "--every", "0"}, 2, "--every");
  wrong({"--broker", here, "--above", there, "--timeout", "1s"}, 3, "--broker");

  Station only(folder.path(), "only");
  only.worker("w1", {"--service", "who"});
  wrong({"--broker", only.clients, "--above", only.workers}, 2, "another broker");
  wrong({"--broker", only.clients, "--above", there, "--timeout", "1s"}, 3, "--above");
}
