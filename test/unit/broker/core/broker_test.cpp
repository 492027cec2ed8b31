// Shows what a broker says to clients and workers, by talking to it in the notation.
#include "broker/core/broker.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "protocol/digest.hpp"
#include "protocol/notation.hpp"
#include "protocol/ticket.hpp"

using namespace pointsman;
using namespace pointsman::broker;
using namespace std::chrono_literals;

namespace {

// A broker, and peers that are known by name. Time moves only by sleep().
struct Talk {
  explicit Talk(Options options = {}) : broker((options.master.data.assign(32, 'm'), options.epoch = 1000, options.settle = {}, options)) {
    clock = Instant{1h};
  }

  Address address(const std::string& name) {
    auto& peer = peers[name];
    if (peer == 0) peer = peers.size();
    Address at{.door = name[0] == 'w' ? Door::workers : Door::clients, .peer = peer};
    return at;
  }

  // Says one line as `who` and returns what the broker said, to whomever.
  std::vector<Send> say(const std::string& who, const std::string& line) {
    auto read = from_line(line);
    if (const auto* fault = std::get_if<Fault>(&read)) FAIL(fault->reason << " in " << line);
    return step(Received{address(who), std::get<Message>(std::move(read)), {}});
  }

  std::vector<Send> step(Event event) {
    Actions actions;
    broker.step(clock, std::move(event), actions);
    broker.check();
    std::vector<Send> sent;
    for (auto& action : actions) sent.push_back(std::get<Send>(std::move(action)));
    heard.insert(heard.end(), sent.begin(), sent.end());
    return sent;
  }

  // Lets time pass, deadline by deadline, and returns what was said meanwhile.
  std::vector<Send> sleep(Duration duration) {
    std::vector<Send> all;
    const Instant until = clock + duration;
    while (broker.deadline() <= until) {
      clock = std::max(clock, broker.deadline());
      for (auto& send : step(Elapsed{})) all.push_back(std::move(send));
    }
    clock = until;
    for (auto& send : step(Elapsed{})) all.push_back(std::move(send));
    return all;
  }

  std::uint64_t join(const std::string& name, const std::string& rest = "services=[{service=s}]") {
    const auto said = say(name, "register worker=" + name + " instance=i endpoint=tcp://h:1 " + rest);
    for (const Send& send : said) {
      if (const auto* registered = std::get_if<Registered>(&send.message)) return registered->lease;
    }
    FAIL("not registered: " << name);
    return 0;
  }

  std::uint64_t counter(const std::string& name) {
    for (const Send& send : say("ops", "status")) {
      for (const Counter& counter : std::get<Stats>(send.message).counters) {
        if (counter.name == name) return counter.value;
      }
    }
    return 0;
  }

  Broker broker;
  Instant clock;
  std::map<std::string, std::uint64_t> peers;
  std::vector<Send> heard;
};

template <class M>
std::vector<M> only(const std::vector<Send>& sent) {
  std::vector<M> found;
  for (const Send& send : sent) {
    if (const auto* message = std::get_if<M>(&send.message)) found.push_back(*message);
  }
  return found;
}

template <class M>
M one(const std::vector<Send>& sent) {
  const auto found = only<M>(sent);
  REQUIRE(found.size() == 1);
  return found.front();
}

std::string request(const std::string& id, const std::string& rest = "") {
  return "request service=s id=" + id + " " + rest;
}

}  // namespace

TEST_CASE("status tells what happened outside of messages") {
  Talk talk;
  Outside outside{.unread = 2, .audit_lost = 3, .questions_ignored = 6};
  outside.entries[static_cast<std::size_t>(Entry::wrong_role)] = 4;
  outside.entries[static_cast<std::size_t>(Entry::too_many)] = 5;
  CHECK(talk.step(outside).empty());
  CHECK(talk.counter("unread") == 2);
  CHECK(talk.counter("audit_lost") == 3);
  CHECK(talk.counter("questions_ignored") == 6);
  CHECK(talk.counter("turned_away_wrong-role") == 4);
  CHECK(talk.counter("turned_away_too-many") == 5);
  CHECK(talk.counter("turned_away_unknown") == 0);
}

