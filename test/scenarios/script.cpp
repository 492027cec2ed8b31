// Plays scenario files and compares them.

#include "test/scenarios/script.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

namespace pointsman::scenarios {
namespace {

constexpr std::string_view indent = "    ";

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

// Cuts the first word off.
std::string_view take_word(std::string_view& rest) {
  const auto end = std::min(rest.find(' '), rest.size());
  const auto first = rest.substr(0, end);
  const auto next = rest.find_first_not_of(' ', end);
  rest = next == std::string_view::npos ? std::string_view() : rest.substr(next);
  return first;
}

bool is_note(std::string_view line) {
  return line.find_first_not_of(' ') == std::string_view::npos || line.front() == '#';
}

// Lets time pass and collects what is said meanwhile.
class Performance {
 public:
  explicit Performance(std::unique_ptr<Stage> stage) : stage_(std::move(stage)) {}

  void tell(std::string_view line, const std::vector<std::string>& notes) {
    std::string_view rest = line;
    if (rest.front() >= '0' && rest.front() <= '9') {
      const auto due = opening + duration_of(take_word(rest));
      if (due < now_) throw ScenarioError("time goes back");
      Told told = told_of(rest);
      if (told.who != "stall") pass(due);
      now_ = due;
      perform(line, notes, told);
    } else {
      perform(line, notes, told_of(rest));
    }
  }

  void note(std::string line) { text_ += std::move(line) + "\n"; }

  // What is due at this very moment is said before the curtain falls.
  void finish() { pass(now_ + Duration(1)); }

  std::string take() { return std::move(text_); }

 private:
  static Told told_of(std::string_view rest) {
    Told told;
    told.who = take_word(rest);
    told.verb = take_word(rest);
    if (told.verb == "by") {
      told.key = take_word(rest);
      told.verb = take_word(rest);
    }
    told.rest = rest;
    return told;
  }

  void perform(std::string_view line, const std::vector<std::string>& notes, const Told& told) {
    for (const auto& n : notes) note(n);
    note(std::string(line));
    if (told.who == "wait") return;
    const auto said = told.who == "stall" ? stage_->elapse(now_) : stage_->tell(now_, told);
    for (const auto& s : said) note(std::string(indent) + s);
  }

  void pass(Instant until) {
    for (int turns = 0; stage_->deadline() < until; ++turns) {
      if (turns > 100'000) throw ScenarioError("the deadline does not move on");
      now_ = std::max(now_, stage_->deadline());
      for (const auto& s : stage_->elapse(now_)) note(std::string(indent) + word_of(now_ - opening) + " " + s);
    }
  }

  std::unique_ptr<Stage> stage_;
  Instant now_ = opening;
  std::string text_;
};

}  // namespace

std::string play(std::string_view text, const Casting& cast) {
  std::optional<Performance> performance;
  std::vector<std::string> notes;
  std::string head;
  std::size_t number = 0;
  for (const auto& line : lines_of(text)) {
    ++number;
    try {
      if (is_note(line)) {
        notes.push_back(line);
      } else if (line.starts_with(indent)) {
        continue;
      } else if (!performance) {
        std::string_view rest = line;
        const auto core = take_word(rest);
        performance.emplace(cast(core, rest));
        for (const auto& n : notes) performance->note(n);
        performance->note(line);
        notes.clear();
      } else {
        performance->tell(line, notes);
        notes.clear();
      }
    } catch (const ScenarioError& error) {
      throw ScenarioError("line " + std::to_string(number) + ": " + error.what() + "\n  " + line);
    }
  }
  if (!performance) throw ScenarioError("no line names the core");
  performance->finish();
  for (const auto& n : notes) performance->note(n);
  return performance->take();
}

std::string difference(const std::string& expected, const std::string& actual) {
  if (expected == actual) return {};
  const auto a = lines_of(expected);
  const auto b = lines_of(actual);
  // Longest common subsequence, from the ends.
  std::vector<std::vector<std::size_t>> common(a.size() + 1, std::vector<std::size_t>(b.size() + 1, 0));
  for (std::size_t i = a.size(); i-- > 0;)
    for (std::size_t j = b.size(); j-- > 0;)
      common[i][j] = a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
  std::string out;
  std::size_t i = 0;
  std::size_t j = 0;
  std::string context;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      context = "  " + a[i] + "\n";
      ++i, ++j;
    } else {
      out += std::exchange(context, {});
      const bool gone = j == b.size() || (i < a.size() && common[i + 1][j] >= common[i][j + 1]);
      out += gone ? "- " + a[i++] + "\n" : "+ " + b[j++] + "\n";
    }
  }
  return out.empty() ? "the texts differ in their last line end\n" : out;
}

Duration duration_of(std::string_view word) {
  static const std::map<std::string_view, double> units{
      {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 6e7}, {"h", 3.6e9}};
  if (word == "forever") return Milliseconds(-1);
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  const auto unit = units.find(word.substr(static_cast<std::size_t>(end - word.data())));
  if (error != std::errc() || unit == units.end())
    throw ScenarioError("'" + std::string(word) + "' is no duration; write 40ms, 1.5s, 2m, 3h or forever");
  return Duration(std::llround(value * unit->second));
}

std::string word_of(Duration duration) {
  const auto count = duration.count();
  if (count % 1'000'000 == 0) return std::to_string(count / 1'000'000) + "s";
  if (count % 1'000 == 0) return std::to_string(count / 1'000) + "ms";
  return std::to_string(count) + "us";
}

}  // namespace pointsman::scenarios
