// Attributes: what a worker or a client says of itself, a bounded map from names to texts, numbers and sets of texts.
//
// Always in order of names, so that equal attributes are equal whichever way they were written. Plain values; not
// thread safe.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pointsman {

// A text, a number, or a set of texts: in order, each once.
using Attribute = std::variant<std::string, double, std::vector<std::string>>;

class Attributes {
 public:
  using List = std::vector<std::pair<std::string, Attribute>>;

  // Adds one. Empty if that is done, else what is wrong with it.
  [[nodiscard]] std::string add(std::string name, Attribute value);

  const Attribute* find(std::string_view name) const;
  const List& list() const { return list_; }
  std::size_t size() const { return list_.size(); }
  bool empty() const { return list_.empty(); }
  std::size_t bytes() const { return bytes_; }  // of names and texts; a text counts 16 more, a number 8
  friend bool operator==(const Attributes&, const Attributes&) = default;

 private:
  List list_;
  std::size_t bytes_ = 0;
};

// As a command line has one: NAME=VALUE, where VALUE is a number with or without unit, {a, b}, or a text, which may be
// in double quotes. Adds it to `out`; empty if that is done, else what is wrong.
[[nodiscard]] std::string add_attribute(std::string_view text, Attributes& out);

// Several of them, separated by spaces.
[[nodiscard]] std::string add_attributes(std::string_view text, Attributes& out);

// All of them on one line, as add_attributes() reads them.
std::string shown(const Attributes& attributes);
std::string shown_value(const Attribute& value);

// Letters, digits and _ . -, a letter or _ first; none of the words that a condition is made of.
bool is_attribute_name(std::string_view text);
bool is_condition_word(std::string_view text);

// A character that stands in a word without quotes.
constexpr bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.-/:@+").find(c) != std::string_view::npos;
}

// The number that a word is, with its unit (k M G T in thousands, Ki Mi Gi Ti in steps of 1024), if it is one.
std::optional<double> number_in(std::string_view word);

// A number as JSON has it; and a number and a text as a condition has them. Reading them gives the same again.
std::string plain_number(double number);
std::string shown_number(double number);
std::string shown_text(std::string_view text);

}  // namespace pointsman