TEST_CASE("a request gets a worker: the worker is told who comes and the client gets a ticket for it") {
  Talk talk;
  const auto lease = talk.join("w1");
  const auto said = talk.say("c1", request("r1", "client=ann"));
  const auto assign = one<Assign>(said);
  const auto granted = one<Granted>(said);
  CHECK(assign.lease == lease);
  CHECK(assign.first == 1);
  CHECK(assign.sessions.front().client == "ann");
  CHECK(assign.sessions.front().session == granted.session);
  CHECK(granted.endpoint == "tcp://h:1");
  const auto ticket = unseal(granted.ticket, ticket_key(Bytes{std::string(32, 'm')}, lease));
  REQUIRE(ticket);
  CHECK(ticket->session == granted.session);
  CHECK(ticket->holder == holder_of("ann"));
  CHECK(ticket->service == service_of("s"));
}

TEST_CASE("a request for a service that nobody offers is refused at once unless it says to wait for it") {
  Talk talk;
  CHECK(one<Refused>(talk.say("c1", request("r1"))).code == Code::unknown_service);
  CHECK(talk.say("c1", request("r2", "absent=true")).empty());
  const auto said = [&] {
    talk.join("w1");
    return talk.heard;
  }();
  CHECK(one<Granted>(said).id == "r2");
}

TEST_CASE("a full worker gets nobody and the first in the queue gets its next slot") {
  Talk talk;
  const auto lease = talk.join("w1");
  const auto first = one<Granted>(talk.say("c1", request("r1")));
  CHECK(one<Queued>(talk.say("c2", request("r2", "updates=true"))).position == 1);
  CHECK(one<Queued>(talk.say("c3", request("r3", "updates=true"))).position == 2);
  CHECK(one<Refused>(talk.say("c4", request("r4", "wait_ms=0"))).code == Code::no_worker);
  const auto said = talk.say("w1", "report lease=" + std::to_string(lease) + " first=1 events=[{session=" +
                                       std::to_string(first.session) + " closed=true}]");
  CHECK(one<Granted>(said).id == "r2");
}

TEST_CASE("higher priority goes first but waiting makes up for it") {
  Options options;
  options.service.aging = 1s;
  Talk talk(options);
  const auto lease = talk.join("w1");
  auto session = one<Granted>(talk.say("c1", request("r0", "wait_ms=60000"))).session;
  talk.say("c1", request("low", "wait_ms=60000"));
  talk.sleep(500ms);
  talk.say("c1", request("high", "wait_ms=60000 priority=1"));
  talk.sleep(1600ms);
  talk.say("c1", request("late", "wait_ms=60000 priority=2"));
  std::vector<std::string> order;
  for (int n = 1; n <= 3; ++n) {
    const auto granted = one<Granted>(talk.say("w1", "report lease=" + std::to_string(lease) +
                                                         " first=" + std::to_string(n) + " events=[{session=" +
                                                         std::to_string(session) + " closed=true}]"));
    order.push_back(granted.id);
    session = granted.session;
  }
  CHECK(order == std::vector<std::string>{"high", "low", "late"});
}

TEST_CASE("a request times out at its deadline and a cancelled one is never granted") {
  Talk talk;
  talk.join("w1");
  talk.say("c1", request("r1"));
  talk.say("c2", request("r2", "wait_ms=1000"));
  talk.say("c3", request("r3", "wait_ms=1000"));
  CHECK(one<Cancelled>(talk.say("c3", "cancel id=r3")).session == 0);
  const auto said = talk.sleep(2s);
  CHECK(one<Refused>(said).code == Code::timed_out);
  CHECK(one<Refused>(said).id == "r2");
  CHECK(one<Refused>(talk.say("c3", request("r3"))).code == Code::cancelled);
}

