// What no attributes whatever can make true: a walk through the clauses that gathers what they say about each name.
//
// Clauses below one `and` are taken together; of an `or` every branch has to fail, with what is said around it.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "protocol/condition.hpp"

namespace pointsman {

namespace {

template <class T>
bool has(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// What is known of the value of one name. Only matters if the attribute must be there.
struct Fact {
  std::string name;
  bool present = false;
  bool absent = false;
  // As a number: within these, one of those, none of those.
  bool number = true;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;
  bool high_open = false;
  std::optional<std::vector<double>> numbers;
  std::vector<double> not_numbers;
  // As a text or a set of texts: with one of each of these lists, without any of those.
  bool text = true;
  std::vector<std::vector<std::string>> texts;
  std::vector<std::string> not_texts;
  std::vector<std::string> clauses;  // that said so, as they were written

  void at_least(double value, bool open) {
    if (value < low || (value == low && low_open)) return;
    low = value;
    low_open = open;
  }
  void at_most(double value, bool open) {
    if (value > high || (value == high && high_open)) return;
    high = value;
    high_open = open;
  }
  void one_of(const std::vector<double>& values) {
    if (!numbers) numbers = values;
    std::erase_if(*numbers, [&](double n) { return !has(values, n); });
  }
  bool inside(double n) const {
    return (low_open ? n > low : n >= low) && (high_open ? n < high : n <= high) && !has(not_numbers, n);
  }
  bool may_be_number() const {
    if (!number) return false;
    if (numbers) return std::any_of(numbers->begin(), numbers->end(), [&](double n) { return inside(n); });
    return low < high || (low == high && inside(low));
  }
  bool may_be_text() const {
    return text && std::all_of(texts.begin(), texts.end(), [&](const auto& choices) {
             return std::any_of(choices.begin(), choices.end(),
                                [&](const auto& t) { return !has(not_texts, t); });
           });
  }
  bool possible() const { return !present || (!absent && (may_be_number() || may_be_text())); }
};

}  // namespace

class Contradictions {
 public:
  explicit Contradictions(const Condition& condition) : condition_(condition) {}

  // Why what is at `at`, or its negation, cannot be true together with what is known. Empty if it may.
  std::string in(std::size_t at, bool negated, std::vector<Fact> known) const {
    std::vector<Branches> branches;
    std::string why = gather(at, negated, known, branches);
    for (std::size_t i = 0; why.empty() && i < branches.size(); ++i) why = in(branches[i], known);
    return why;
  }

 private:
  using Kind = Condition::Kind;
  using Node = Condition::Node;

  struct Branches {
    std::size_t at;
    bool negated;
  };

  std::string in(const Branches& of, const std::vector<Fact>& known) const {
    const Node& node = condition_.nodes_[of.at];
    std::string first;
    for (std::size_t child = of.at + 1; child < of.at + node.span; child += condition_.nodes_[child].span) {
      const std::string why = in(child, of.negated, known);
      if (why.empty()) return {};
      if (first.empty()) first = why;
    }
    return first;
  }

  std::string gather(std::size_t at, bool negated, std::vector<Fact>& known,
                     std::vector<Branches>& branches) const {
    const Node& node = condition_.nodes_[at];
    if (node.kind == Kind::negation) return gather(at + 1, !negated, known, branches);
    if (node.kind != Kind::any && node.kind != Kind::all) return learn(node, negated, known);
    if ((node.kind == Kind::any) != negated) {
      branches.push_back({at, negated});
      return {};
    }
    for (std::size_t child = at + 1; child < at + node.span; child += condition_.nodes_[child].span) {
      std::string why = gather(child, negated, known, branches);
      if (!why.empty()) return why;
    }
    return {};
  }

  std::string learn(const Node& node, bool negated, std::vector<Fact>& known) const {
    auto found =
        std::find_if(known.begin(), known.end(), [&](const Fact& fact) { return fact.name == node.name; });
    if (found == known.end()) found = known.insert(known.end(), Fact{.name = node.name});
    Fact& fact = *found;
    negated ? deny(node, fact) : affirm(node, fact);
    const std::string clause = (negated ? "not " : "") + condition_.source_of(node);
    if (fact.possible()) {
      fact.clauses.push_back(clause);
      return {};
    }
    std::string why = "`" + clause + "` can never be true";
    for (const std::string& other : fact.clauses)
      why += (&other == fact.clauses.data() ? " together with `" : " and `") + other + "`";
    return why + (node.values.empty() && node.kind == Kind::among && !negated ? ": the set is empty" : "");
  }

  static void affirm(const Node& node, Fact& fact) {
    fact.present = true;
    if (node.kind == Kind::present) return;
    if (node.kind == Kind::among) {
      std::vector<double> numbers;
      std::vector<std::string> texts;
      split(node, numbers, texts);
      fact.number = fact.number && !numbers.empty();
      fact.text = fact.text && !texts.empty();
      fact.one_of(numbers);
      fact.texts.push_back(texts);
    } else if (const auto* text = std::get_if<std::string>(&node.values.front())) {
      fact.number = false;
      if (node.kind == Kind::equal) fact.texts.push_back({*text});
      if (node.kind == Kind::unequal) fact.not_texts.push_back(*text);
    } else {
      fact.text = false;
      bound(node.kind, std::get<double>(node.values.front()), fact);
    }
  }

  // What is not true: the attribute may be absent or of the other kind, or the opposite is true of it.
  static void deny(const Node& node, Fact& fact) {
    if (node.kind == Kind::present) {
      fact.absent = true;
    } else if (node.kind == Kind::among) {
      split(node, fact.not_numbers, fact.not_texts);
    } else if (const auto* text = std::get_if<std::string>(&node.values.front())) {
      if (node.kind == Kind::equal) fact.not_texts.push_back(*text);
      if (node.kind == Kind::unequal) fact.texts.push_back({*text});
    } else {
      bound(opposite(node.kind), std::get<double>(node.values.front()), fact);
    }
  }

  static void split(const Node& node, std::vector<double>& numbers, std::vector<std::string>& texts) {
    for (const Attribute& value : node.values) {
      if (const auto* number = std::get_if<double>(&value)) numbers.push_back(*number);
      if (const auto* text = std::get_if<std::string>(&value)) texts.push_back(*text);
    }
  }

  static Kind opposite(Kind kind) {
    switch (kind) {
      case Kind::equal: return Kind::unequal;
      case Kind::unequal: return Kind::equal;
      case Kind::less: return Kind::at_least;
      case Kind::at_most: return Kind::more;
      case Kind::more: return Kind::at_most;
      default: return Kind::less;
    }
  }

  static void bound(Kind kind, double value, Fact& fact) {
    switch (kind) {
      case Kind::equal: return fact.one_of({value});
      case Kind::unequal: return fact.not_numbers.push_back(value);
      case Kind::less: return fact.at_most(value, true);
      case Kind::at_most: return fact.at_most(value, false);
      case Kind::more: return fact.at_least(value, true);
      default: return fact.at_least(value, false);
    }
  }

  const Condition& condition_;
};

std::string Condition::contradiction() const { return Contradictions(*this).in(0, false, {}); }

}  // namespace pointsman
