// Shows how a client goes to several brokers: in sequence, to one at a time, and to the next when one is no use.
#include "test/unit/clients/core/rig.hpp"

using namespace pointsman;
using namespace pointsman::clients;

namespace {

using Lines = Rig::Lines;
using namespace std::chrono_literals;

// Brokers 1, 2 …; the first request goes to broker 1.
struct Several : Rig {
  explicit Several(std::size_t count) : Rig({.name = "ann", .seed = count}) {
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 1; i <= count; ++i) numbers.push_back(i);
    tell(BrokersAre{numbers});
  }
};

Acquire acquire(std::uint64_t handle, const std::string& id) {
  return {.handle = handle, .id = id, .service = "zip"};
}

// What is said to brokers, as `1 request a`.
Lines said(const Lines& lines) {
  Lines all;
  for (const std::string& line : lines) {
    if (!line.starts_with("broker ")) continue;
    const std::string number = line[7] == '<' ? "0" : line.substr(7, 1);
    const std::string rest = line.substr(line.find('<') + 2);
    const std::string op = rest.substr(0, rest.find(' '));
    const auto at = rest.find(" id=");
    const std::string id =
        at == std::string::npos ? "" : rest.substr(at + 4, rest.find(' ', at + 4) - at - 4);
    all.push_back(number + " " + op + (id.empty() ? "" : " " + id));
  }
  return all;
}

std::string grant(const std::string& id, int session) {
  return "granted id=" + id + " session=" + std::to_string(session) +
         " service=zip worker=w endpoint=tcp://w:1 ticket=b64\"AAAA\" ttl_ms=5000 term_ms=30000";
}

