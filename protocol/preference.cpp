// Preferences: reading and ranking.
#include "protocol/preference.hpp"

#include <limits>

#include "protocol/limits.hpp"

namespace pointsman {

std::variant<Preference, Mistake> Preference::parse(std::string_view text) {
  Preference out;
  if (text.size() > limits::condition) {
    return Mistake{limits::condition, "it is longer than " + std::to_string(limits::condition) + " bytes",
                   "wish for less"};
  }
  bool quoted = false;
  for (std::size_t from = 0, to = 0; from <= text.size(); to = ++from) {
    for (; to < text.size() && (quoted || text[to] != ';'); ++to) {
      if (quoted && text[to] == '\\' && to + 1 < text.size())
        ++to;
      else if (text[to] == '"')
        quoted = !quoted;
    }
    std::size_t first = from;
    while (first < to && text[first] == ' ') ++first;
    const std::string_view wish = text.substr(first, to - first);
    if (out.wishes_.size() == limits::wishes) {
      return Mistake{first, "there are more than " + std::to_string(limits::wishes) + " wishes",
                     "wish for less"};
    }
    if (wish.starts_with('+') || wish.starts_with('-')) {
      std::string_view name = wish.substr(1);
      while (name.starts_with(' ')) name.remove_prefix(1);
      while (name.ends_with(' ')) name.remove_suffix(1);
      if (!is_attribute_name(name)) {
        return Mistake{first + 1, "expected the name of an attribute after " + std::string(wish.substr(0, 1)),
                       "a wish is a condition, +NAME or -NAME, and wishes are separated by ;"};
      }
      out.wishes_.emplace_back(Most{std::string(name), wish.front() == '+' ? 1.0 : -1.0});
      out.text_.append(out.text_.empty() ? "" : "; ").append(wish.substr(0, 1)).append(name);
    } else {
      auto condition = Condition::parse(wish);
      if (auto* mistake = std::get_if<Mistake>(&condition)) {
        mistake->at += first;
        return std::move(*mistake);
      }
      out.text_.append(out.text_.empty() ? "" : "; ").append(std::get<Condition>(condition).text());
      out.wishes_.emplace_back(std::move(std::get<Condition>(condition)));
    }
    from = to;
  }
  return out;
}

std::vector<double> Preference::rank(const Attributes& attributes) const {
  std::vector<double> out;
  out.reserve(wishes_.size());
  for (const auto& wish : wishes_) {
    if (const auto* condition = std::get_if<Condition>(&wish)) {
      out.push_back(condition->holds(attributes) ? 1 : 0);
      continue;
    }
    const Most& most = std::get<Most>(wish);
    const Attribute* value = attributes.find(most.name);
    const auto* number = value ? std::get_if<double>(value) : nullptr;
    out.push_back(number ? most.sign * *number : -std::numeric_limits<double>::infinity());
  }
  return out;
}

}  // namespace pointsman
