// Condition: what a request wants of a worker's attributes, or a worker of a client's, as people write it.
//
//   gpu == h200 and mem >= 64G and region in {eu, us}
//   not (zone == test) and (has licence or tenant == "in house")
//
// The grammar, and what is true of which attributes, is in PROTOCOL.md, "Attributes and conditions". In short: a
// comparison with what is not there, or is of another kind, is false; a set is what any of its texts is. Plain values;
// evaluating never fails and allocates nothing. Thread safe when const.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/attributes.hpp"

namespace pointsman {

// What is wrong with a text that is no condition, or no preference.
struct Mistake {
  std::size_t at = 0;  // the byte where it is
  std::string problem;
  std::string remedy;
};

// "at character 7: …"; and the text with a caret below that character, on two lines.
std::string in_words(std::string_view text, const Mistake& mistake);
std::string pointed_out(std::string_view text, const Mistake& mistake);

class Condition {
 public:
  static std::variant<Condition, Mistake> parse(std::string_view text);

  // The one way to write it: equal for conditions that differ in spaces, quotes, units and parentheses only.
  const std::string& text() const { return text_; }

  bool holds(const Attributes& attributes) const { return holds(0, attributes); }

  // The clause that is not true of them, as it was written, and why. Empty if the condition holds.
  std::string why_not(const Attributes& attributes) const;

  // Why no attributes whatever make it true, with the clauses that exclude each other. Empty if some may; not every
  // contradiction is found, but what is found is one.
  std::string contradiction() const;

  // Its outermost clauses, all of which have to be true: how many, whether one is, and as it was written.
  std::size_t clauses() const { return starts_.size(); }
  bool holds_clause(std::size_t which, const Attributes& attributes) const {
    return holds(starts_[which], attributes);
  }
  std::vector<std::string_view> names_in(std::size_t which) const;  // attributes that it asks for
  std::string clause(std::size_t which) const { return source_of(nodes_[starts_[which]]); }

  friend bool operator==(const Condition& a, const Condition& b) { return a.text_ == b.text_; }

 private:
  friend class ConditionParser;
  friend class Contradictions;

  enum class Kind : std::uint8_t {
    any,
    all,
    negation,
    present,
    equal,
    unequal,
    less,
    at_most,
    more,
    at_least,
    among
  };

  // Followed by its children. A value is a text or a number.
  struct Node {
    Kind kind = Kind::present;
    std::size_t span = 1;   // nodes of this subtree, itself included
    std::size_t begin = 0;  // in the source
    std::size_t end = 0;
    std::string name;
    std::vector<Attribute> values;
  };

  bool holds(std::size_t at, const Attributes& attributes) const;
  void explain(std::size_t at, const Attributes& attributes, std::string& out) const;
  std::string source_of(const Node& node) const { return source_.substr(node.begin, node.end - node.begin); }
  void write(std::size_t at, Kind around, std::string& out) const;
  void finish();

  std::string source_;
  std::string text_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> starts_;  // of the outermost clauses
};

}  // namespace pointsman
