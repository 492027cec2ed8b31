// Shows that histograms, arrivals, laws, searches and words are what they say, by figures known otherwise.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "clients/program/load/arrivals.hpp"
#include "clients/program/load/histogram.hpp"
#include "clients/program/load/search.hpp"
#include "clients/program/load/words.hpp"

using namespace pointsman::load;

TEST_CASE("a histogram is exact below 128 and at most 1/128 above the truth beyond") {
  Chance chance(7);
  for (int power = 0; power < 63; ++power) {
    for (int i = 0; i < 50; ++i) {
      const std::uint64_t value = (std::uint64_t{1} << power) + chance.number() % (std::uint64_t{1} << power);
      const std::uint64_t end = Histogram::upper_end(Histogram::bucket_of(value));
      CHECK(end >= value);
      CHECK(static_cast<double>(end - value) <= static_cast<double>(value) * Histogram::error);
      if (value < 128) CHECK(end == value);
      CHECK(Histogram::bucket_of(end) == Histogram::bucket_of(value));
      CHECK(Histogram::bucket_of(end + 1) == Histogram::bucket_of(value) + 1);
    }
  }
}

TEST_CASE("percentiles are those of the sorted values within the stated error") {
  Chance chance(11);
  std::vector<std::uint64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<std::uint64_t>(50'000 * std::exp(1.5 * chance.normal())));
    histogram.add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const std::uint64_t truth = values[static_cast<std::size_t>(std::ceil(share * 20'000 - 1e-6)) - 1];
    CHECK(histogram.at(share) >= truth);
    CHECK(static_cast<double>(histogram.at(share) - truth) <= static_cast<double>(truth) / 128);
  }
  CHECK(histogram.at(1) == values.back());
  CHECK(histogram.least() == values.front());
  CHECK(histogram.count() == 20'000);
}

TEST_CASE("a percentile of a hundred values is the one whose rank it names") {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.add(value);
  CHECK(histogram.at(0.5) == 50);
  CHECK(histogram.at(0.99) == 99);
  CHECK(histogram.at(0.991) == 100);
  CHECK(histogram.at(0) == 1);
  CHECK(histogram.mean() == doctest::Approx(50.5));
  CHECK(Histogram().at(0.5) == 0);
}

TEST_CASE("two histograms added are the one of all values") {
  Histogram odd, even, all;
  for (std::uint64_t value = 1; value < 5000; ++value) {
    (value % 2 == 0 ? even : odd).add(value * 37);
    all.add(value * 37);
  }
  odd.add(even);
  CHECK(odd.buckets() == all.buckets());
  CHECK(odd.sum() == all.sum());
  CHECK(odd.greatest() == all.greatest());
}

TEST_CASE("even arrivals come at the rate and a ramp at the times that its integral says") {
  Arrivals even({1000, 1000}, second, false, 1);
  for (std::uint64_t i = 0; i < 1000; ++i) CHECK(even.next() == i * millisecond);
  CHECK_FALSE(even.next());

  // 100 to 300 a second over 10 s: n = 100 t + 10 t^2, so the 600th after the first is at t = -5 + sqrt(85).
  Arrivals ramp({100, 300}, 10 * second, false, 1);
  std::vector<Nanos> times;
  while (const auto due = ramp.next()) times.push_back(*due);
  CHECK(times.size() == 2000);
  CHECK(static_cast<double>(times[600]) == doctest::Approx((std::sqrt(85.0) - 5) * 1e9));
  CHECK(std::is_sorted(times.begin(), times.end()));

  Arrivals falling({300, 100}, 10 * second, false, 1);
  std::size_t count = 0;
  while (falling.next()) ++count;
  CHECK(count == 2000);
}

TEST_CASE("arrivals in bursts have the rate, and each burst is due at one moment") {
  Arrivals bursts({1000, 1000}, second, false, 1, 50);
  for (std::uint64_t i = 0; i < 1000; ++i) CHECK(bursts.next() == i / 50 * 50 * millisecond);
  CHECK_FALSE(bursts.next());
  Arrivals random({10'000, 10'000}, 10 * second, true, 1, 10);
  std::size_t count = 0;
  std::set<Nanos> moments;
  for (; const auto due = random.next(); ++count) moments.insert(*due);
  CHECK(moments.size() * 10 == count);
  CHECK(std::abs(static_cast<double>(moments.size()) - 10'000) < 4 * std::sqrt(10'000.0));
}

TEST_CASE("poisson arrivals have the mean and the variance of their process and repeat with their seed") {
  const auto gaps_of = [](std::uint64_t seed) {
    Arrivals arrivals({10'000, 10'000}, 10 * second, true, seed);
    std::vector<double> gaps;
    Nanos last = 0;
    while (const auto due = arrivals.next()) {
      gaps.push_back(static_cast<double>(*due - last));
      last = *due;
    }
    return gaps;
  };
  const auto gaps = gaps_of(3);
  double mean = 0, square = 0;
  for (const double gap : gaps) mean += gap / static_cast<double>(gaps.size());
  for (const double gap : gaps) square += (gap - mean) * (gap - mean) / static_cast<double>(gaps.size());
  // 100,000 of them: a count and a mean within four deviations; exponential gaps deviate by their mean.
  CHECK(std::abs(static_cast<double>(gaps.size()) - 100'000) < 4 * std::sqrt(100'000.0));
  CHECK(std::sqrt(square) == doctest::Approx(mean).epsilon(0.02));
  CHECK(gaps == gaps_of(3));
  CHECK(gaps != gaps_of(4));
}

TEST_CASE("laws of service time have their mean and their tail") {
  const auto draw = [](const char* text) {
    const auto law = parse_law(text);
    REQUIRE(law);
    Chance chance(5);
    std::vector<double> drawn;
    for (int i = 0; i < 100'000; ++i) drawn.push_back(static_cast<double>(law->draw(chance)));
    return drawn;
  };
  const auto mean = [](const std::vector<double>& of) {
    double sum = 0;
    for (const double value : of) sum += value;
    return sum / static_cast<double>(of.size());
  };
  CHECK(mean(draw("250us")) == 250'000);
  CHECK(mean(draw("exp:1ms")) == doctest::Approx(1e6).epsilon(0.02));
  CHECK(mean(draw("lognormal:1ms:0.5")) == doctest::Approx(1e6).epsilon(0.02));
  const auto two = draw("bimodal:1ms:50ms:0.02");
  const auto long_ones = std::count(two.begin(), two.end(), 50e6);
  CHECK(std::abs(static_cast<double>(long_ones) - 2000) < 4 * std::sqrt(2000.0));
  CHECK(std::count(two.begin(), two.end(), 1e6) + long_ones == 100'000);
  // Of a lognormal law half is above exp(-s^2/2) of its mean.
  auto log = draw("lognormal:1ms:1");
  std::nth_element(log.begin(), log.begin() + 50'000, log.end());
  CHECK(log[50'000] == doctest::Approx(1e6 * std::exp(-0.5)).epsilon(0.02));
}

TEST_CASE("a search finds the highest rate that holds to its closeness from anywhere") {
  for (const double truth : {3.0, 750.0, 41'234.0, 2'000'000.0}) {
    for (const double start : {1.0, 1000.0, 5'000'000.0}) {
      Search search(start);
      int tries = 0;
      while (!search.done()) {
        REQUIRE(++tries < 60);
        search.tried(search.rate() <= truth);
      }
      CHECK(search.best() <= truth);
      CHECK(search.best() * Search::closeness >= truth);
    }
  }
  Search never(1000);
  while (!never.done()) never.tried(false);
  CHECK(never.best() == 0);
  Search always(1000);
  while (!always.done()) always.tried(true);
  CHECK(always.best() == Search::most);
}

TEST_CASE("words are read or turned down") {
  CHECK(parse_time("200us") == 200'000);
  CHECK(parse_time("1.5ms") == 1'500'000);
  CHECK(parse_time("2m") == 120 * second);
  CHECK(parse_time("0") == 0);
  for (const char* text : {"", "5", "ms", "-1s", "1e99s", "3 s", "25h", "nans", "1s2"})
    CHECK_FALSE(parse_time(text));

  const auto bound = parse_bound("p99.9<20ms");
  REQUIRE(bound);
  CHECK(bound->share == doctest::Approx(0.999));
  CHECK(bound->limit == 20 * millisecond);
  CHECK(parse_bound("max<1s")->share == 1);
  for (const char* text : {"", "p99", "p99<", "p0<1s", "p101<1s", "q9<1s", "p99<0", "p99>1s"})
    CHECK_FALSE(parse_bound(text));

  CHECK(parse_rate("1000..20000")->to == 20'000);
  CHECK(parse_rate("0.5")->from == 0.5);
  for (const char* text : {"", "0", "-5", "1..", "..5", "1e9", "5/s"}) CHECK_FALSE(parse_rate(text));

  for (const char* text :
       {"", "exp", "exp:", "exp:1ms:2", "lognormal:1ms", "lognormal:1ms:9", "bimodal:1ms:2ms:1.5", "1"}) {
    CHECK_FALSE(parse_law(text));
  }

  const auto fault = parse_fault("3s freeze broker for 500ms");
  REQUIRE(fault);
  CHECK(fault->at == 3 * second);
  CHECK(fault->verb == Fault::Verb::freeze);
  CHECK(fault->party == Fault::Party::broker);
  CHECK(fault->lasts == 500 * millisecond);
  CHECK(parse_fault("1s kill worker")->lasts == second);
  CHECK(parse_fault("1s restart broker")->lasts == 0);
  for (const char* text :
       {"", "kill worker", "3s kill", "3s kill everybody", "3s hit worker", "3s cut worker for",
        "x kill worker", "3s cut worker for x", "3s cut worker over 2s"}) {
    CHECK_FALSE(parse_fault(text));
  }
  CHECK(number_behind("a-", "a-17") == 17);
  for (const char* text : {"a-", "a-1x", "b-1", "a--1"}) CHECK_FALSE(number_behind("a-", text));
}
