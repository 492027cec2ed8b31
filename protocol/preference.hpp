// Preference: which of the workers that match a request would like best, as people write it.
//
//   region == eu; +mem; -price
//
// Wishes in order of their weight, separated by semicolons: a condition (better if it holds), +NAME (the more the
// better) or -NAME (the less the better). The first wish in which two differ decides; one that has not the attribute as
// a number comes last. Plain values. Thread safe when const.

#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/condition.hpp"

namespace pointsman {

class Preference {
 public:
  static std::variant<Preference, Mistake> parse(std::string_view text);

  // The one way to write it.
  const std::string& text() const { return text_; }

  // A number a wish, in order: of two such lists the greater is liked better.
  std::vector<double> rank(const Attributes& attributes) const;

 private:
  struct Most {
    std::string name;
    double sign = 1;
  };
  std::string text_;
  std::vector<std::variant<Condition, Most>> wishes_;
};

}  // namespace pointsman
