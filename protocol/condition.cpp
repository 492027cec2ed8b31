// Conditions: reading, evaluating, telling why not.
#include "protocol/condition.hpp"

#include <algorithm>
#include <optional>

#include "protocol/limits.hpp"
#include "protocol/utf8.hpp"

namespace pointsman {

namespace {

struct Token {
  enum class Kind : std::uint8_t { end, word, quoted, sign };
  Kind kind = Kind::end;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;  // of a quoted one, escapes undone
};

std::string told(const Token& token) {
  if (token.kind == Token::Kind::end) return "the end";
  return token.kind == Token::Kind::quoted ? shown_text(token.text) : token.text;
}

bool equals(const Attribute& has, const Attribute& value) {
  if (const auto* set = std::get_if<std::vector<std::string>>(&has)) {
    const auto* text = std::get_if<std::string>(&value);
    return text && std::binary_search(set->begin(), set->end(), *text);
  }
  return has == value;
}

// A number is compared with numbers, a text or a set with texts.
bool comparable(const Attribute& has, const Attribute& value) {
  return std::holds_alternative<double>(has) == std::holds_alternative<double>(value);
}

}  // namespace

// Recursive descent; every function that returns bool says false when it has noted a mistake.
class ConditionParser {
 public:
  explicit ConditionParser(std::string_view text) : text_(text) {}

  std::variant<Condition, Mistake> parse() {
    if (text_.size() > limits::condition) {
      fail(limits::condition, "it is longer than " + std::to_string(limits::condition) + " bytes",
           "say it shorter");
    } else if (!is_utf8(text_)) {
      fail(0, "it is not UTF-8", "write it as UTF-8");
    } else if (next() && alternatives() && token_.kind != Token::Kind::end) {
      fail(token_.begin, "expected and, or, or the end, found " + told(token_), "join clauses by and or or");
    }
    if (mistake_) return *mistake_;
    out_.source_ = text_;
    out_.finish();
    return std::move(out_);
  }

 private:
  using Kind = Condition::Kind;

  bool alternatives() { return joined("or", Kind::any, &ConditionParser::all); }
  bool all() { return joined("and", Kind::all, &ConditionParser::one); }

  // One or more parts; a node goes around them if there are several.
  bool joined(std::string_view word, Kind kind, bool (ConditionParser::*part)()) {
    const std::size_t at = out_.nodes_.size(), begin = token_.begin;
    if (!(this->*part)()) return false;
    if (!is(word)) return true;
    while (is(word)) {
      if (!next() || !(this->*part)()) return false;
    }
    around(at, kind, begin);
    return true;
  }

  bool one() {
    if (is("not")) {
      const std::size_t at = out_.nodes_.size(), begin = token_.begin;
      if (!deeper() || !next() || !one()) return false;
      --depth_;
      around(at, Kind::negation, begin);
      return true;
    }
    if (!is("(")) return clause();
    const std::size_t open = token_.begin;
    if (!deeper() || !next() || !alternatives()) return false;
    --depth_;
    if (is(")")) return next();
    return fail(token_.begin, "expected ), found " + told(token_),
                "close the ( at character " + std::to_string(characters(open)));
  }

  bool clause() {
    Condition::Node node{.begin = token_.begin};
    const bool has = is("has");
    if (has && !next()) return false;
    if (token_.kind != Token::Kind::word || !is_attribute_name(token_.text)) {
      return fail(token_.begin, "expected the name of an attribute, found " + told(token_),
                  "a clause is NAME == VALUE, NAME in {VALUE, …} or has NAME");
    }
    node.name = token_.text;
    if (!counted() || !next()) return false;
    if (!has && !comparison(node)) return false;
    node.end = last_;
    out_.nodes_.push_back(std::move(node));
    return true;
  }

  bool comparison(Condition::Node& node) {
    if (is("in")) return next() && set(node);
    if (token_.kind == Token::Kind::sign) {
      if (token_.text == "==") node.kind = Kind::equal;
      if (token_.text == "!=") node.kind = Kind::unequal;
      if (token_.text == "<") node.kind = Kind::less;
      if (token_.text == "<=") node.kind = Kind::at_most;
      if (token_.text == ">") node.kind = Kind::more;
      if (token_.text == ">=") node.kind = Kind::at_least;
    }
    if (node.kind == Kind::present) {
      return fail(token_.begin,
                  "expected ==, !=, <, <=, >, >= or in after " + node.name + ", found " + told(token_),
                  "whether it is there at all is: has " + node.name);
    }
    const std::string sign = token_.text;
    if (!next()) return false;
    const bool order = node.kind >= Kind::less;
    if (order && (token_.kind != Token::Kind::word || !number_in(token_.text))) {
      return fail(token_.begin, sign + " compares numbers, and " + told(token_) + " is none",
                  "a number may have one of the units k M G T Ki Mi Gi Ti, and is within 2^53");
    }
    return value(node);
  }