TEST_CASE("repeating a request repeats its answer and takes no second slot") {
  Talk talk;
  const auto lease = talk.join("w1", "services=[{service=s}] slots=2");
  const auto first = one<Granted>(talk.say("c1", request("r1", "client=ann")));
  const auto again = talk.say("c2", request("r1", "client=ann"));
  CHECK(one<Granted>(again).session == first.session);
  CHECK(only<Assign>(again).empty());
  CHECK(one<Granted>(talk.say("c2", request("r1", "client=bob"))).session != first.session);
  talk.say("w1", "report lease=" + std::to_string(lease) + " first=1 events=[{session=" +
                     std::to_string(first.session) + " closed=true}]");
  CHECK(one<Refused>(talk.say("c1", request("r1", "client=ann"))).code == Code::ended);
  talk.sleep(31s);
  talk.say("w1", "heartbeat lease=" + std::to_string(lease));
}

TEST_CASE("a worker that falls silent is suspect at the end of its lease and gone one term later") {
  Talk talk;
  const auto lease = talk.join("w1");
  talk.say("ops", "watch");
  talk.sleep(11900ms);
  CHECK(only<Granted>(talk.say("c1", request("r1"))).size() == 1);
  auto said = talk.sleep(200ms);
  CHECK(one<Happened>(said).kind == Happening::suspected);
  CHECK(talk.say("c1", request("r2", "wait_ms=2000")).size() == 1);  // the event alone: it waits
  talk.say("w1", "heartbeat lease=" + std::to_string(lease) + " beat=1");
  talk.sleep(13s);
  talk.say("ops", "watch");
  said = talk.sleep(10s);
  CHECK(only<Happened>(said).size() >= 1);
  CHECK(one<Refused>(talk.say("c1", request("r3"))).code == Code::unknown_service);
  CHECK(one<Refused>(talk.say("w1", "heartbeat lease=" + std::to_string(lease))).code == Code::unknown_lease);
}

TEST_CASE("a lease for ever survives any silence and one asked for longer than allowed is cut") {
  Options options;
  options.lease_max = 60s;
  Talk talk(options);
  CHECK(one<Registered>(talk.say("w1", "register worker=w1 instance=i endpoint=tcp://h:1 services=[{service=s}] "
                                       "lease_ms=forever"))
            .term_ms == forever);
  CHECK(one<Registered>(talk.say("w2", "register worker=w2 instance=i endpoint=tcp://h:1 services=[{service=t}] "
                                       "lease_ms=9999999"))
            .term_ms == 60s);
  CHECK(one<Registered>(talk.say("w3", "register worker=w3 instance=i endpoint=tcp://h:1 services=[{service=t}] "
                                       "lease_ms=1"))
            .term_ms == 1s);
  talk.sleep(24h);
  CHECK(only<Granted>(talk.say("c1", request("r1"))).size() == 1);
}

TEST_CASE("leases of one connection are renewed at one moment and those of others at other moments") {
  Talk talk;
  const Duration heartbeat = Duration(10s) / 3;
  std::map<std::string, std::uint64_t> leases;
  talk.peers = {{"w1", 1}, {"w2", 1}, {"w3", 2}};
  for (const auto& [name, peer] : talk.peers) leases[name] = talk.join(name);
  const auto moment = [&](const std::string& name) {
    const auto next = one<Heard>(talk.say(name, "heartbeat lease=" + std::to_string(leases.at(name)) + " beat=1")).next_ms;
    CHECK(next > heartbeat / 4);
    CHECK(next <= heartbeat * 5 / 4 + 1ms);
    return std::chrono::floor<Milliseconds>((talk.clock + next).time_since_epoch() % heartbeat);
  };
  const auto first = moment("w1");
  const auto other = moment("w3");
  CHECK(first != other);
  for (int i = 0; i < 50; ++i) {
    talk.clock += 77ms;
    CHECK(moment("w1") - first <= 1ms);
    CHECK(first - moment("w2") <= 1ms);
    CHECK(moment("w3") - other <= 1ms);
  }
}

TEST_CASE("the broker forgives its own stall") {
  Talk talk;
  const auto lease = talk.join("w1");
  talk.clock += 60s;  // nobody called deadline() meanwhile: the broker stood still
  talk.step(Elapsed{});
  CHECK(talk.counter("stalls_forgiven") == 1);
  CHECK(only<Heard>(talk.say("w1", "heartbeat lease=" + std::to_string(lease) + " beat=1")).size() == 1);
  CHECK(only<Granted>(talk.say("c1", request("r1"))).size() == 1);
}

