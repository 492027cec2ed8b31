// Shows how brokers are looked for: what users write, when sources are looked at, and what the looks come to.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "protocol/finder/core/finder.hpp"
#include "protocol/finder/core/roster.hpp"

using namespace pointsman;
using namespace pointsman::finder;
using namespace std::chrono_literals;

namespace {

const std::string key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

Sources sources(const std::string& text) {
  auto parsed = parse_sources(text, 5570);
  const auto* fault = std::get_if<SourceFault>(&parsed);
  REQUIRE_MESSAGE(fault == nullptr, fault->problem);
  return std::get<Sources>(std::move(parsed));
}

std::string fault(const std::string& text) {
  auto parsed = parse_sources(text, 5570);
  const auto* fault = std::get_if<SourceFault>(&parsed);
  return fault == nullptr ? "" : fault->problem;
}

std::string written(const std::string& text) {
  std::string all;
  for (const Source& source : sources(text)) all += to_text(source) + "|";
  return all;
}

// A finder in a test: told things, and what it says.
struct Rig {
  explicit Rig(const std::string& text) : finder(sources(text)) {}

  std::string tell(const Event& event) {
    Actions out;
    finder.step(now, event, out);
    finder.check();
    std::string said;
    for (const Action& action : out) {
      const auto* look = std::get_if<Look>(&action);
      said += look != nullptr ? "look " + std::to_string(look->source) + " " : "changed ";
    }
    return said;
  }
  std::string pass(Duration time) {
    now += time;
    return tell(Elapsed{});
  }
  std::string places() const {
    std::string all;
    for (const Place& place : finder.places()) all += place.endpoint + " ";
    return all;
  }

  Finder finder;
  Instant now{};
};

}  // namespace

TEST_CASE("an environment variable may say all that one may write, but no other variable") {
  const std::map<std::string, std::string> set{
      {"BOTH", "tcp://a:1 " + key + ", auto:lab"}, {"EMPTY", ""}, {"LOOP", "env:LOOP"}, {"BAD", "tcp://a"}};
  const auto variables = [&](const char* name) {
    const auto found = set.find(name);
    return found == set.end() ? nullptr : found->second.c_str();
  };
  const auto says = [&](const std::string& text) -> std::string {
    const auto parsed = parse_sources(text, 5570, variables);
    if (const auto* fault = std::get_if<SourceFault>(&parsed)) return fault->problem;
    std::string all;
    for (const Source& source : std::get<Sources>(parsed)) all += to_text(source) + "|";
    return all;
  };
  CHECK(says("dns:b,env:BOTH,ipc://x") == "dns:b:5570|tcp://a:1 " + key + "|auto:lab|ipc://x|");
  CHECK(says("env:NONE") == "the environment variable \"NONE\" is not set");
  CHECK(says("env:EMPTY") == "the environment variable \"EMPTY\" is not set");
  CHECK(says("env:") == "the environment variable \"\" is not set");
  CHECK(says("env:LOOP").starts_with("in $LOOP: \"env:LOOP\" is no place"));
  CHECK(says("env:BAD").starts_with("in $BAD: "));
  // What others say, in files or by the network, leads to nobody's variables.
  CHECK(fault("env:BOTH") != "");
  const auto file = parse_source_file("env:BOTH\n");
  CHECK(std::holds_alternative<SourceFault>(file));
}

TEST_CASE("sources are a list of all that one may write") {
  CHECK(written("tcp://127.0.0.1:1") == "tcp://127.0.0.1:1|");
  CHECK(written(" tcp://[::1]:1 ,ipc:///run/c,, file:/etc/b , dns:brokers:7,dns:b.example") ==
        "tcp://[::1]:1|ipc:///run/c|file:/etc/b|dns:brokers:7|dns:b.example:5570|");
  CHECK(written("tcp://a:1 " + key + ",tcp://b:1") == "tcp://a:1 " + key + "|tcp://b:1|");
  CHECK(written("lookup:tcp://a:1, lookup:ipc:///run/c " + key) == "lookup:tcp://a:1|lookup:ipc:///run/c " + key + "|");
  CHECK(written("a=tcp://h:1 " + key + ",b=ipc:///run/x=y,ipc:///z=tcp://") == "a=tcp://h:1 " + key + "|b=ipc:///run/x=y|ipc:///z=tcp://|");
  CHECK(sources("a=tcp://h:1").front().name == "a");
  CHECK(written("home,tcp://a:1") == "tcp://a:1|");
  CHECK(is_home(sources("tcp://a:1, home ,auto")));
  CHECK_FALSE(is_home(sources("tcp://a:1")));
  CHECK(is_single(sources("ipc://@x")));
  CHECK_FALSE(is_single(sources("lookup:ipc://@x")));
  CHECK(written("etcd://a:1,b:2/p, ipc://x,etcds://[::1]:3/p/q/") == "etcd://a:1,b:2/p|ipc://x|etcds://[::1]:3/p/q/|");
  CHECK_FALSE(is_single(sources("ipc://@x,ipc://@y")));
  CHECK_FALSE(is_single(sources("file:x")));
}

