// The waiting line against a sorted list: order, positions and walks, with requests that leave from anywhere.
#include "broker/core/line.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "broker/core/chance.hpp"
#include "broker/core/records.hpp"

namespace pointsman::broker {

namespace {

using namespace std::chrono_literals;

TEST_CASE("a line is in order whoever comes and leaves") {
  for (const Duration wanted : {Duration(0), Duration(3ms)}) {
    Duration aging = wanted;
    Line line(aging);
    Chance chance(7);
    std::vector<std::unique_ptr<Asked>> waiting;
    std::uint64_t arrivals = 0;
    const auto leave = [&](std::size_t at) {
      line.erase(*waiting[at]);
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
    };
    const auto check = [&] {
      line.check();
      std::sort(waiting.begin(), waiting.end(),
                [&](const auto& a, const auto& b) { return line.turn_of(*a) < line.turn_of(*b); });
      REQUIRE(line.size() == waiting.size());
      const std::size_t from = waiting.empty() ? 0 : chance.below(waiting.size());
      Line::Walk walk = line.walk(from);
      for (std::size_t i = from; i < waiting.size(); ++i) {
        REQUIRE(walk.next() == waiting[i].get());
        REQUIRE(line.order_of(*waiting[i]) == i);
        REQUIRE(line.before(line.turn_of(*waiting[i])) == i);
      }
      REQUIRE(walk.next() == nullptr);
    };
    // It grows, then shrinks, twice, so that rows are packed and made small again.
    for (int turn = 0; turn < 4; ++turn) {
      for (int i = 0; i < 3000; ++i) {
        if (chance.below(10) < (turn % 2 == 0 ? 7U : 2U)) {
          auto asked = std::make_unique<Asked>();
          asked->priority =
              static_cast<std::uint8_t>(chance.below(3) * chance.below(limits::priority / 2 + 1));
          asked->arrived = Instant(10s) + arrivals * 100us;
          asked->arrival = ++arrivals;
          line.append(*asked);
          waiting.push_back(std::move(asked));
        } else if (!waiting.empty()) {
          leave(chance.below(3) == 0 ? 0 : chance.below(waiting.size()));
        }
        if (i % 500 == 0) check();
      }
      // What a step of priority is worth counts for those who wait already, too.
      aging = wanted / (turn + 1);
    }
    while (!waiting.empty()) leave(waiting.size() - 1);
    check();
  }
}

TEST_CASE("a line that requests of another were put into is in order once it is sorted") {
  const Duration aging{0};
  Line from(aging), to(aging);
  std::vector<std::unique_ptr<Asked>> waiting;
  for (std::uint64_t i = 1; i <= 500; ++i) {
    auto asked = std::make_unique<Asked>();
    asked->priority = static_cast<std::uint8_t>(i % 3);
    asked->arrived = Instant(10s) + i * 100us;
    asked->arrival = i;
    (i % 2 == 0 ? from : to).append(*asked);
    waiting.push_back(std::move(asked));
  }
  for (const auto& asked : waiting) {
    if (asked->arrival % 2 != 0) continue;
    from.erase(*asked);
    asked->priority = 1;
    to.append(*asked);
  }
  to.sort();
  to.check();
  CHECK(from.empty());
  CHECK(to.size() == 500);
  Line::Walk walk = to.walk();
  for (const auto& asked : waiting) CHECK(walk.next() == asked.get());
}

}  // namespace

}  // namespace pointsman::broker
