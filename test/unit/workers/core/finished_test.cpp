// Finished calls against a plain set of numbers, and its bound.

#include "workers/core/finished.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

using pointsman::workers::Finished;
using pointsman::workers::finished_ranges;

TEST_CASE("finished calls are the numbers that were added, in whatever order") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    Finished finished;
    std::set<std::uint64_t> numbers;
    for (int i = 0; i < 100; ++i) {
      const std::uint64_t number = random() % 100 + 1;
      finished.add(number);
      numbers.insert(number);
      for (std::uint64_t asked = 0; asked <= 102; ++asked) REQUIRE(finished.contains(asked) == numbers.contains(asked));
    }
    std::size_t ranges = 0;
    for (const std::uint64_t number : numbers) ranges += !numbers.contains(number - 1);
    CHECK(finished.ranges() == ranges);
  }
}

TEST_CASE("finished calls that are counted up take one range") {
  Finished finished;
  for (std::uint64_t number = 1; number <= 100'000; ++number) finished.add(number);
  CHECK(finished.ranges() == 1);
  CHECK(finished.contains(1));
  CHECK_FALSE(finished.contains(100'001));
}

TEST_CASE("finished calls keep the highest ranges") {
  Finished finished;
  for (std::uint64_t i = 1; i <= finished_ranges + 1; ++i) finished.add(10 * i);
  CHECK(finished.ranges() == finished_ranges);
  CHECK_FALSE(finished.contains(10));
  CHECK(finished.contains(20));
  CHECK(finished.contains(10 * (finished_ranges + 1)));
}