TEST_CASE("what is no source is refused, and said which") {
  CHECK(fault("") == "no broker is named");
  CHECK(fault(" , ") == "no broker is named");
  CHECK(fault("home") == "no broker is named");
  CHECK(fault("=tcp://a:1").find("\"\" is no name of a broker") == 0);
  CHECK(fault(std::string(65, 'n') + "=tcp://a:1") != "");
  CHECK(fault("udp://a:1").find("\"udp://a:1\" is no place") == 0);
  for (const char* text :
       {"tcp://a", "tcp://:1", "tcp://a:0", "tcp://a:65536", "tcp://a:*", "ipc://", "dns:", "dns::7",
        "dns:a:", "dns:a:0", "dns:a:b", "file:", "lookup:", "lookup:auto", "lookup:tcp://a", "lookup:tcp://a:1 nokey", "etcd://", "etcd://a:1", "etcd://a:1/", "etcd:///p", "etcd://a/p", "etcd://:1/p", "etcd://a:1,tcp://b:1", "tcp://a:1 nokey", "tcp://a:1,b"}) {
    CHECK_MESSAGE(fault(text) != "", text);
  }
  std::string many = "tcp://a:1";
  for (std::size_t i = 1; i < limits::brokers; ++i) many += ",tcp://a:1";
  CHECK(fault(many) == "");
  CHECK(fault(many + ",tcp://a:1").find("more than 64") == 0);
}

TEST_CASE("a file has an endpoint a line, and its mistakes have a line") {
  const auto good = parse_source_file("# ours\n\n tcp://a:1\r\ntcp://b:2 " + key + "\n");
  REQUIRE(std::holds_alternative<Sources>(good));
  CHECK(std::get<Sources>(good).size() == 2);
  CHECK(std::get<Sources>(good)[1].key == key);
  CHECK(std::get<Sources>(parse_source_file("")).empty());
  CHECK(std::get<Sources>(parse_source_file("a=tcp://a:1\n")).front().name == "a");
  CHECK(std::holds_alternative<SourceFault>(parse_source_file("home\n")));
  const auto bad = parse_source_file("tcp://a:1\ntcp:/b\n");
  CHECK(std::get<SourceFault>(bad).problem.find("line 2: ") == 0);
  const auto nested = parse_source_file("file:x\n");
  CHECK(std::get<SourceFault>(nested).problem == "line 1: \"file:x\" is no endpoint");
}

TEST_CASE("endpoints are there from the beginning and nobody looks for them") {
  Rig rig("tcp://a:1,tcp://b:1,tcp://a:1");
  CHECK(rig.tell(Elapsed{}) == "");
  CHECK(rig.tell(Wanted{}) == "");
  CHECK(rig.finder.deadline() == never);
  CHECK(rig.places() == "tcp://a:1 tcp://b:1 ");
}

TEST_CASE("a file is looked at each second and a name each minute, or when a broker is wanted") {
  Rig rig("file:f,dns:n,tcp://z:1");
  CHECK(rig.tell(Elapsed{}) == "look 0 look 1 ");
  CHECK(rig.tell(Said{.source = 0, .places = {{"tcp://a:1", ""}}, .problem = ""}) == "changed ");
  CHECK(rig.tell(Said{.source = 1, .places = {{"tcp://n:1", ""}, {"tcp://n:2", ""}}, .problem = ""}) ==
        "changed ");
  CHECK(rig.places() == "tcp://a:1 tcp://n:1 tcp://n:2 tcp://z:1 ");
  CHECK(rig.pass(999ms) == "");
  CHECK(rig.pass(1ms) == "look 0 ");
  CHECK(rig.tell(Wanted{}) == "look 0 ");
  CHECK(rig.pass(1s) == "look 0 look 1 ");  // a name not more often than each two seconds
  CHECK(rig.tell(Said{.source = 1, .places = {{"tcp://n:1", ""}}, .problem = ""}) == "changed ");
  for (int i = 0; i < 59; ++i) CHECK(rig.pass(1s) == "look 0 ");
  CHECK(rig.pass(1s) == "look 0 look 1 ");
  CHECK(rig.tell(Said{.source = 1, .places = {{"tcp://n:1", ""}}, .problem = ""}) == "");
}

