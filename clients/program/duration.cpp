// Times and sizes: the numbers are read in decimal by hand, because a double would make 0.3s inexact.

#include "clients/program/duration.hpp"

#include <array>
#include <cstdio>
#include <limits>
#include <utility>

namespace pointsman::program {
namespace {

constexpr std::int64_t second = 1000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;
constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units{
    {{"ms", 1}, {"d", day}, {"h", hour}, {"m", minute}, {"s", second}}};

bool digit(char c) { return c >= '0' && c <= '9'; }

// Takes the digits off the front of `text`, at most so many that no product with a unit overflows.
std::optional<std::int64_t> take_digits(std::string_view& text, std::size_t most = 9) {
  std::int64_t value = 0;
  std::size_t taken = 0;
  while (taken < text.size() && digit(text[taken])) {
    if (taken == most) return std::nullopt;
    value = value * 10 + (text[taken++] - '0');
  }
  if (taken == 0) return std::nullopt;
  text.remove_prefix(taken);
  return value;
}

std::string format(const char* pattern, std::int64_t a, std::int64_t b) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), pattern, static_cast<long long>(a), static_cast<long long>(b));
  return text.data();
}

}  // namespace

std::optional<Milliseconds> parse_duration(std::string_view text) {
  if (text == "forever") return forever;
  if (text == "0") return Milliseconds{0};
  const auto whole = take_digits(text, 11);  // a year in milliseconds
  if (!whole) return std::nullopt;
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const auto start = text;
    if (!take_digits(text)) return std::nullopt;
    fraction = start.substr(0, start.size() - text.size());
  }
  for (const auto& [name, size] : units) {
    if (text != name) continue;
    std::int64_t part = 0;
    std::int64_t scale = 1;
    for (const char c : fraction) {
      part = part * 10 + (c - '0');
      scale *= 10;
    }
    if (part * size % scale != 0) return std::nullopt;
    const std::int64_t total = *whole * size + part * size / scale;
    if (total > static_cast<std::int64_t>(limits::year_ms)) return std::nullopt;
    return Milliseconds{total};
  }
  return std::nullopt;
}

std::string exact(Milliseconds duration) {
  const std::int64_t ms = duration.count();
  if (duration == forever) return "forever";
  if (ms == 0) return "0";
  for (const auto& [name, size] : {std::pair{"d", day}, {"h", hour}, {"m", minute}, {"s", second}}) {
    if (ms % size == 0) return std::to_string(ms / size) + name;
  }
  return std::to_string(ms) + "ms";
}

std::string rough(Milliseconds duration) {
  const std::int64_t ms = duration.count();
  if (duration == forever) return "forever";
  if (ms <= 0) return "-";
  if (ms < second) return std::to_string(ms) + "ms";
  if (ms < 10 * second) return format("%lld.%llds", ms / second, ms % second / 100);
  if (ms < minute) return format("%llds", ms / second, 0);
  if (ms < hour) return format("%lldm%02llds", ms / minute, ms % minute / second);
  if (ms < day) return format("%lldh%02lldm", ms / hour, ms % hour / minute);
  return format("%lldd%02lldh", ms / day, ms % day / hour);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto value = take_digits(text);
  if (!value) return std::nullopt;
  std::uint64_t unit = 1;
  if (text == "K") unit = 1ULL << 10;
  if (text == "M") unit = 1ULL << 20;
  if (text == "G") unit = 1ULL << 30;
  if (unit == 1 && !text.empty()) return std::nullopt;
  return static_cast<std::uint64_t>(*value) * unit;
}

}  // namespace pointsman::program
