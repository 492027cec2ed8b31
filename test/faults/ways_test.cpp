// Shows that delay, stalls, resets, truncation and lost bytes between any two parties do no harm.

#include <random>

#include "test/faults/ground.hpp"
#include "test/faults/proxy.hpp"

using namespace pointsman;
using namespace pointsman::faults;
using namespace std::chrono_literals;

namespace {

// All that c1 and w1 say to the broker and to each other goes through proxies; w2 and c2 talk directly.
struct Roads {
  Ground ground;
  Proxy to_clients{ground.clients(), 1};
  Proxy to_workers{ground.workers(), 2};
  std::string bound = free_endpoint();
  Proxy direct{bound, 3};

  Roads() {
    ground.start_watch();
    ground.start_worker("w1", {"slots=2", "work_ms=10", "bind=" + bound, "advertise=" + direct.endpoint()},
                        to_workers.endpoint());
    ground.start_worker("w2", {"slots=2", "work_ms=10"});
    ground.start_client("c1", {"threads=4", "calls=2", "pause_ms=10", "limit_ms=4000"}, to_clients.endpoint());
    ground.start_client("c2", {"threads=4", "calls=2", "pause_ms=10", "limit_ms=4000"});
    REQUIRE(ground.granted("c1", 10));
  }
  std::vector<Proxy*> all() { return {&to_clients, &to_workers, &direct}; }

  // Everybody who talks to w1 may find a session broken; w2's sessions with c2 may not.
  void fault(const std::string& kind) { ground.fault("w1,c1", kind); }
  void healed() {
    for (Proxy* proxy : all()) proxy->set({});
    ground.healed("w1,c1");
  }
  Tally prove() {
    REQUIRE(ground.granted("c1", 10));
    REQUIRE(ground.granted("c2", 10));
    const Tally tally = ground.prove();
    CHECK(tally.lost == 0);
    CHECK(tally.opened_twice == 0);
    return tally;
  }
};

}  // namespace

TEST_CASE("slow and uneven ways with little room change nothing but the time it takes") {
  Roads roads;
  for (Proxy* proxy : roads.all()) proxy->set({.delay = 60ms, .jitter = 60ms, .bytes_per_second = 200'000});
  REQUIRE(roads.ground.granted("c1", 40));
  const Tally tally = roads.prove();
  CHECK(tally.failed == 0);
  CHECK(tally.leases_ended == 0);
}

TEST_CASE("ways that stall for two terms are given up or waited for") {
  Roads roads;
  for (Proxy* proxy : roads.all()) {
    roads.fault("stall");
    proxy->set({.stall = true});
    last(2 * roads.ground.lease());
    roads.healed();
    REQUIRE(roads.ground.granted("c1", 10));
  }
  roads.prove();
}

TEST_CASE("connections that are reset over and over lose no request") {
  Roads roads;
  roads.fault("resets");
  for (int i = 0; i < 20; ++i) {
    roads.all()[static_cast<std::size_t>(i) % 3]->reset();
    last(100ms);
  }
  roads.healed();
  roads.prove();
}

TEST_CASE("connections that break within a message lose no request") {
  Roads roads;
  std::mt19937 chance(5);
  roads.fault("truncation");
  for (int i = 0; i < 12; ++i) {
    Proxy* proxy = roads.all()[static_cast<std::size_t>(i) % 3];
    // The greeting and the handshake are some two hundred bytes; a message is about as long.
    proxy->set(Way::there, {.cut_after = 50 + chance() % 3000});
    proxy->set(Way::back, {.cut_after = 50 + chance() % 3000});
    proxy->reset();
    last(300ms);
    proxy->set({});
  }
  roads.healed();
  roads.prove();
}

TEST_CASE("bytes that vanish one way or the other do no harm") {
  Roads roads;
  for (Proxy* proxy : roads.all()) {
    for (const Way way : {Way::there, Way::back}) {
      roads.fault("black-hole");
      proxy->set(way, {.black_hole = true});
      last(roads.ground.lease());
      // A connection that has lost bytes is of no use: what comes next would be read as something else.
      proxy->reset();
      roads.healed();
    }
    REQUIRE(roads.ground.granted("c1", 5));
  }
  roads.prove();
}

TEST_CASE("a broker that nobody can connect to for a while is found again") {
  Roads roads;
  roads.fault("refused");
  for (Proxy* proxy : roads.all()) proxy->refuse(true), proxy->reset();
  last(2 * roads.ground.lease());
  for (Proxy* proxy : roads.all()) proxy->refuse(false);
  roads.healed();
  roads.prove();
}