TEST_CASE("when most workers fall silent at once none is struck off for three terms") {
  Talk talk;
  for (int i = 1; i <= 4; ++i) talk.join("w" + std::to_string(i));
  talk.sleep(50s);
  CHECK(talk.counter("workers") == 4);
  CHECK(talk.counter("protections") == 1);
  CHECK(talk.say("c1", request("r1", "wait_ms=100")).empty());
  talk.sleep(60s);
  CHECK(talk.counter("workers") == 0);
}

TEST_CASE("registrations are refused with a reason") {
  Talk talk;
  talk.join("w1");
  const auto code = [&](const std::string& line) { return one<Refused>(talk.say("w9", line)).code; };
  CHECK(code("register worker=w1 instance=other endpoint=tcp://h:1 services=[{service=s}]") == Code::name_taken);
  CHECK(code("register worker=w2 instance=i endpoint=nowhere services=[{service=s}]") == Code::bad_endpoint);
  CHECK(code("register worker=w2 instance=i endpoint=tcp://0.0.0.0:5 services=[{service=s}]") == Code::bad_endpoint);
  CHECK(code("register worker=w2 instance=i endpoint=http://h services=[{service=s}]") == Code::bad_endpoint);
  CHECK(code("register worker=w2 instance=i endpoint=tcp://h:1 services=[{service=s} {service=s}]") ==
        Code::bad_message);
  Options options;
  options.workers_max = 1;
  Talk small(options);
  small.join("w1");
  CHECK(one<Refused>(small.say("w2", "register worker=w2 instance=i endpoint=tcp://h:1 services=[{service=s}]")).code ==
        Code::limit_reached);
}

TEST_CASE("session events are applied once, in order, and not beyond a gap") {
  Talk talk;
  const auto lease = std::to_string(talk.join("w1", "services=[{service=s}] slots=3"));
  const auto a = std::to_string(one<Granted>(talk.say("c", request("a"))).session);
  const auto b = std::to_string(one<Granted>(talk.say("c", request("b"))).session);
  talk.say("w1", "report lease=" + lease + " first=2 events=[{session=" + b + " closed=true}]");
  CHECK(talk.counter("sessions") == 2);
  talk.say("w1", "report lease=" + lease + " first=1 events=[{session=" + a + "} {session=" + b + " closed=true}]");
  CHECK(talk.counter("sessions") == 1);
  talk.say("w1", "report lease=" + lease + " first=2 events=[{session=" + b + " closed=true}]");
  CHECK(talk.counter("sessions") == 1);
  CHECK(one<Heard>(talk.say("w1", "heartbeat lease=" + lease + " beat=7")).applied == 2);
}

TEST_CASE("a session that nobody uses lapses and comes back when its worker says that it is open") {
  Talk talk;
  const auto lease = std::to_string(talk.join("w1"));
  const auto session = std::to_string(one<Granted>(talk.say("c", request("a"))).session);
  for (int i = 0; i < 5; ++i) {
    talk.sleep(3s);
    talk.say("w1", "heartbeat lease=" + lease);
  }
  CHECK(talk.counter("sessions") == 0);
  CHECK(talk.counter("reservations_lapsed") == 1);
  CHECK(only<Sync>(talk.say("w1", "report lease=" + lease + " first=1 events=[{session=" + session + "}]")).size() == 1);
  talk.say("w1", "holding lease=" + lease + " reported=1 seen=1 sessions=[{session=" + session +
                     " service=s client=x id=a open=true}]");
  CHECK(talk.counter("sessions") == 1);
}

