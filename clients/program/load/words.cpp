// The small languages of a load test.

#include "clients/program/load/words.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <vector>

namespace pointsman::load {
namespace {

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < 0)
    return {};
  return value;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::optional<std::uint64_t> number_behind(std::string_view prefix, std::string_view text) {
  if (!text.starts_with(prefix)) return {};
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + prefix.size(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return {};
  return number;
}

std::optional<Nanos> parse_time(std::string_view text) {
  if (text == "0") return 0;
  struct Unit {
    std::string_view name;
    Nanos nanos;
  };
  // The longer name first: "ms" ends in "s".
  constexpr std::array<Unit, 6> units{{{"ns", 1},
                                       {"us", 1000},
                                       {"ms", millisecond},
                                       {"s", second},
                                       {"m", 60 * second},
                                       {"h", 3600 * second}}};
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.name)) continue;
    const auto number = parse_number(text.substr(0, text.size() - unit.name.size()));
    if (!number) return {};
    const double nanos = *number * static_cast<double>(unit.nanos);
    if (nanos > static_cast<double>(longest)) return {};
    return static_cast<Nanos>(std::llround(nanos));
  }
  return {};
}

std::string shown_time(Nanos time) {
  const auto value = static_cast<double>(time);
  const auto [scale, unit] = value < 1e6   ? std::pair(1e3, "us")
                             : value < 1e9 ? std::pair(1e6, "ms")
                                           : std::pair(1e9, "s");
  const double scaled = value / scale;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(),
                scaled < 10    ? "%.2f %s"
                : scaled < 100 ? "%.1f %s"
                               : "%.0f %s",
                scaled, unit);
  return text.data();
}

std::optional<Bound> parse_bound(std::string_view text) {
  const auto parts = split(text, '<');
  if (parts.size() != 2) return {};
  const auto limit = parse_time(parts[1]);
  if (!limit || *limit == 0) return {};
  if (parts[0] == "max") return Bound{1, *limit};
  if (!parts[0].starts_with('p')) return {};
  const auto percent = parse_number(parts[0].substr(1));
  if (!percent || *percent <= 0 || *percent > 100) return {};
  return Bound{*percent / 100, *limit};
}

std::optional<Rate> parse_rate(std::string_view text) {
  constexpr double most = 10'000'000;
  const std::size_t dots = text.find("..");
  const auto from = parse_number(text.substr(0, dots));
  const auto to = dots == std::string_view::npos ? from : parse_number(text.substr(dots + 2));
  if (!from || !to || *from <= 0 || *to <= 0 || *from > most || *to > most) return {};
  return Rate{*from, *to};
}

Nanos Law::draw(Chance& chance) const {
  const auto mean = static_cast<double>(time);
  double drawn = mean;
  switch (kind) {
    case Kind::fixed: return time;
    case Kind::exponential: drawn = mean * chance.exponential(); break;
    case Kind::lognormal: drawn = mean * std::exp(figure * chance.normal() - figure * figure / 2); break;
    case Kind::bimodal: return chance.share() <= figure ? other : time;
  }
  return static_cast<Nanos>(std::min(drawn, static_cast<double>(longest)));
}

std::optional<Law> parse_law(std::string_view text) {
  const auto parts = split(text, ':');
  Law law;
  const auto time_at = [&](std::size_t i, Nanos& into) {
    const auto time = i < parts.size() ? parse_time(parts[i]) : std::nullopt;
    if (time) into = *time;
    return time.has_value();
  };
  const auto figure_at = [&](std::size_t i, double most) {
    const auto number = i < parts.size() ? parse_number(parts[i]) : std::nullopt;
    if (number) law.figure = *number;
    return number && *number <= most;
  };
  bool good = false;
  if (parts[0] == "exp") {
    law.kind = Law::Kind::exponential;
    good = parts.size() == 2 && time_at(1, law.time);
  } else if (parts[0] == "lognormal") {
    law.kind = Law::Kind::lognormal;
    good = parts.size() == 3 && time_at(1, law.time) && figure_at(2, 5);
  } else if (parts[0] == "bimodal") {
    law.kind = Law::Kind::bimodal;
    good = parts.size() == 4 && time_at(1, law.time) && time_at(2, law.other) && figure_at(3, 1);
  } else {
    good = parts.size() == 1 && time_at(0, law.time);
  }
  if (!good) return {};
  return law;
}

std::optional<Fault> parse_fault(std::string_view text) {
  std::vector<std::string_view> words;
  for (const auto word : split(text, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  if (words.size() != 3 && words.size() != 5) return {};
  Fault fault{.text = std::string(text)};
  const auto at = parse_time(words[0]);
  if (!at) return {};
  fault.at = *at;
  if (words[1] == "kill" || words[1] == "restart") {
    fault.verb = Fault::Verb::kill;
    if (words[1] == "restart") fault.lasts = 0;
  } else if (words[1] == "freeze") {
    fault.verb = Fault::Verb::freeze;
  } else if (words[1] == "cut") {
    fault.verb = Fault::Verb::cut;
  } else {
    return {};
  }
  if (words[2] == "worker") {
    fault.party = Fault::Party::worker;
  } else if (words[2] == "broker") {
    fault.party = Fault::Party::broker;
  } else {
    return {};
  }
  if (words.size() == 5) {
    const auto lasts = parse_time(words[4]);
    if (words[3] != "for" || !lasts) return {};
    fault.lasts = *lasts;
  }
  return fault;
}

}  // namespace pointsman::load
