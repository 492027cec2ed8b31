// Shows whom a worker lets in, for how long, and what it tells the broker of it.
#include <map>

#include "test/unit/workers/core/bench.hpp"

using namespace pointsman;
using namespace pointsman::workers;
using namespace std::chrono_literals;
using Lines = Bench::Lines;

TEST_CASE("a ticket opens a session and showing it again is harmless") {
  Bench bench;
  bench.enroll();
  CHECK(bench.client(1, bench.open(20)) == Lines{"began 20", "c1 opened session=20 term_ms=30000"});
  CHECK(bench.client(1, bench.open(20)) == Lines{"c1 opened session=20 term_ms=30000"});
}

TEST_CASE("a ticket that is not right is refused with the reason") {
  Bench bench;
  bench.enroll();
  const auto code = [&](Ticket ticket, const std::string& client, const Bytes& key = bench_key) {
    const Lines lines = bench.client(1, Open{.ticket = seal(ticket, key), .client = client});
    REQUIRE(lines.size() == 1);
    const auto at = lines[0].find("code=") + 5;
    return lines[0].substr(at, lines[0].find(' ', at) - at);
  };
  CHECK(code(bench.ticket(20), "bob") == "stolen-ticket");
  CHECK(code(bench.ticket(20), "ann", Bytes{std::string(32, 'x')}) == "forged-ticket");
  Ticket other = bench.ticket(20);
  other.lease = 6;
  CHECK(code(other, "ann") == "foreign-ticket");
  other = bench.ticket(20);
  other.service = service_of("tar");
  CHECK(code(other, "ann") == "bad-ticket");
  other = bench.ticket(20);
  bench.wait(5100ms);
  CHECK(code(other, "ann") == "expired-ticket");
  CHECK(says(bench.client(1, Open{.ticket = {"junk"}, .client = "ann"}), "c1 refused about=open code=bad-ticket"));
}

TEST_CASE("a ticket with any bit altered is refused and counted") {
  Bench bench;
  bench.enroll();
  const std::string sealed = seal(bench.ticket(20), bench_key).data;
  std::map<std::string, std::size_t> codes;
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string altered = sealed;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ static_cast<char>(1U << (bit % 8)));
    const Lines lines = bench.client(1, Open{.ticket = {altered}, .client = "ann"});
    REQUIRE(lines.size() == 1);
    const auto at = lines[0].find("code=") + 5;
    ++codes[lines[0].substr(at, lines[0].find(' ', at) - at)];
  }
  // Two bytes say that it is a ticket, eight whose it is; all others are under the seal.
  CHECK(codes == std::map<std::string, std::size_t>{
                     {"bad-ticket", 16}, {"foreign-ticket", 64}, {"forged-ticket", (sealed.size() - 10) * 8}});
  CHECK(says(bench.broker("probe lease=7"), "broker heartbeat lease=7 beat=1 refused=[{code=bad-ticket count=16} {code=forged-ticket count=960} {code=foreign-ticket count=64}]"));
}

TEST_CASE("a ticket is taken from the key that it was granted to, and from no other") {
  Bench bench;
  bench.enroll();
  const PublicKey alice{{1, 2, 3}}, eve{{4, 5, 6}};
  Ticket ticket = bench.ticket(20);
  ticket.key = alice;
  const Bytes sealed = seal(ticket, bench_key);
  const auto shown_by = [&](std::uint64_t peer, const PublicKey& key) {
    return bench.tell(Received{{.door = Door::direct, .peer = peer}, Open{.ticket = sealed, .client = "ann"}, {}, key});
  };
  CHECK(says(shown_by(1, eve), "c1 refused about=open code=stolen-ticket"));
  CHECK(says(shown_by(1, {}), "c1 refused about=open code=stolen-ticket"));
  CHECK(says(shown_by(2, alice), "c2 opened session=20"));
  // Nor is an open session taken over, or one without a key by one that has one.
  CHECK(says(shown_by(1, eve), "c1 refused about=open code=stolen-ticket"));
  CHECK(says(shown_by(3, alice), "c3 opened session=20"));
  CHECK(says(bench.tell(Received{{.door = Door::direct, .peer = 4}, bench.open(21), {}, eve}), "c4 refused about=open code=stolen-ticket"));
}