TEST_CASE("figures that differ twice in a row are healed by the whole list") {
  Talk talk;
  const auto lease = std::to_string(talk.join("w1", "services=[{service=s}] slots=3"));
  const auto session = one<Granted>(talk.say("c", request("a"))).session;
  const std::string wrong = "heartbeat lease=" + lease + " seen=1 used=0 digest=0 beat=";
  CHECK(only<Sync>(talk.say("w1", wrong + "1")).empty());
  CHECK(only<Sync>(talk.say("w1", wrong + "2")).size() == 1);
  talk.say("w1", "holding lease=" + lease + " seen=1 reported=0");
  CHECK(talk.counter("sessions") == 0);
  CHECK(talk.counter("healed_sessions") == 1);
  const std::string right = "heartbeat lease=" + lease + " seen=1 used=0 digest=0 beat=";
  CHECK(only<Sync>(talk.say("w1", right + "3")).empty());
  CHECK(only<Sync>(talk.say("w1", right + "4")).empty());
  CHECK(digest_of(session) != 0);
}

TEST_CASE("a restarted broker is rebuilt by its workers and counts nothing twice") {
  Talk talk;
  talk.say("c1", request("r1", "client=ann absent=true wait_ms=60000"));
  const auto said = talk.say("w1", "register worker=w1 instance=i endpoint=tcp://h:1 services=[{service=s}] slots=2 "
                                   "sessions=[{session=77 service=s client=ann id=r1} "
                                   "{session=78 service=s client=bob id=r9 open=true}]");
  CHECK(one<Granted>(said).session == 77);
  CHECK(one<Granted>(talk.say("c2", request("r9", "client=bob"))).session == 78);
  CHECK(talk.counter("sessions") == 2);
  CHECK(one<Refused>(talk.say("c3", request("r3", "wait_ms=0"))).code == Code::no_worker);
}

TEST_CASE("a worker that registers anew keeps the sessions that it lists and loses the others") {
  Talk talk;
  const auto lease = talk.join("w1", "services=[{service=s}] slots=2");
  const auto a = one<Granted>(talk.say("c1", request("a", "updates=true"))).session;
  const auto b = one<Granted>(talk.say("c1", request("b", "updates=true"))).session;
  const auto said = talk.say("w1", "register worker=w1 instance=i endpoint=tcp://h:1 services=[{service=s}] slots=2 "
                                   "sessions=[{session=" +
                                       std::to_string(a) + " service=s id=a open=true}]");
  CHECK(one<Lost>(said).session == b);
  CHECK(one<Registered>(said).lease > lease);
  CHECK(talk.counter("sessions") == 1);
  CHECK(one<Granted>(talk.say("c1", request("a"))).session == a);
}

TEST_CASE("a worker that a client could not reach gets nobody until it answers") {
  Talk talk;
  const auto lease = std::to_string(talk.join("w1", "services=[{service=s}] slots=2"));
  const auto session = std::to_string(one<Granted>(talk.say("c1", request("a"))).session);
  auto said = talk.say("c1", request("b", "failed=" + session));
  CHECK(only<Probe>(said).size() == 1);
  CHECK(one<Release>(said).session == std::stoull(session));
  CHECK(only<Granted>(said).empty());
  said = talk.say("w1", "heartbeat lease=" + lease + " beat=1");
  CHECK(one<Granted>(said).id == "b");
  // A second complaint about the same session, or about another client's, does nothing.
  CHECK(only<Probe>(talk.say("c1", request("c", "failed=" + session))).empty());
  CHECK(only<Probe>(talk.say("c1", request("d", "client=eve failed=" + session))).empty());
}

TEST_CASE("a worker that does not answer a probe is suspect until it is heard from") {
  Talk talk;
  const auto lease = std::to_string(talk.join("w1", "services=[{service=s}] slots=2"));
  const auto session = std::to_string(one<Granted>(talk.say("c1", request("a"))).session);
  talk.say("c1", request("b", "wait_ms=8000 failed=" + session));
  talk.sleep(1500ms);
  CHECK(talk.counter("workers_suspected") == 1);
  CHECK(one<Granted>(talk.say("w1", "heartbeat lease=" + lease)).id == "b");
}

