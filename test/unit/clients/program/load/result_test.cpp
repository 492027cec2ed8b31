// Shows that results survive their files, that comparisons say what the textbook says, and that pictures are whole.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "clients/program/load/chance.hpp"
#include "clients/program/load/comparison.hpp"
#include "clients/program/load/errand.hpp"
#include "clients/program/load/picture.hpp"
#include "clients/program/load/result.hpp"

using namespace pointsman::load;

namespace {

Result example(double factor = 1, std::uint64_t seed = 1) {
  Result result;
  result.version = "0.1.0";
  result.machine = "2 x \"quoted\" <processor>";
  result.started = 1'700'000'000;
  result.parameters = {{"kind", "hand-offs"}, {"rate", "1000"}, {"duration", "5s"}};
  result.seconds = 5;
  result.interval = 0.1;
  Chance chance(seed);
  for (int i = 0; i < 50; ++i) {
    Histogram of_interval;
    for (int k = 0; k < 100; ++k) {
      const auto took = static_cast<std::uint64_t>(factor * 80'000 * std::exp(0.4 * chance.normal()));
      of_interval.add(took);
      result.latency.add(took);
      result.took.add(took - 5);
    }
    result.points.push_back(
        {100, i == 7 ? 3U : 0U, of_interval.at(0.5), of_interval.at(0.99), of_interval.greatest()});
  }
  result.account = {
      .made = 5004, .answered = 5000, .refused = {{"queue-full", 3}}, .failed = {{"unanswered", 1}}};
  result.answered_in_time = 5000;
  result.bytes = 77;
  result.repeats = {{1000.5, 80'000, 200'000}};
  result.steps = {{1000, true, 81'000, 999.5}, {2000, false, 6'000'000, 1700}};
  result.happenings = {{2.5, "broker killed"}};
  result.checks = {{"nothing is answered twice", true, "0 doubled"}, {"a \"check\"", false, "1 & 2"}};
  result.bound = "p99<5ms";
  result.missed = true;
  result.cpu = {1.5e6, -1, 2e5};
  return result;
}

}  // namespace

TEST_CASE("a result is the same after its file") {
  const Result before = example();
  const auto read = result_from(json_of(before));
  REQUIRE_MESSAGE(std::holds_alternative<Result>(read),
                  (std::holds_alternative<std::string>(read) ? std::get<std::string>(read) : ""));
  const Result& after = std::get<Result>(read);
  CHECK(json_of(after) == json_of(before));
  CHECK(table_of(after) == table_of(before));
  CHECK(picture_of(after) == picture_of(before));
  CHECK(after.latency.at(0.99) == before.latency.at(0.99));
  CHECK(after.account.refused == before.account.refused);
  CHECK_FALSE(after.good());
}

TEST_CASE("what is no result is told as such") {
  for (const std::string text :
       {"", "{", "[]", "{}", "{\"format\":\"other\"}", "{\"format\":\"pointsman-load-1\"}"}) {
    CHECK_MESSAGE(std::holds_alternative<std::string>(result_from(text)), text);
  }
  // Any one thing taken away or changed is found.
  const std::string whole = json_of(example());
  for (const char* name : {"\"latency\"", "\"points\"", "\"account\"", "\"checks\"", "\"buckets\""}) {
    std::string damaged = whole;
    damaged.replace(damaged.find(name) + 1, 1, "X");
    CHECK_MESSAGE(std::holds_alternative<std::string>(result_from(damaged)), name);
  }
  std::string damaged = whole;
  damaged.replace(damaged.find("\"count\":5000"), 12, "\"count\":5001");
  CHECK(std::get<std::string>(result_from(damaged)) == "the buckets in it do not add up");
}

TEST_CASE("the table names every figure and what was violated") {
  const std::string table = table_of(example());
  for (const char* part :
       {"p99.99", "5,004 made = 5,000 answered + 3 refused (queue-full 3) + 1 failed (unanswered 1)",
        "VIOLATED", "p99<5ms: MISSED", "broker killed", "1,000 a second over 5.0 s"}) {
    CHECK_MESSAGE(table.find(part) != std::string::npos, part);
  }
  const std::string csv = csv_of(example());
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 51);
  CHECK(csv.find("0.700,1000.0,30.0,") != std::string::npos);
}

TEST_CASE("student's t has the quantiles of the tables") {
  CHECK(student_quantile(0.975, 1) == doctest::Approx(12.7062047));
  CHECK(student_quantile(0.975, 2) == doctest::Approx(4.30265273));
  CHECK(student_quantile(0.975, 5) == doctest::Approx(2.57058184));
  CHECK(student_quantile(0.975, 10) == doctest::Approx(2.22813885));
  CHECK(student_quantile(0.975, 30) == doctest::Approx(2.04227246));
  CHECK(student_quantile(0.995, 10) == doctest::Approx(3.16927267));
  CHECK(student_quantile(0.975, 1e9) == doctest::Approx(1.95996398));
}

TEST_CASE("welch's interval is that of the formula") {
  // From the formulas, by another program: means and variances of the logarithms, 5.61 degrees of freedom.
  const std::vector<double> a{1.0, 1.1, 0.9, 1.05, 0.95}, b{2.0, 2.3, 1.8, 2.1};
  const Ratio ratio = ratio_of(a, b, false);
  const double between = 0.7164557714959603, variance = 0.00125824164503708 + 0.002607042393106053,
               freedom = 5.613851030726729;
  const double margin = student_quantile(0.975, freedom) * std::sqrt(variance);
  CHECK(ratio.value == doctest::Approx(std::exp(between)).epsilon(1e-6));
  CHECK(ratio.low == doctest::Approx(std::exp(between - margin)).epsilon(1e-6));
  CHECK(ratio.high == doctest::Approx(std::exp(between + margin)).epsilon(1e-6));
  CHECK(ratio.differs());
  CHECK_FALSE(ratio_of(a, a, false).differs());
  CHECK_FALSE(ratio_of(std::vector<double>{1}, b, false).known);
}

TEST_CASE("of samples of one law 95 intervals in a hundred hold the truth") {
  Chance chance(17);
  int held = 0;
  constexpr int times = 2000;
  for (int i = 0; i < times; ++i) {
    std::vector<double> a, b;
    for (int k = 0; k < 8; ++k) a.push_back(std::exp(0.1 * chance.normal()));
    for (int k = 0; k < 12; ++k) b.push_back(1.5 * std::exp(0.3 * chance.normal()));
    const Ratio ratio = ratio_of(a, b, false);
    held += ratio.low <= 1.5 && 1.5 <= ratio.high ? 1 : 0;
  }
  // Four deviations of a binomial count around 95 %.
  CHECK(std::abs(held - times * 0.95) < 4 * std::sqrt(times * 0.95 * 0.05));
}

TEST_CASE("neighbours that hang together count for less") {
  Chance chance(23);
  std::vector<double> series;
  double value = 0;
  for (int i = 0; i < 20'000; ++i) {
    value = 0.6 * value + chance.normal();
    series.push_back(value);
  }
  CHECK(correlation_of_neighbours(series) == doctest::Approx(0.6).epsilon(0.03));
  std::vector<double> a, b;
  for (int i = 0; i < 200; ++i) a.push_back(std::exp(0.1 * series[static_cast<std::size_t>(i)]));
  for (int i = 200; i < 400; ++i) b.push_back(std::exp(0.1 * series[static_cast<std::size_t>(i)]));
  const Ratio alone = ratio_of(a, b, false), together = ratio_of(a, b, true);
  // Of 0.6 the margin is sqrt(1.6/0.4) = 2 times as wide.
  const double wider = std::log(together.high / together.low) / std::log(alone.high / alone.low);
  CHECK(wider > 1.6);
  CHECK(wider < 2.4);
}

TEST_CASE("results that differ are told apart and others are not") {
  const Result a = example(1, 1), b = example(1, 2), slow = example(1.3, 3);
  CHECK_FALSE(compare(a, b).p50.differs());
  const Comparison comparison = compare(a, slow);
  CHECK_FALSE(comparison.by_repeats);
  REQUIRE(comparison.p50.differs());
  CHECK(comparison.p50.low < 1.3);
  CHECK(comparison.p50.high > 1.3);
  CHECK(told(comparison, a, slow).find("Median latency: they differ; B has") != std::string::npos);
  CHECK(told(compare(a, b), a, b).find("Median latency: no difference is shown") != std::string::npos);

  Result many = a, more = a;
  many.repeats = {{1000, 80'000, 200'000}, {1010, 81'000, 210'000}, {990, 79'000, 190'000}};
  more.repeats = {{1100, 80'000, 200'000}, {1110, 81'000, 210'000}, {1090, 79'000, 190'000}};
  const Comparison repeats = compare(many, more);
  CHECK(repeats.by_repeats);
  CHECK(repeats.rate.differs());
  CHECK_FALSE(repeats.p50.differs());
}

TEST_CASE("what was not measured alike is named") {
  const Result a = example();
  Result b = a;
  CHECK(unlike(a, b).empty());
  b.parameters[1].second = "2000";
  b.parameters.emplace_back("faults", "3s kill worker");
  CHECK(unlike(a, b) ==
        std::vector<std::string>{"rate: 1000 and 2000", "faults: nothing and 3s kill worker"});
  CHECK(unlike(b, a) ==
        std::vector<std::string>{"rate: 2000 and 1000", "faults: 3s kill worker and nothing"});
}

TEST_CASE("a picture has its panels and lines whatever was measured") {
  Result empty;
  empty.interval = 1;
  for (const Result& result : {example(), empty}) {
    const std::string svg = picture_of(result);
    CHECK(svg.starts_with("<svg xmlns="));
    CHECK(svg.ends_with("</svg>\n"));
    for (const char* part :
         {"Latency over time", "Answers a second", "Latency by percentile", "seconds", "99.9"}) {
      if (std::string(part) == "99.9" && result.latency.count() == 0) continue;
      CHECK_MESSAGE(svg.find(part) != std::string::npos, part);
    }
    CHECK(svg.find("nan") == std::string::npos);
    CHECK(svg.find("inf") == std::string::npos);
  }
  CHECK(picture_of(example()).find("broker killed") != std::string::npos);
}

TEST_CASE("an errand is read back and only its own answer is its answer") {
  const Errand errand{.number = 12, .parts = 3, .bytes = 10};
  const auto read = read_errand(write_errand(errand, 100));
  REQUIRE(read);
  CHECK(read->number == 12);
  CHECK(read->parts == 3);
  CHECK(read->bytes == 10);
  const pointsman::Payload answer(3, part_of(errand));
  CHECK(is_answer(answer, errand));
  CHECK_FALSE(is_answer(pointsman::Payload(2, part_of(errand)), errand));
  CHECK_FALSE(is_answer(answer, {.number = 1, .parts = 3, .bytes = 10}));
  CHECK_FALSE(is_answer(answer, {.number = 12, .parts = 3, .bytes = 11}));
  CHECK_FALSE(read_errand({"hello"}));
  CHECK_FALSE(read_errand({}));
}