TEST_CASE("a ticket of a former lease is honoured for a while, then told from a foreign one") {
  Bench bench;
  bench.enroll();
  const Message before = bench.open(20);
  const Message late = bench.open(21);
  bench.broker("refused about=heartbeat code=unknown-lease lease=7");
  bench.wait(2s);
  bench.tell(bench.registered(8));
  CHECK(says(bench.client(1, before), "c1 opened session=20"));
  bench.wait(2min);
  CHECK(says(bench.client(1, late), "c1 refused about=open code=old-ticket"));
}

TEST_CASE("a session that is over is not opened again") {
  Bench bench;
  bench.enroll();
  const Message open = bench.open(20);
  bench.client(1, open);
  CHECK(bench.client(1, "release session=20").front() == "over 20 released");
  CHECK(says(bench.client(1, open), "c1 refused about=open code=used-ticket"));
  CHECK(bench.client(1, "release session=20") == Lines{"c1 released session=20"});
}

TEST_CASE("a full memory of spent tickets turns older ones away rather than letting one in twice") {
  WorkerSettings settings = bench_settings();
  settings.used_max = 2;
  Bench bench(settings);
  bench.enroll();
  std::vector<Message> opens;
  for (std::uint64_t id = 20; id < 24; ++id) {
    opens.push_back(bench.open(id));
    bench.client(1, opens.back());
    bench.client(1, Release{.session = id});
  }
  for (const Message& open : opens) CHECK(says(bench.client(1, open), "c1 refused about=open code=used-ticket"));
}

TEST_CASE("the newest connection that shows the ticket has the session") {
  Bench bench;
  bench.enroll();
  const Message open = bench.open(20);
  bench.client(1, open);
  bench.client(1, "call session=20 number=1");
  CHECK(bench.client(2, open) == Lines{"c2 opened session=20 term_ms=30000"});
  CHECK(says(bench.client(1, "call session=20 number=2"), "c1 refused about=call code=not-yours"));
  CHECK(bench.tell(Answered{20, 1, {"x"}, false}).front() == "c2 reply session=20 number=1 | x");
}

TEST_CASE("slots are the final limit") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  bench.broker("assign lease=7 first=1 sessions=[{session=21 service=zip client=abe ttl_ms=5000}]");
  CHECK(says(bench.client(2, bench.open(22)), "c2 refused about=open code=busy"));
  CHECK(says(bench.client(3, bench.open(21, "abe")), "began 21"));
}

TEST_CASE("a service has no more sessions than its own slots") {
  WorkerSettings settings = bench_settings();
  settings.offers = {{.service = "zip", .slots = 1}};
  Bench bench(settings);
  bench.enroll();
  bench.client(1, bench.open(20));
  CHECK(says(bench.client(2, bench.open(21)), "c2 refused about=open code=busy"));
}

TEST_CASE("a session that nobody opens is reported unused a second after its ticket") {
  Bench bench;
  bench.enroll();
  bench.broker("assign lease=7 first=1 sessions=[{session=21 service=zip client=abe ttl_ms=1000}]");
  CHECK_FALSE(says(bench.wait(1900ms), "broker report"));
  CHECK(says(bench.wait(200ms), "broker report lease=7 first=1 events=[{session=21 closed=true ending=unused}]"));
}

TEST_CASE("a session without a call ends with its term and every sign of life restarts it") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(says(bench.wait(29s), "over"));
    bench.client(1, "renew session=20");
  }
  CHECK(bench.client(1, "renew session=20 term_ms=1000") == Lines{"c1 renewed session=20 term_ms=1000"});
  CHECK(says(bench.wait(1100ms), "over 20 expired"));
}