  bool set(Condition::Node& node) {
    node.kind = Kind::among;
    if (!is("{"))
      return fail(token_.begin, "expected {, found " + told(token_), "a set is {VALUE, VALUE, …}");
    if (!next()) return false;
    while (!is("}")) {
      if (!node.values.empty()) {
        if (!is(","))
          return fail(token_.begin, "expected , or }, found " + told(token_), "a set is {VALUE, VALUE, …}");
        if (!next()) return false;
      }
      if (!counted() || !value(node)) return false;
    }
    return next();
  }

  bool value(Condition::Node& node) {
    const bool word = token_.kind == Token::Kind::word && !is_condition_word(token_.text);
    if (!word && token_.kind != Token::Kind::quoted) {
      return fail(token_.begin, "expected a value, found " + told(token_),
                  "a value is a number, a word, or a text in double quotes");
    }
    if (token_.text.size() > limits::attribute_text) {
      return fail(token_.begin, "a text is longer than " + std::to_string(limits::attribute_text) + " bytes",
                  "no attribute has such a text");
    }
    const auto number = word ? number_in(token_.text) : std::nullopt;
    number ? node.values.emplace_back(*number) : node.values.emplace_back(token_.text);
    return next();
  }

  // Puts a node before those from `at` on.
  void around(std::size_t at, Kind kind, std::size_t begin) {
    auto& nodes = out_.nodes_;
    nodes.insert(nodes.begin() + static_cast<std::ptrdiff_t>(at),
                 Condition::Node{.kind = kind, .span = nodes.size() - at + 1, .begin = begin, .end = last_});
  }

  // The next token; false if there is none to be made.
  bool next() {
    last_ = token_.end;
    std::size_t at = last_;
    while (at < text_.size() && (text_[at] == ' ' || text_[at] == '\t' || text_[at] == '\n')) ++at;
    token_ = {.begin = at, .end = at};
    if (at == text_.size()) return true;
    if (text_[at] == '"') return quoted();
    if (in_word(text_[at])) {
      while (token_.end < text_.size() && in_word(text_[token_.end])) ++token_.end;
      token_.kind = Token::Kind::word;
    } else {
      const std::string_view two = text_.substr(at, 2);
      const bool is_two = two == "==" || two == "!=" || two == "<=" || two == ">=";
      if (!is_two && std::string_view("(){},<>").find(text_[at]) == std::string_view::npos)
        return stranger(at);
      token_.kind = Token::Kind::sign;
      token_.end = at + (is_two ? 2 : 1);
    }
    token_.text = text_.substr(at, token_.end - at);
    return true;
  }

  bool quoted() {
    token_.kind = Token::Kind::quoted;
    for (std::size_t at = token_.begin + 1; at < text_.size(); ++at) {
      if (text_[at] == '"') {
        token_.end = at + 1;
        return true;
      }
      if (text_[at] == '\\') {
        ++at;
        if (at == text_.size() || (text_[at] != '"' && text_[at] != '\\')) {
          return fail(at - 1, "after \\ only \" or \\ may come", "write \\\\ for one \\");
        }
      }
      token_.text += text_[at];
    }
    return fail(token_.begin, "the closing quote is missing", "end the text with \"");
  }

  bool stranger(std::size_t at) {
    const char c = text_[at];
    const std::string remedy = c == '='    ? "equality is =="
                               : c == '&'  ? "write and"
                               : c == '|'  ? "write or"
                               : c == '!'  ? "write not, or != between a name and a value"
                               : c == '\'' ? "texts are in double quotes"
                                           : "a text with it stands in double quotes";
    return fail(at,
                "nothing begins with " +
                    std::string(text_.substr(at, std::max<std::size_t>(1, utf8_length(text_.substr(at))))),
                remedy);
  }

  bool is(std::string_view text) const {
    return (token_.kind == Token::Kind::word || token_.kind == Token::Kind::sign) && token_.text == text;
  }

  bool counted() {
    if (++terms_ <= limits::condition_terms) return true;
    return fail(token_.begin,
                "there are more than " + std::to_string(limits::condition_terms) + " clauses and values",
                "ask for less, or give the workers an attribute that says it in one");
  }

  bool deeper() {
    if (++depth_ <= limits::condition_depth) return true;
    return fail(token_.begin,
                "parentheses and nots are nested deeper than " + std::to_string(limits::condition_depth),
                "say it with fewer");
  }

  std::size_t characters(std::size_t at) const {
    return static_cast<std::size_t>(
               std::count_if(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at),
                             [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; })) +
           1;
  }

  bool fail(std::size_t at, std::string problem, std::string remedy) {
    if (!mistake_) mistake_ = Mistake{at, std::move(problem), std::move(remedy)};
    return false;
  }

  std::string_view text_;
  Token token_;
  std::size_t last_ = 0;  // the end of the token before
  std::size_t terms_ = 0;
  std::size_t depth_ = 0;
  Condition out_;
  std::optional<Mistake> mistake_;
};

std::variant<Condition, Mistake> Condition::parse(std::string_view text) {
  return ConditionParser(text).parse();
}