TEST_CASE("a list in etcd is looked at each minute, and soon again while it has nobody") {
  Rig rig("etcd://a:1/p");
  CHECK(rig.tell(Elapsed{}) == "look 0 ");
  CHECK(rig.tell(Said{.source = 0, .places = {}, .problem = "silence"}) == "");
  CHECK(rig.pass(2s) == "look 0 ");
  CHECK(rig.tell(Said{.source = 0, .places = {{"tcp://b:1", key}}, .problem = ""}) == "changed ");
  CHECK(rig.tell(Wanted{"tcp://b:1"}) == "");
  CHECK(rig.pass(2s) == "look 0 ");
  CHECK(rig.tell(Said{.source = 0, .places = {}, .problem = "silence"}) == "");
  CHECK(rig.places() == "tcp://b:1 ");
  CHECK(rig.pass(59s) == "");
  CHECK(rig.pass(1s) == "look 0 ");
}

TEST_CASE("those below a broker are asked for every five seconds, or when a broker is wanted") {
  Rig rig("lookup:tcp://a:1");
  CHECK(rig.tell(Elapsed{}) == "look 0 ");
  CHECK(rig.tell(Said{.source = 0, .places = {{"tcp://b:1", key}}, .problem = ""}) == "changed ");
  CHECK(rig.places() == "tcp://b:1 ");
  CHECK(rig.tell(Wanted{"tcp://b:1"}) == "");  // not more often than each two seconds
  CHECK(rig.pass(2s) == "look 0 ");
  CHECK(rig.tell(Said{.source = 0, .places = {}, .problem = "has not answered"}) == "");
  CHECK(rig.places() == "tcp://b:1 ");
  CHECK(rig.pass(5s) == "look 0 ");
}

TEST_CASE("a source that fails keeps what it said, tells why, and is asked again soon") {
  Rig rig("dns:n");
  CHECK(rig.tell(Elapsed{}) == "look 0 ");
  CHECK(rig.tell(Said{.source = 0, .places = {}, .problem = "no such name"}) == "");
  CHECK(rig.finder.problems() == "dns:n:5570: no such name");
  CHECK(rig.pass(2s) == "look 0 ");
  rig.tell(Said{.source = 0, .places = {{"tcp://n:1", ""}}, .problem = ""});
  CHECK(rig.finder.problems() == "");
  CHECK(rig.pass(60s) == "look 0 ");
  rig.tell(Said{.source = 0, .places = {}, .problem = "the server is away"});
  CHECK(rig.places() == "tcp://n:1 ");
}

TEST_CASE("the list has a bound whatever the sources say") {
  Rig rig("tcp://a:1,dns:n");
  rig.tell(Elapsed{});
  std::vector<Place> many;
  for (int i = 0; i < 1000; ++i) many.push_back({"tcp://n:" + std::to_string(i + 1), ""});
  rig.tell(Said{.source = 1, .places = many, .problem = ""});
  CHECK(rig.finder.places().size() == limits::brokers);
  CHECK(rig.finder.places().front().endpoint == "tcp://a:1");
}

TEST_CASE("a place keeps its number while it is listed, and a free number goes to whoever comes next") {
  Roster roster;
  const Place a{"tcp://a:1", ""}, b{"tcp://b:1", ""}, c{"tcp://c:1", ""};
  CHECK(roster.set({a, b}) == std::vector<std::uint64_t>{0, 1});
  CHECK(roster.set({c, b}) == std::vector<std::uint64_t>{2, 1});
  CHECK(roster.at(0) == a);  // known still
  CHECK(roster.set({b, a}) == std::vector<std::uint64_t>{1, 0});
  // The same endpoint with another key is another place.
  CHECK(roster.set({{"tcp://a:1", key}}) == std::vector<std::uint64_t>{3});
  std::vector<Place> many;
  for (std::size_t i = 0; i < limits::brokers; ++i) many.push_back({"tcp://n:" + std::to_string(i + 1), ""});
  const auto numbers = roster.set(many);
  CHECK(numbers.size() == limits::brokers);
  CHECK(std::set<std::uint64_t>(numbers.begin(), numbers.end()).size() == limits::brokers);
}

