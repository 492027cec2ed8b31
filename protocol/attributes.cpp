// Attributes, and how their values are written: the same way in conditions and on a command line.
#include "protocol/attributes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "protocol/limits.hpp"
#include "protocol/utf8.hpp"

namespace pointsman {

namespace {

struct Unit {
  std::string_view name;
  double worth;
};

// The larger first: whoever writes a number takes the first that goes into it.
constexpr std::array<Unit, 8> units{{{"T", 1e12},
                                     {"G", 1e9},
                                     {"M", 1e6},
                                     {"k", 1e3},
                                     {"Ti", 1099511627776.0},
                                     {"Gi", 1073741824.0},
                                     {"Mi", 1048576.0},
                                     {"Ki", 1024.0}}};
// Smaller numbers are written as they are: a port is not 8k.
constexpr double unit_from = 1e6;
constexpr double largest = static_cast<double>(limits::number);

std::string problem_of(const std::string& name, const Attribute& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    const bool fits = std::isfinite(*number) && std::abs(*number) <= largest;
    return fits ? "" : "the number of attribute " + name + " is not within 2^53";
  }
  const auto fits = [](const std::string& text) {
    return text.size() <= limits::attribute_text && is_utf8(text);
  };
  const std::string bytes = std::to_string(limits::attribute_text) + " bytes of UTF-8";
  if (const auto* text = std::get_if<std::string>(&value)) {
    return fits(*text) ? "" : "the text of attribute " + name + " is not within " + bytes;
  }
  const auto& set = std::get<std::vector<std::string>>(value);
  if (set.size() > limits::attribute_set) {
    return "the set of attribute " + name + " has more than " + std::to_string(limits::attribute_set) +
           " texts";
  }
  return std::all_of(set.begin(), set.end(), fits)
             ? ""
             : "a text of attribute " + name + " is not within " + bytes;
}

// As it counts towards attributes_bytes: a text is more than its bytes.
std::size_t size_of(const std::string& text) { return text.size() + 16; }

std::size_t size_of(const Attribute& value) {
  if (std::holds_alternative<double>(value)) return sizeof(double);
  if (const auto* text = std::get_if<std::string>(&value)) return size_of(*text);
  std::size_t bytes = 0;
  for (const std::string& text : std::get<std::vector<std::string>>(value)) bytes += size_of(text);
  return bytes;
}

// The text in double quotes that `text` is, escapes undone.
std::optional<std::string> unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] == '\\' && ++i + 1 == text.size()) return std::nullopt;
    out += text[i];
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// The texts between { and }, separated by commas.
std::vector<std::string> set_in(std::string_view text) {
  std::vector<std::string> set;
  text = trimmed(text.substr(1, text.size() - 2));
  bool quoted = false;
  std::size_t from = 0;
  const auto take = [&](std::size_t to) {
    const std::string_view item = trimmed(text.substr(from, to - from));
    set.push_back(unquoted(item).value_or(std::string(item)));
    from = to + 1;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == ',' && !quoted)
      take(i);
  }
  if (!text.empty()) take(text.size());
  return set;
}

}  // namespace

bool is_condition_word(std::string_view text) {
  constexpr std::array<std::string_view, 5> words{"and", "or", "not", "in", "has"};
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_attribute_name(std::string_view text) {
  if (text.empty() || text.size() > limits::name || is_condition_word(text)) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
           return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
         });
}