TEST_CASE("a draining worker gets nobody and a resumed one gets those who wait") {
  Talk talk;
  talk.join("w1");
  auto said = talk.say("ops", "drain worker=w1");
  CHECK(one<Drained>(said).used == 0);
  CHECK(one<Drain>(said).worker == "w1");
  CHECK(only<Granted>(talk.say("c1", request("a"))).empty());
  CHECK(one<Granted>(talk.say("ops", "drain worker=w1 mode=resume")).id == "a");
  CHECK(one<Refused>(talk.say("ops", "drain worker=nobody")).code == Code::unknown_worker);
  talk.say("ops", "drain worker=w1 mode=forget");
  CHECK(talk.counter("workers") == 0);
}

TEST_CASE("a hung worker is suspect although it sends heartbeats and comes back with progress") {
  Options options;
  options.service.hang = 5s;
  Talk talk(options);
  const auto lease = std::to_string(talk.join("w1", "services=[{service=s}] slots=2"));
  const auto session = one<Granted>(talk.say("c1", request("a"))).session;
  const std::string beat = "heartbeat lease=" + lease + " seen=1 used=1 digest=" + std::to_string(digest_of(session));
  for (int i = 0; i < 4; ++i) {
    talk.say("w1", beat + " progress=1");
    talk.sleep(2s);
  }
  CHECK(talk.counter("workers_suspected") == 1);
  CHECK(only<Granted>(talk.say("c1", request("b"))).empty());
  CHECK(one<Granted>(talk.say("w1", beat + " progress=2")).id == "b");
}

TEST_CASE("slow start gives a newcomer its slots one by one") {
  Options options;
  options.service.slow_start = 10s;
  Talk talk(options);
  const auto lease = std::to_string(talk.join("w1", "services=[{service=s}] slots=5"));
  for (int i = 0; i < 5; ++i) talk.say("c1", request("r" + std::to_string(i), "wait_ms=60000"));
  CHECK(talk.counter("sessions") == 1);
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 5; ++i) {
    talk.sleep(2100ms);
    talk.say("w1", "heartbeat lease=" + lease);
    seen.push_back(talk.counter("sessions"));
  }
  CHECK(seen == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
}

TEST_CASE("the policy of a service changes while it runs") {
  Talk talk;
  for (const char* name : {"wa", "wb", "wc"}) {
    talk.join(name, std::string("slots=100 services=[{service=s weight=") + (name[1] == 'a' ? "5" : "1") + "}]");
  }
  std::string order;
  for (int i = 0; i < 7; ++i) order += one<Granted>(talk.say("c", request("r" + std::to_string(i)))).worker[1];
  CHECK(order == "aabacaa");
  CHECK(one<Configured>(talk.say("ops", "configure service=s policy=least-connections queue_max=3")).queue_max == 3);
  order.clear();
  for (int i = 7; i < 11; ++i) order += one<Granted>(talk.say("c", request("r" + std::to_string(i)))).worker[1];
  CHECK(order == "abca");  // 5/5, 1/1, 1/1: a tie, then a has 6/5
}

TEST_CASE("a queue at its bound refuses with a hint when to come back") {
  Options options;
  options.service.queue_max = 2;
  Talk talk(options);
  talk.join("w1");
  for (const char* id : {"a", "b", "c"}) talk.say("c", request(id));
  const auto refused = one<Refused>(talk.say("c", request("d")));
  CHECK(refused.code == Code::queue_full);
  CHECK(refused.retry_ms.count() > 0);
}

TEST_CASE("a wait that cannot be met is refused at once") {
  Talk talk;
  const auto lease = std::to_string(talk.join("w1"));
  for (int i = 1; i <= 20; ++i) {
    const auto session = std::to_string(one<Granted>(talk.say("c", request("r" + std::to_string(i)))).session);
    talk.sleep(1s);
    talk.say("w1", "report lease=" + lease + " first=" + std::to_string(i) + " events=[{session=" + session +
                       " closed=true}]");
  }
  talk.say("c", request("x0"));
  for (int i = 1; i <= 40; ++i) talk.say("c", request("x" + std::to_string(i), "wait_ms=100000"));
  CHECK(one<Refused>(talk.say("c", request("hurry", "wait_ms=5000"))).code == Code::hopeless);
  const auto said = talk.say("c", request("patient", "wait_ms=100000 updates=true"));
  CHECK(one<Queued>(said).position == 41);
  CHECK(one<Queued>(said).estimated);
  CHECK(one<Queued>(said).expected_ms == 41s);
}