TEST_CASE("a network is asked until somebody answers, and again before that runs out") {
  Rig rig("auto:lab");
  CHECK(written("auto,auto:lab") == "auto:default|auto:lab|");
  CHECK(fault("auto:") != "");
  CHECK(fault("automatic") != "");
  CHECK(rig.tell(Elapsed{}) == "look 0 ");
  CHECK(rig.pass(200ms) == "look 0 ");
  CHECK(rig.pass(399ms) == "");
  CHECK(rig.pass(1ms) == "look 0 ");
  CHECK(rig.tell(Found{0, {"tcp://a:1", ""}, 10s}) == "changed ");
  CHECK(rig.tell(Found{0, {"tcp://b:1", ""}, 4s}) == "changed ");
  CHECK(rig.tell(Found{0, {"tcp://b:1", ""}, 4s}) == "");
  CHECK(rig.places() == "tcp://a:1 tcp://b:1 ");
  CHECK(rig.pass(1999ms) == "");
  CHECK(rig.pass(1ms) == "look 0 ");
  rig.tell(Found{0, {"tcp://a:1", ""}, 10s});
  // b does not answer any more.
  CHECK(rig.pass(2s).find("changed") != std::string::npos);
  CHECK(rig.places() == "tcp://a:1 ");
  CHECK(rig.tell(Wanted{}) == "");  // it was asked a moment ago
  CHECK(rig.pass(200ms) == "look 0 ");
}

TEST_CASE("a network that answers with more brokers than one can know does no harm") {
  Rig rig("auto");
  rig.tell(Elapsed{});
  for (int i = 0; i < 1000; ++i) rig.tell(Found{0, {"tcp://n:" + std::to_string(i + 1), ""}, 10s});
  CHECK(rig.finder.places().size() == limits::brokers);
  rig.pass(10s);
  CHECK(rig.finder.places().empty());
}

TEST_CASE("a broker that answers by several addresses is there once, by another when one is lost or silent") {
  Rig rig("auto,tcp://z:1");
  rig.tell(Elapsed{});
  CHECK(rig.tell(Found{0, {"tcp://a:1", "", "b 1"}, 10s}) == "changed ");
  CHECK(rig.tell(Found{0, {"tcp://a:2", "", "b 1"}, 4s}) == "");
  CHECK(rig.places() == "tcp://a:1 tcp://z:1 ");
  CHECK(rig.pass(200ms) + rig.tell(Wanted{"tcp://z:1"}) == "look 0 ");
  CHECK(rig.tell(Wanted{"tcp://a:1"}) == "changed ");
  CHECK(rig.places() == "tcp://a:2 tcp://z:1 ");
  rig.pass(4s);
  CHECK(rig.places() == "tcp://a:1 tcp://z:1 ");
  // Another one is another one.
  rig.tell(Found{0, {"tcp://a:3", "", "b 2"}, 10s});
  CHECK(rig.places() == "tcp://a:1 tcp://a:3 tcp://z:1 ");
}

TEST_CASE("of one broker only so many addresses are kept") {
  Rig rig("auto");
  rig.tell(Elapsed{});
  for (int i = 1; i <= 6; ++i) rig.tell(Found{0, {"tcp://a:" + std::to_string(i), "", "b 1"}, 10s});
  for (int i = 1; i <= 4; ++i) rig.tell(Wanted{"tcp://a:" + std::to_string(i)});
  CHECK(rig.places() == "tcp://a:1 ");
}

TEST_CASE("a broker keeps its number when it is there by another address") {
  Roster roster;
  const Place a1{"tcp://a:1", "", "a 1"}, a2{"tcp://a:2", "", "a 1"}, b{"tcp://b:1", "", "b 1"};
  CHECK(roster.set({a1, b}) == std::vector<std::uint64_t>{0, 1});
  CHECK(roster.set({a2, b}) == std::vector<std::uint64_t>{0, 1});
  CHECK(roster.at(0) == a2);
  // Started anew, at the address that the other has left.
  CHECK(roster.set({{"tcp://b:1", "", "b 2"}, {"tcp://b:2", "", "b 1"}}) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("a network is not asked by who needs no broker, and at once by who does again") {
  Rig rig("auto");
  rig.tell(Elapsed{});
  rig.tell(Used{});
  int looks = 0;
  for (int second = 0; second < 300; ++second) {
    if (rig.pass(1s).find("look") == std::string::npos) continue;
    ++looks;
    rig.tell(Found{0, {"tcp://a:1", "", "b 1"}, 10s});
  }
  CHECK(looks >= 12);
  CHECK(looks <= 20);
  CHECK(rig.places() == "");
  CHECK(rig.tell(Used{}) == "look 0 ");
  rig.tell(Found{0, {"tcp://a:1", "", "b 1"}, 10s});
  // While the list is fresh nobody is asked for each use.
  for (int i = 0; i < 40; ++i) CHECK(rig.pass(100ms) + rig.tell(Used{}) == "");
}

TEST_CASE("a network where nobody has answered is asked for as long as it takes") {
  Rig rig("auto");
  rig.tell(Elapsed{});
  int looks = 0;
  for (int second = 0; second < 600; ++second) looks += rig.pass(1s).find("look") != std::string::npos;
  CHECK(looks >= 100);
}