bool says(const Lines& lines, const std::string& what) {
  for (const auto& line : lines) {
    if (line.find(what) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("requests go to the brokers in sequence") {
  Several rig(3);
  CHECK(said(rig.tell(acquire(1, "a"))) == Lines{"1 request a"});
  CHECK(said(rig.tell(acquire(2, "b"))) == Lines{"2 request b"});
  CHECK(said(rig.tell(acquire(3, "c"))) == Lines{"3 request c"});
  CHECK(said(rig.tell(acquire(4, "d"))) == Lines{"1 request d"});
}

TEST_CASE("a request goes to the next broker when one is silent, and is taken back from it") {
  Several rig(2);
  rig.tell(acquire(1, "a"));
  Lines all;
  while (rig.elapsed() < 2500ms && !says(all, "broker 2 < request")) {
    for (const auto& line : rig.wait()) all.push_back(line);
  }
  CHECK(rig.elapsed() >= 1500ms);
  CHECK(says(all, "broker 1 < cancel id=a"));
  CHECK(says(all, "broker 2 < request id=a"));
  // The silent one is passed over by those that come after.
  CHECK(said(rig.tell(acquire(2, "b"))) == Lines{"2 request b"});
  CHECK(says(rig.broker(grant("a", 7), 2), "acquired 1 session=7"));
  // What it grants after all is given back to it.
  CHECK(says(rig.broker(grant("a", 8), 1), "broker 1 < release session=8"));
  // Heard again, it has its turn again.
  CHECK(said(rig.tell(acquire(3, "c"))) == Lines{"1 request c"});
}

TEST_CASE("a request goes to the next broker at once when the connection to one is lost") {
  Several rig(2);
  rig.tell(acquire(1, "a"));
  rig.broker("queued id=a position=1", 1);
  const Lines lines = rig.tell(Gone{Door::broker, 1});
  CHECK(says(lines, "reconnect 1"));
  CHECK(said(lines) == Lines{"1 cancel a", "2 request a"});
  CHECK(said(rig.tell(acquire(2, "b"))) == Lines{"2 request b"});
  rig.tell(BrokerUp{1});
  CHECK(said(rig.tell(acquire(3, "c"))) == Lines{"1 request c"});
}

TEST_CASE("what one broker refuses another may grant, and the best of all refusals is told") {
  Several rig(3);
  rig.tell(acquire(1, "a"));
  CHECK(said(rig.broker("refused about=request code=unknown-service id=a", 1)) == Lines{"2 request a"});
  CHECK(said(rig.broker("refused about=request code=no-worker id=a", 2)) == Lines{"3 request a"});
  // From one that is not asked any more.
  CHECK(rig.broker("refused about=request code=unknown-service id=a", 1) == Lines{});
  CHECK(rig.broker("refused about=request code=unknown-service id=a", 3) ==
        Lines{"not_acquired 1 no-worker"});
}

TEST_CASE("that no worker matches says more than that nobody offers the service, and less than anything else") {
  Several rig(3);
  rig.tell(acquire(1, "a"));
  rig.broker("refused about=request code=unknown-service id=a", 1);
  CHECK(said(rig.broker("refused about=request code=no-match id=a", 2)) == Lines{"3 request a"});
  CHECK(rig.broker("refused about=request code=unknown-service id=a", 3) == Lines{"not_acquired 1 no-match"});
  rig.tell(acquire(2, "b"));
  rig.broker("refused about=request code=no-match id=b", 1);
  rig.broker("refused about=request code=queue-full id=b", 2);
  CHECK(rig.broker("refused about=request code=no-match id=b", 3) == Lines{"not_acquired 2 queue-full"});
}

TEST_CASE("a refusal that is for good is told at once") {
  Several rig(3);
  rig.tell(acquire(1, "a"));
  CHECK(rig.broker("refused about=request code=bad-message id=a", 1) == Lines{"not_acquired 1 bad-message"});
}

TEST_CASE("who waits for a service that nobody offers asks all brokers again and again") {
  Several rig(2);
  auto event = acquire(1, "a");
  event.absent = true;
  CHECK_FALSE(says(rig.tell(event), "absent"));
  CHECK(said(rig.broker("refused about=request code=unknown-service id=a", 1)) == Lines{"2 request a"});
  CHECK(rig.broker("refused about=request code=unknown-service id=a", 2) == Lines{});
  CHECK(said(rig.wait()) == Lines{"1 request a"});
  CHECK(rig.elapsed() >= 400ms);
  rig.broker("refused about=request code=unknown-service id=a", 1);
  CHECK(says(rig.broker(grant("a", 7), 2), "acquired 1 session=7"));
}

TEST_CASE("a broker that is silent does not end the wait of who waits for a service that the others do not offer") {
  Several rig(2);
  auto event = acquire(1, "a");
  event.absent = true;
  event.wait = Milliseconds(60'000);
  rig.tell(event);
  CHECK(said(rig.broker("refused about=request code=unknown-service id=a", 1)) == Lines{"2 request a"});
  Lines all;
  while (rig.elapsed() < 10s && !says(all, "broker 1 <")) {
    for (const auto& line : rig.wait()) all.push_back(line);
    CHECK_FALSE(says(all, "not_acquired"));
  }
  CHECK(says(all, "broker 2 < cancel id=a"));
  CHECK(says(all, "broker 1 < request id=a"));
  CHECK(says(rig.broker(grant("a", 7), 1), "acquired 1 session=7"));
}

TEST_CASE("where brokers have names the requests of each service begin at its own, and go on in its order") {
  Rig rig({.name = "ann"});
  rig.tell(BrokersAre{{3, 5, 4}, {"b", "a", "c"}});  // of zip it is a, c, b
  for (const std::string id : {"x", "y"}) {
    CHECK(said(rig.tell(acquire(id == "x" ? 1 : 2, id))) == Lines{"5 request " + id});
    CHECK(said(rig.broker("refused about=request code=unknown-service id=" + id, 5)) == Lines{"4 request " + id});
    CHECK(said(rig.broker("refused about=request code=unknown-service id=" + id, 4)) == Lines{"3 request " + id});
  }
  // One that is gone is passed over.
  rig.tell(Gone{Door::broker, 5});
  CHECK(said(rig.tell(acquire(3, "z"))) == Lines{"4 request z"});
}

TEST_CASE("a request that left a line goes back when the broker that it went to is silent, or does not let it in") {
  for (const bool barred : {false, true}) {
    Rig rig({.name = "ann", .overflow = 1s});
    rig.tell(BrokersAre{{1, 2}, {"a", "b"}});
    auto event = acquire(1, "x");
    event.wait = Milliseconds(60'000);
    rig.tell(event);
    rig.broker("queued id=x position=9", 1);
    CHECK(said(rig.wait()) == Lines{"1 cancel x", "2 request x"});
    rig.broker("cancelled id=x", 1);
    Lines all;
    if (barred) all = rig.tell(Barred{"no key", "get one", 2});
    while (rig.elapsed() < 10s && !says(all, "broker 1 <")) {
      for (const auto& line : rig.wait()) all.push_back(line);
    }
    CHECK(says(all, "broker 1 < request id=x.1"));
    CHECK(says(all, "broker 2 < cancel id=x") != barred);
    // And stays there.
    rig.broker("queued id=x.1 position=10", 1);
    CHECK_FALSE(says(rig.pass(Milliseconds(4000)), "broker 2 < request"));
    CHECK(says(rig.broker(grant("x.1", 7), 1), "acquired 1 session=7"));
  }
}

TEST_CASE("a request that waits where its service is not at home looks there again as soon as that broker is back") {
  Rig rig({.name = "ann"});
  rig.tell(BrokersAre{{1, 2}, {"b", "a"}});
  rig.tell(Gone{Door::broker, 2});
  auto event = acquire(1, "x");
  event.wait = Milliseconds(60'000);
  CHECK(said(rig.tell(event)) == Lines{"1 request x"});
  rig.broker("queued id=x position=1", 1);
  CHECK_FALSE(says(rig.pass(Milliseconds(6000)), "broker 2 <"));
  rig.broker("queued id=x position=1", 1);
  rig.tell(BrokerUp{2});
  Lines all;
  while (rig.elapsed() < 20s && !says(all, "broker 2 <")) {
    for (const auto& line : rig.wait()) all.push_back(line);
  }
  CHECK(says(all, "broker 2 < request id=x"));
  CHECK(says(rig.broker(grant("x", 7), 2), "acquired 1 session=7"));
}

TEST_CASE("a request leaves no line for that of a broker which is gone") {
  Rig rig({.name = "ann", .overflow = 1s});
  rig.tell(BrokersAre{{1, 2}, {"a", "b"}});
  rig.tell(acquire(1, "x"));
  rig.tell(Gone{Door::broker, 2});
  rig.broker("queued id=x position=9", 1);
  CHECK_FALSE(says(rig.pass(Milliseconds(4000)), "broker 2 <"));
}

TEST_CASE("a client that no broker lets in hears so when all were tried") {
  Several rig(2);
  rig.tell(acquire(1, "a"));
  CHECK(said(rig.tell(Barred{"no key", "get one", 1})) == Lines{"2 request a"});
  CHECK(says(rig.tell(Barred{"no key", "get one", 2}), "not_acquired 1 unreachable"));
}

TEST_CASE("a request waits for a broker to be found, but not for ever") {
  Rig rig;
  rig.tell(BrokersAre{{}});
  CHECK(rig.tell(acquire(1, "a")) == Lines{});
  rig.pass(1000ms);
  CHECK(said(rig.tell(BrokersAre{{5}})) == Lines{"5 request a"});
  rig.tell(BrokersAre{{}});
  rig.tell(acquire(2, "b"));
  CHECK(rig.core.deadline() > rig.now);
  const Lines lines = rig.pass(6000ms);
  CHECK(says(lines, "not_acquired 2 unreachable"));
}

TEST_CASE("a session is released, renewed and replaced at the broker that granted it") {
  Several rig(2);
  auto event = acquire(1, "a");
  event.apart = true;
  rig.tell(event);
  rig.broker(grant("a", 7), 1);
  CHECK(says(rig.pass(11'000ms), "broker 1 < renew session=7"));
  CHECK(says(rig.tell(ReleaseSession{1}), "broker 1 < release session=7"));

  rig.tell(acquire(2, "b"));
  rig.broker(grant("b", 9), 2);
  rig.tell(Invoke{.handle = 2, .number = 1, .payload = {"x"}, .limit = 20000ms});
  Lines all;
  for (int i = 0; i < 100 && !says(all, "failed=9"); ++i) all = rig.wait();
  CHECK(says(all, "broker 2 < request id=b.1"));
}

TEST_CASE("a replacement by another broker does not name the session, which is none of its business") {
  Several rig(2);
  rig.tell(acquire(1, "a"));
  rig.broker(grant("a", 7), 1);
  rig.tell(Invoke{.handle = 1, .number = 1, .payload = {"x"}, .limit = 20000ms});
  rig.tell(Gone{Door::broker, 1});
  Lines all;
  for (int i = 0; i < 100 && !says(all, "request id=a.1"); ++i) all = rig.wait();
  CHECK(says(all, "broker 2 < request id=a.1"));
  CHECK_FALSE(says(all, "failed="));
}

TEST_CASE("questions stay with one broker until it is silent or gone") {
  Several rig(2);
  CHECK(said(rig.tell(Ask{1, Status{}})) == Lines{"1 status"});
  rig.broker("stats", 1);
  CHECK(said(rig.tell(Ask{2, Status{}})) == Lines{"1 status"});
  Lines all;
  for (int i = 0; i < 10 && !says(all, "broker 2 <"); ++i) all = rig.wait();
  CHECK(said(all) == Lines{"2 status"});
  rig.broker("stats", 2);
  rig.tell(Gone{Door::broker, 2});
  rig.broker("welcome version=1", 1);
  CHECK(said(rig.tell(Ask{3, Hello{}})) == Lines{"1 hello"});
}
