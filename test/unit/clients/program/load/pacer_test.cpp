// Shows that open loops do not wait for answers, that latency counts from when a request was due, and that a ledger
// finds what was lost or doubled.
#include <doctest/doctest.h>

#include <deque>

#include "clients/program/load/ledger.hpp"
#include "clients/program/load/pacer.hpp"

using namespace pointsman::load;

namespace {

// One server on a clock of its own: takes 100 us for each request, but 50 ms for one in a hundred. Whoever asks is
// blocked until it is answered, as a generator with one connection that waits would be.
class Stalling : public Generator {
 public:
  void arrive(Nanos due) override {
    const std::uint64_t number = ledger_->begin(due, now);
    now += number % 100 == 1 ? 50 * millisecond : 100'000;
    ledger_->end(number, End::answered, {}, now);
  }
  void wait(Nanos until) override { now = std::max(now + 1, until); }

  Nanos now = 1'000'000;
};

// A server that answers after a time and takes any number at once.
class Delaying : public Generator {
 public:
  explicit Delaying(Nanos takes) : takes_(takes) {}
  void arrive(Nanos due) override {
    under_way_.push_back({ledger_->begin(due, now), now + takes_});
    most = std::max(most, under_way_.size());
  }
  void wait(Nanos until) override {
    const Nanos next = under_way_.empty() ? until : std::min(until, under_way_.front().second);
    now = std::max(now + 1, next);
    while (!under_way_.empty() && under_way_.front().second <= now) {
      const auto [number, at] = under_way_.front();
      under_way_.pop_front();
      ledger_->end(number, End::answered, {}, at);
      freed(at);
    }
  }

  Nanos now = 1'000'000;
  std::size_t most = 0;

 private:
  const Nanos takes_;
  std::deque<std::pair<std::uint64_t, Nanos>> under_way_;
};

std::optional<Nanos> never_stop(const Paced&) { return UINT64_MAX; }

bool about(Nanos value, Nanos truth) { return value >= truth && value <= truth + truth / 128; }

}  // namespace

TEST_CASE("a stall of one request in a hundred is in p99 from due and would not be in it from sent") {
  Stalling server;
  Pacer pacer(server,
              {.rate = Rate{1000, 1000}, .poisson = false, .most = 1'000'000, .duration = 10 * second},
              [&] { return server.now; });
  const Paced paced = pacer.run(never_stop);
  CHECK(paced.due == 10'000);
  CHECK(paced.behind == 0);
  const Ledger& ledger = server.ledger();
  REQUIRE(ledger.latency().count() == 10'000);
  // A hundred stalls of 50 ms are the last 1 %: p99 is the first request behind a stall. It was due 1 ms after the
  // stalled one and answered 100 us after it.
  CHECK(about(ledger.latency().at(0.99), 49'100'000));
  CHECK(about(ledger.took().at(0.99), 100'000));
  CHECK(ledger.latency().greatest() == 50 * millisecond);
  CHECK(ledger.took().greatest() == 50 * millisecond);
  // 0.9 ms are caught up with each request: 55 of each hundred were late, so the median was, too.
  CHECK(ledger.latency().at(0.5) > millisecond);
  CHECK(about(ledger.took().at(0.5), 100'000));
}

TEST_CASE("arrivals of an open loop do not wait for answers") {
  Delaying server(2 * second);
  Pacer pacer(server,
              {.rate = Rate{100, 100},
               .poisson = false,
               .most = 1'000'000,
               .duration = 5 * second,
               .patience = 10 * second},
              [&] { return server.now; });
  const Paced paced = pacer.run(never_stop);
  CHECK(paced.due == 500);
  CHECK(server.most == 200);
  CHECK(server.ledger().latency().count() == 500);
  CHECK(about(server.ledger().latency().at(0.5), 2 * second));
  CHECK(server.ledger().answered_in_time() == 300);
}

TEST_CASE("arrivals past the bound wait and count from when they were due and those never begun are told") {
  Delaying server(2 * second);
  Pacer pacer(
      server,
      {.rate = Rate{100, 100}, .poisson = false, .most = 50, .duration = 5 * second, .patience = 10 * second},
      [&] { return server.now; });
  const Paced paced = pacer.run(never_stop);
  CHECK(server.most == 50);
  CHECK(paced.due == 500);
  CHECK(paced.behind == 500 - server.ledger().account().made);
  CHECK(server.ledger().account().made == 150);
  // The 51st was due at 0.5 s, begun at 2 s, answered at 4 s.
  CHECK(server.ledger().latency().greatest() >= 3'500 * millisecond);
  CHECK(server.ledger().took().greatest() < 2'100 * millisecond);
}

TEST_CASE("a closed loop keeps its places filled and its warm-up out of the figures") {
  Delaying server(10 * millisecond);
  Pacer pacer(
      server,
      {.places = 4, .warmup = second, .duration = second, .interval = 100 * millisecond, .patience = second},
      [&] { return server.now; });
  const Paced paced = pacer.run(never_stop);
  CHECK(server.most == 4);
  CHECK(server.ledger().account().made == server.ledger().account().answered);
  CHECK(server.ledger().account().made >= 800);
  CHECK(server.ledger().answered_in_time() >= 396);
  CHECK(server.ledger().answered_in_time() <= 404);
  CHECK(server.ledger().latency().count() <= 404);
  const auto points = server.ledger().points(paced.end);
  REQUIRE(points.size() == 10);
  for (const Point& point : points) {
    CHECK(point.answered >= 36);
    CHECK(point.answered <= 44);
    CHECK(about(point.p50, 10 * millisecond));
  }
}

TEST_CASE("a ledger accounts for every request once and finds what was doubled or late") {
  Ledger ledger;
  ledger.measure(0, second, 100 * millisecond);
  const auto first = ledger.begin(0, 0), second_one = ledger.begin(0, 0), third = ledger.begin(5, 6),
             fourth = ledger.begin(7, 7);
  CHECK(ledger.end(first, End::answered, {}, 100));
  CHECK(ledger.end(second_one, End::refused, "queue-full", 120));
  CHECK(ledger.end(third, End::failed, "unanswered", 130));
  CHECK(ledger.account().balanced() == false);  // one is under way
  ledger.close();
  CHECK(ledger.account().balanced());
  CHECK(ledger.account().unfinished == 1);
  CHECK(ledger.account().refused.at("queue-full") == 1);
  CHECK_FALSE(ledger.end(first, End::answered, {}, 140));
  CHECK_FALSE(ledger.end(fourth, End::answered, {}, 140));
  CHECK_FALSE(ledger.end(999, End::answered, {}, 140));
  CHECK(ledger.account().doubled == 3);

  Ledger next(ledger.last());
  CHECK(next.begin(0, 0) == 5);
  CHECK_FALSE(next.end(fourth, End::answered, {}, 1));
  CHECK(next.account().late == 1);
  CHECK(next.account().doubled == 0);
}
