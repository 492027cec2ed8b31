// Fuzzes conditions, preferences and attributes: a line of attributes, the rest is a condition or a preference.

#include "protocol/condition.hpp"

#include "protocol/limits.hpp"
#include "protocol/must.hpp"
#include "protocol/preference.hpp"
#include "protocol/utf8.hpp"
#include "test/fuzz/list.hpp"

namespace pointsman::fuzz {

namespace {

void judge(std::string_view text, const Mistake& mistake) {
  MUST(!mistake.problem.empty() && !mistake.remedy.empty());
  MUST(mistake.at <= std::max(text.size(), limits::condition));
  MUST(in_words(text, mistake).starts_with("at character "));
  MUST(pointed_out(text, mistake).ends_with('^'));
}

// What was read is written and read again as the same, and means the same.
void judge(const Condition& condition, const Attributes& attributes) {
  const bool truth = condition.holds(attributes);
  // Units and quotes may make the one way to write it longer than what may be read.
  if (condition.text().size() <= limits::condition) {
    const auto again = Condition::parse(condition.text());
    MUST(std::holds_alternative<Condition>(again));
    MUST(std::get<Condition>(again).text() == condition.text());
    MUST(std::get<Condition>(again).holds(attributes) == truth);
  }
  MUST(condition.why_not(attributes).empty() == truth);
  MUST(is_utf8(condition.text()) && is_utf8(condition.why_not(attributes)));
  if (!condition.contradiction().empty()) MUST(!truth && !condition.holds({}));
  bool all = true;
  for (std::size_t i = 0; i < condition.clauses(); ++i) {
    MUST(!condition.clause(i).empty());
    all = all && condition.holds_clause(i, attributes);
  }
  MUST(all == truth);
}

}  // namespace

void run_condition(std::string_view input) {
  const std::size_t line = input.find('\n');
  const std::string_view text = line == std::string_view::npos ? input : input.substr(line + 1);
  Attributes attributes;
  if (add_attributes(line == std::string_view::npos ? std::string_view() : input.substr(0, line), attributes)
          .empty()) {
    Attributes again;
    MUST(add_attributes(shown(attributes), again).empty());
    MUST(again == attributes);
  }
  MUST(attributes.size() <= limits::attributes && attributes.bytes() <= limits::attributes_bytes);
  const auto condition = Condition::parse(text);
  if (const auto* mistake = std::get_if<Mistake>(&condition))
    judge(text, *mistake);
  else
    judge(std::get<Condition>(condition), attributes);
  const auto preference = Preference::parse(text);
  if (const auto* mistake = std::get_if<Mistake>(&preference)) return judge(text, *mistake);
  const auto& wishes = std::get<Preference>(preference);
  if (wishes.text().size() > limits::condition) return;
  const auto again = Preference::parse(wishes.text());
  MUST(std::holds_alternative<Preference>(again));
  MUST(std::get<Preference>(again).text() == wishes.text());
  MUST(std::get<Preference>(again).rank(attributes) == wishes.rank(attributes));
}

std::vector<std::string> condition_seeds() {
  return {"gpu=h200 mem=64G region={eu, us}\ngpu == \"h200\" and mem >= 64G and region in {eu, us}",
          "a=1\nnot (a == 1 or has b) and c != \"x y\"",
          "a=\"\\\"\" b={} c=-1.5Ki\na < 3 and a > 5 or b in {} and not c <= -1.5Ki",
          "mem=1\nregion == eu; +mem; -price",
          "a=1e-5 b=9007199254740991\n((a>=0.00001)) and b==9007199254740991",
          "\nnot not not has \xc3\xbc",
          "x={\"a, b\", c}\nx == \"a, b\" and x != d",
          "a = 1"};
}

}  // namespace pointsman::fuzz
