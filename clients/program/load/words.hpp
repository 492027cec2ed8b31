// What a load test is told in words of its own: times, bounds, rates, laws of service times, faults.
//
// Each parser gives nothing if the text is none. Pure, thread safe. Times are nanoseconds.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "clients/program/load/chance.hpp"

namespace pointsman::load {

using Nanos = std::uint64_t;
inline constexpr Nanos second = 1'000'000'000;
inline constexpr Nanos millisecond = 1'000'000;
inline constexpr Nanos longest = 86'400 * second;  // what can be said

// The number that a text ends with, if it begins with `prefix` and has nothing between.
std::optional<std::uint64_t> number_behind(std::string_view prefix, std::string_view text);

// "200us", "1.5ms", "3s", "2m"; "0". At most a day.
std::optional<Nanos> parse_time(std::string_view text);

// For people: "87.3 us", "1.24 ms", "12.5 s".
std::string shown_time(Nanos time);

// "p99<5ms", "p99.9<20ms", "max<1s".
struct Bound {
  double share = 0;  // 1: the greatest
  Nanos limit = 0;
};
std::optional<Bound> parse_bound(std::string_view text);

// Arrivals a second: "5000", or from the beginning to the end "1000..20000".
struct Rate {
  double from = 0;
  double to = 0;
};
std::optional<Rate> parse_rate(std::string_view text);

// How long work takes: "1ms" always; "exp:1ms" by its mean; "lognormal:1ms:0.5" by its mean and the deviation of its
// logarithm; "bimodal:1ms:50ms:0.02" the first, but the second for that share.
struct Law {
  enum class Kind : std::uint8_t { fixed, exponential, lognormal, bimodal };
  Kind kind = Kind::fixed;
  Nanos time = 0;
  Nanos other = 0;
  double figure = 0;

  Nanos draw(Chance& chance) const;
  bool never() const { return time == 0 && other == 0; }
};
std::optional<Law> parse_law(std::string_view text);

// "3s kill worker", "3s freeze broker for 500ms": at 3 s into the measured time; how long is 1 s without a word.
struct Fault {
  enum class Verb : std::uint8_t { kill, freeze, cut };
  enum class Party : std::uint8_t { worker, broker };
  Nanos at = 0;
  Verb verb = Verb::kill;
  Party party = Party::worker;
  Nanos lasts = second;
  std::string text;  // as it was said
};
std::optional<Fault> parse_fault(std::string_view text);

}  // namespace pointsman::load