std::string Attributes::add(std::string name, Attribute value) {
  if (!is_attribute_name(name)) {
    return "\"" + fit(name, 40) +
           "\" is no name of an attribute: it is letters, digits, _ . and -, with a letter first, " +
           std::to_string(limits::name) + " bytes at most, and none of and or not in has";
  }
  if (std::string problem = problem_of(name, value); !problem.empty()) return problem;
  if (auto* number = std::get_if<double>(&value); number && *number == 0) *number = 0;  // there is no -0
  if (auto* set = std::get_if<std::vector<std::string>>(&value)) {
    std::sort(set->begin(), set->end());
    set->erase(std::unique(set->begin(), set->end()), set->end());
  }
  const auto at =
      std::lower_bound(list_.begin(), list_.end(), name,
                       [](const auto& entry, const std::string& key) { return entry.first < key; });
  if (at != list_.end() && at->first == name) return "attribute " + name + " is there twice";
  if (list_.size() == limits::attributes)
    return "there are more than " + std::to_string(limits::attributes) + " attributes";
  const std::size_t bytes = bytes_ + name.size() + size_of(value);
  if (bytes > limits::attributes_bytes) {
    return "the attributes are longer than " + std::to_string(limits::attributes_bytes) + " bytes together";
  }
  bytes_ = bytes;
  list_.insert(at, {std::move(name), std::move(value)});
  return {};
}

const Attribute* Attributes::find(std::string_view name) const {
  const auto at = std::lower_bound(list_.begin(), list_.end(), name,
                                   [](const auto& entry, std::string_view key) { return entry.first < key; });
  return at != list_.end() && at->first == name ? &at->second : nullptr;
}

std::string add_attribute(std::string_view text, Attributes& out) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return "\"" + fit(text, 40) + "\" is not of the form NAME=VALUE";
  std::string name(trimmed(text.substr(0, equals)));
  const std::string_view value = trimmed(text.substr(equals + 1));
  if (const auto number = number_in(value)) return out.add(std::move(name), *number);
  if (const auto quoted = unquoted(value)) return out.add(std::move(name), *quoted);
  if (value.starts_with('{') && value.ends_with('}')) return out.add(std::move(name), set_in(value));
  return out.add(std::move(name), std::string(value));
}

std::string add_attributes(std::string_view text, Attributes& out) {
  bool quoted = false, braced = false;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    if (quoted && c == '\\')
      ++i;
    else if (c == '"')
      quoted = !quoted;
    else if (!quoted && c == '{')
      braced = true;
    else if (!quoted && c == '}')
      braced = false;
    if (i < text.size() && (c != ' ' || quoted || braced)) continue;
    const std::string_view one = trimmed(text.substr(from, std::min(i, text.size()) - from));
    from = i + 1;
    if (one.empty()) continue;
    if (std::string problem = add_attribute(one, out); !problem.empty()) return problem;
  }
  return {};
}

std::optional<double> number_in(std::string_view word) {
  const std::size_t sign = word.starts_with('-') ? 1 : 0;
  if (word.size() == sign || word[sign] < '0' || word[sign] > '9') return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view rest = word.substr(static_cast<std::size_t>(end - word.data()));
  if (!rest.empty()) {
    const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == rest; });
    if (unit == units.end()) return std::nullopt;
    number *= unit->worth;
  }
  if (std::abs(number) > largest) return std::nullopt;
  return number == 0 ? 0 : number;
}

std::string shown_number(double number) {
  std::string_view unit;
  if (std::abs(number) >= unit_from) {
    for (const Unit& one : units) {
      if (std::fmod(number, one.worth) != 0) continue;
      number /= one.worth;
      unit = one.name;
      break;
    }
  }
  return plain_number(number).append(unit);
}

std::string plain_number(double number) {
  if (std::trunc(number) == number) return std::to_string(static_cast<std::int64_t>(number));
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  return std::string(digits.data(), end);
}

std::string shown_text(std::string_view text) {
  const bool bare = !text.empty() && std::all_of(text.begin(), text.end(), in_word) && !number_in(text) &&
                    !is_condition_word(text);
  if (bare) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

std::string shown_value(const Attribute& value) {
  if (const auto* number = std::get_if<double>(&value)) return shown_number(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return shown_text(*text);
  std::string out = "{";
  for (const std::string& text : std::get<std::vector<std::string>>(value)) {
    if (out.size() > 1) out += ", ";
    out += shown_text(text);
  }
  return out += '}';
}

std::string shown(const Attributes& attributes) {
  std::string out;
  for (const auto& [name, value] : attributes.list()) {
    if (!out.empty()) out += ' ';
    out.append(name).append("=").append(shown_value(value));
  }
  return out;
}

}  // namespace pointsman