TEST_CASE("messages on the wrong listener are refused and counted") {
  Talk talk;
  CHECK(one<Refused>(talk.say("w1", request("a"))).code == Code::wrong_role);
  CHECK(one<Refused>(talk.say("c1", "heartbeat lease=1")).code == Code::wrong_role);
  CHECK(one<Refused>(talk.say("c1", "call session=1 number=1")).code == Code::wrong_role);
  CHECK(talk.counter("wrong_role") == 3);
  talk.step(Garbled{talk.address("c1"), Fault{Code::bad_message, "no map", "", ""}});
  CHECK(talk.counter("garbled") == 1);
}

TEST_CASE("release and renew reach the worker and belong to the session's client") {
  Talk talk;
  talk.join("w1");
  const auto session = std::to_string(one<Granted>(talk.say("c", request("a", "client=ann"))).session);
  CHECK(one<Refused>(talk.say("c", "release session=" + session)).code == Code::not_yours);
  CHECK(one<Renew>(talk.say("c", "renew client=ann session=" + session + " term_ms=7000")).term_ms == 7s);
  const auto said = talk.say("c", "release client=ann session=" + session);
  CHECK(one<Release>(said).session == one<Released>(said).session);
  CHECK(one<Refused>(talk.say("c", "renew session=999999")).code == Code::unknown_session);
}

TEST_CASE("explain names every worker that a waiting request could not get and what would help") {
  Talk talk;
  talk.join("w1");
  talk.join("w2");
  talk.say("ops", "drain worker=w2");
  talk.say("c", request("a"));
  talk.say("c", request("b"));
  const auto explained = one<Explained>(talk.say("ops", "explain id=b"));
  REQUIRE(explained.candidates.size() == 2);
  std::map<std::string, CandidateRow> rows;
  for (const auto& row : explained.candidates) rows[row.worker] = row;
  CHECK(rows["w1"].why == "all of its 1 slot are in use");
  CHECK(rows["w2"].remedy == "pointsman drain --resume w2");
  CHECK(one<Explained>(talk.say("ops", "explain id=a")).verdict.starts_with("granted w1"));
  CHECK(one<Refused>(talk.say("ops", "explain id=zzz")).code == Code::unknown_request);
}

TEST_CASE("listings come in pages") {
  Talk talk;
  for (int i = 10; i < 25; ++i) talk.join("w" + std::to_string(i));
  std::vector<std::string> names;
  std::string after;
  do {
    const auto page = one<Listing>(talk.say("ops", "list of=workers limit=4" + (after.empty() ? "" : " after=" + after)));
    for (const auto& row : page.workers) names.push_back(row.worker);
    after = page.next;
  } while (!after.empty());
  CHECK(names.size() == 15);
  for (int i = 0; i < 30; ++i) talk.say("c", request("r" + std::to_string(i)));
  std::set<std::uint64_t> sessions;
  do {
    const auto page = one<Listing>(talk.say("ops", "list of=sessions limit=4" + (after.empty() ? "" : " after=" + after)));
    for (const auto& row : page.sessions) sessions.insert(row.session);
    after = page.next;
  } while (!after.empty());
  CHECK(sessions.size() == 15);
  std::vector<std::uint64_t> positions;
  do {
    const auto page = one<Listing>(talk.say("ops", "list of=waiting limit=4" + (after.empty() ? "" : " after=" + after)));
    for (const auto& row : page.waiting) positions.push_back(row.position);
    after = page.next;
  } while (!after.empty());
  CHECK(positions.size() == 15);
  CHECK(std::is_sorted(positions.begin(), positions.end()));
}

TEST_CASE("a client whose connection is gone loses its place unless it comes back soon") {
  Talk talk;
  talk.join("w1");
  talk.say("c1", request("a"));
  talk.say("c2", request("b", "wait_ms=60000"));
  talk.say("c3", request("c", "wait_ms=60000"));
  talk.step(Gone{Door::clients, talk.address("c2").peer});
  talk.step(Gone{Door::clients, talk.address("c3").peer});
  talk.sleep(1s);
  talk.say("c4", request("c", "wait_ms=59000"));
  talk.sleep(3s);
  CHECK(talk.counter("waiting") == 1);
}