// What follows from the nodes.
void Condition::finish() {
  if (nodes_[0].kind == Kind::all) {
    for (std::size_t at = 1; at < nodes_.size(); at += nodes_[at].span) starts_.push_back(at);
  } else {
    starts_.push_back(0);
  }
  for (Node& node : nodes_) {
    if (node.kind != Kind::among) continue;
    std::sort(node.values.begin(), node.values.end());
    node.values.erase(std::unique(node.values.begin(), node.values.end()), node.values.end());
  }
  write(0, Kind::any, text_);
}

// Writes the subtree at `at`, in parentheses where what is around it binds closer.
void Condition::write(std::size_t at, Kind around, std::string& out) const {
  const Node& node = nodes_[at];
  switch (node.kind) {
    case Kind::any:
    case Kind::all: {
      const bool closer = around == Kind::negation || (around == Kind::all && node.kind == Kind::any);
      if (closer) out += '(';
      for (std::size_t child = at + 1; child < at + node.span; child += nodes_[child].span) {
        if (child > at + 1) out += node.kind == Kind::any ? " or " : " and ";
        write(child, node.kind, out);
      }
      if (closer) out += ')';
      return;
    }
    case Kind::negation: out += "not "; return write(at + 1, node.kind, out);
    case Kind::present: out.append("has ").append(node.name); return;
    case Kind::among:
      out.append(node.name).append(" in {");
      for (const Attribute& value : node.values)
        out.append(&value == node.values.data() ? "" : ", ").append(shown_value(value));
      out += '}';
      return;
    case Kind::equal: out.append(node.name).append(" == "); break;
    case Kind::unequal: out.append(node.name).append(" != "); break;
    case Kind::less: out.append(node.name).append(" < "); break;
    case Kind::at_most: out.append(node.name).append(" <= "); break;
    case Kind::more: out.append(node.name).append(" > "); break;
    case Kind::at_least: out.append(node.name).append(" >= "); break;
  }
  out += shown_value(node.values.front());
}

bool Condition::holds(std::size_t at, const Attributes& attributes) const {
  const Node& node = nodes_[at];
  if (node.kind == Kind::any || node.kind == Kind::all) {
    const bool any = node.kind == Kind::any;
    for (std::size_t child = at + 1; child < at + node.span; child += nodes_[child].span) {
      if (holds(child, attributes) == any) return any;
    }
    return !any;
  }
  if (node.kind == Kind::negation) return !holds(at + 1, attributes);
  const Attribute* has = attributes.find(node.name);
  if (!has) return false;
  switch (node.kind) {
    case Kind::present: return true;
    case Kind::equal: return equals(*has, node.values.front());
    case Kind::unequal: return comparable(*has, node.values.front()) && !equals(*has, node.values.front());
    case Kind::among:
      return std::any_of(node.values.begin(), node.values.end(),
                         [&](const Attribute& value) { return equals(*has, value); });
    default: break;
  }
  const auto* number = std::get_if<double>(has);
  if (!number) return false;
  const double with = std::get<double>(node.values.front());
  switch (node.kind) {
    case Kind::less: return *number < with;
    case Kind::at_most: return *number <= with;
    case Kind::more: return *number > with;
    default: return *number >= with;
  }
}

// What the attributes have where the clauses below `at` look, each name once.
void Condition::explain(std::size_t at, const Attributes& attributes, std::string& out) const {
  std::vector<std::string_view> seen;
  for (std::size_t i = at; i < at + nodes_[at].span; ++i) {
    const Node& node = nodes_[i];
    if (node.name.empty() || std::find(seen.begin(), seen.end(), node.name) != seen.end()) continue;
    seen.push_back(node.name);
    const Attribute* has = attributes.find(node.name);
    out += seen.size() == 1 ? ": " : ", ";
    if (!has) {
      out.append("there is no ").append(node.name);
    } else {
      out.append(node.name).append(" is ").append(shown_value(*has));
      if (!node.values.empty() && !comparable(*has, node.values.front())) {
        out += std::holds_alternative<double>(*has) ? ", a number" : ", no number";
      }
    }
  }
}

std::string Condition::why_not(const Attributes& attributes) const {
  for (const std::size_t start : starts_) {
    if (holds(start, attributes)) continue;
    std::string out = "`" + source_of(nodes_[start]) + "` is not true";
    explain(start, attributes, out);
    return out;
  }
  return {};
}

std::vector<std::string_view> Condition::names_in(std::size_t which) const {
  std::vector<std::string_view> names;
  for (std::size_t i = starts_[which]; i < starts_[which] + nodes_[starts_[which]].span; ++i) {
    const std::string& name = nodes_[i].name;
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::string in_words(std::string_view text, const Mistake& mistake) {
  const std::string_view before = text.substr(0, mistake.at);
  const auto characters = std::count_if(
      before.begin(), before.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; });
  return "at character " + std::to_string(characters + 1) + ": " + mistake.problem;
}

std::string pointed_out(std::string_view text, const Mistake& mistake) {
  std::string line, below;
  for (std::size_t i = 0; i < text.size(); ++i) {
    line += static_cast<unsigned char>(text[i]) < 0x20 ? ' ' : text[i];
    if (i < mistake.at && (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80) below += ' ';
  }
  return line + "\n" + below + "^";
}

}  // namespace pointsman