TEST_CASE("a running call keeps its session") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  bench.client(1, "call session=20 number=1");
  CHECK_FALSE(says(bench.wait(300s), "over"));
  bench.tell(Answered{20, 1, {}, false});
  CHECK(says(bench.wait(31s), "over 20 expired"));
}

TEST_CASE("events are numbered and repeated with each heartbeat until they are applied") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  CHECK(says(bench.client(1, "release session=20"),
             "broker report lease=7 first=1 events=[{session=20} {session=20 closed=true}]"));
  CHECK(says(bench.broker("probe lease=7"), "broker report lease=7 first=1 events=[{session=20} {session=20 closed=true}]"));
  bench.broker("heard lease=7 beat=1 applied=1");
  CHECK(says(bench.broker("probe lease=7"), "broker report lease=7 first=2 events=[{session=20 closed=true}]"));
  bench.broker("heard lease=7 beat=2 applied=2");
  CHECK_FALSE(says(bench.broker("probe lease=7"), "broker report"));
}

TEST_CASE("many events are reported in slices and too many end in a new registration") {
  WorkerSettings settings = bench_settings();
  settings.events_max = 1000;
  Bench bench(settings);
  bench.enroll();
  bench.now += 2s;
  std::uint64_t id = 20;
  for (; id < 20 + 400; ++id) {
    bench.client(1, bench.open(id));
    bench.client(1, Release{.session = id});
  }
  Lines lines = bench.broker("probe lease=7");
  CHECK(lines.size() == 5);  // 800 events, and the heartbeat
  CHECK(lines[3].starts_with("broker report lease=7 first=769"));
  bool anew = false;
  for (; id < 20 + 600 && !anew; ++id) {
    anew = says(bench.client(1, bench.open(id)), "broker register");
    bench.client(1, Release{.session = id});
  }
  CHECK(anew);
}

TEST_CASE("the broker passes on a release even of a session whose assignment was lost") {
  Bench bench;
  bench.enroll();
  bench.client(1, bench.open(20));
  CHECK(bench.broker("release session=20").front() == "over 20 released");
  CHECK(says(bench.broker("release session=25"), "broker report lease=7 first=3 events=[{session=25 closed=true}]"));
  CHECK(says(bench.client(1, bench.open(25)), "c1 refused about=open code=used-ticket"));
}

TEST_CASE("for a server of its own a session is open from its assignment to the release or its term") {
  WorkerSettings settings = bench_settings();
  settings.direct = Direct::own;
  settings.endpoint = "http://127.0.0.1:80";
  Bench bench(settings);
  bench.enroll();
  CHECK(bench.broker("assign lease=7 first=1 sessions=[{session=21 service=zip ttl_ms=5000 term_ms=9000} "
                     "{session=22 service=zip ttl_ms=5000 term_ms=9000}]") == Lines{"began 21", "began 22"});
  CHECK(bench.broker("release session=21").front() == "over 21 released");
  bench.broker("renew session=22 term_ms=20000");
  CHECK_FALSE(says(bench.wait(19s), "over"));
  CHECK(says(bench.wait(2s), "over 22 expired"));
}

TEST_CASE("a message that is not for a worker is refused and so are bytes that are none") {
  Bench bench;
  bench.enroll();
  CHECK(says(bench.client(1, "status"), "c1 refused about=status code=wrong-role"));
  CHECK(says(bench.tell(Garbled{{.door = Door::direct, .peer = 4}, {.code = Code::bad_message, .reason = "no", .number = 3}}),
             "c4 refused code=bad-message reason=no"));
  CHECK(bench.client(1, "refused code=failed").empty());
  CHECK(bench.broker("status").empty());
  CHECK(says(bench.client(1, "hello"), "c1 welcome program=pointsman"));
}