TEST_CASE("a broker that stops tells everybody who waits") {
  Talk talk;
  talk.join("w1");
  talk.say("c1", request("a"));
  talk.say("c2", request("b"));
  CHECK(one<Refused>(talk.step(Shutdown{})).code == Code::shutting_down);
  CHECK(one<Refused>(talk.say("c3", request("c"))).code == Code::shutting_down);
}

TEST_CASE("nothing grows while sessions come and go") {
  Options options;
  options.remembered_max = 50;
  Talk talk(options);
  const auto lease = std::to_string(talk.join("w1"));
  for (int i = 1; i <= 500; ++i) {
    const auto session = std::to_string(one<Granted>(talk.say("c", request("r" + std::to_string(i)))).session);
    talk.say("w1", "report lease=" + lease + " first=" + std::to_string(i) + " events=[{session=" + session +
                       " closed=true}]");
  }
  CHECK(talk.counter("sessions") == 0);
  CHECK(talk.counter("remembered") == 50);
}

TEST_CASE("leases that run out all at once hold up nobody, and no dead worker is chosen") {
  Options options;
  options.master.data.assign(32, 'm');
  Broker broker(options);
  Instant now{1h};
  Actions out;
  const auto hear = [&](Door door, Message message) {
    broker.step(now, Received{{.door = door, .peer = 1}, std::move(message), {}}, out);
  };
  // More than two steps see to, and one that lives, whose turn is last.
  constexpr int dead = 25'000;
  for (int i = 0; i <= dead; ++i) {
    hear(Door::workers, Register{.worker = "w" + std::to_string(i), .instance = "i", .services = {{.service = "s"}},
                                 .endpoint = "tcp://h:1", .lease_ms = i == dead ? Milliseconds(60'000) : Milliseconds(1000)});
  }
  now = broker.deadline();
  out.clear();
  hear(Door::clients, Request{.id = "r", .service = "s", .client = "c"});
  CHECK(out.empty());
  CHECK(broker.deadline() <= now);
  broker.check();
  int steps = 0;
  for (; steps < 10 && broker.deadline() <= now; ++steps) broker.step(now, Elapsed{}, out);
  CHECK(steps == 1);
  REQUIRE(out.size() == 2);
  const auto* granted = std::get_if<Granted>(&std::get<Send>(out.back()).message);
  REQUIRE(granted);
  CHECK(granted->worker == "w" + std::to_string(dead));
  broker.check();
}

TEST_CASE("what workers did is handed out for a history, each time what is new, from when there is one") {
  Talk talk;
  talk.join("w0");
  CHECK(talk.broker.take_deeds(10).empty());
  talk.step(Learned{});
  const auto lease = std::to_string(talk.join("w1"));
  CHECK(talk.broker.take_deeds(10) == std::vector<Deeds>{{.worker = "w1", .instance = "i", .came = true}});
  talk.say("w1", "heartbeat lease=" + lease + " completed=1 busy_ms=70");
  talk.say("w1", "heartbeat lease=" + lease + " completed=3 busy_ms=90");
  CHECK(talk.broker.take_deeds(10) == std::vector<Deeds>{{"w1", "i", 3, 90ms}});
  CHECK(talk.broker.take_deeds(10).empty());
  // Both fall silent, which is one failure each; another instance takes the place of one.
  talk.sleep(13s);
  talk.say("w1", "register worker=w1 instance=j endpoint=tcp://h:1 services=[{service=s}]");
  CHECK(talk.broker.take_deeds(1) == std::vector<Deeds>{{"w1", "i", 3, 90ms, 1}});  // it has left
  CHECK(talk.broker.take_deeds(1) == std::vector<Deeds>{{"w0", "i", 0, 0ms, 1}});
  CHECK(talk.broker.take_deeds(1) == std::vector<Deeds>{{.worker = "w1", .instance = "j", .came = true}});
  CHECK(talk.broker.take_deeds(1).empty());
}
