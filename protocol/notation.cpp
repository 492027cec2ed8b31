// The notation: written by the same walk as the other bodies, parsed by hand into the same tree.
#include "protocol/notation.hpp"

#include "protocol/base64.hpp"
#include "protocol/reading.hpp"
#include "protocol/tree.hpp"
#include "protocol/utf8.hpp"
#include "protocol/writing.hpp"

namespace pointsman {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

constexpr bool is_bare(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("_./:@+*-").find(c) != std::string_view::npos;
}

bool is_bare(std::string_view text) {
  for (const char c : text) {
    if (!is_bare(c)) return false;
  }
  return !text.empty();
}

void append_hex(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += hex_digits[byte >> 4U];
  out += hex_digits[byte & 15U];
}

class Writer {
 public:
  void message(std::string_view op, std::size_t) { line_ = op; }
  void end_message() {}
  void key(std::string_view key) {
    if (!line_.ends_with('{')) line_ += ' ';
    line_.append(key) += '=';
  }
  void map(std::size_t) { line_ += '{'; }
  void end_map() { line_ += '}'; }
  void list(std::size_t) { line_ += '['; }
  void item() {
    if (!line_.ends_with('[')) line_ += ' ';
  }
  void end_list() { line_ += ']'; }
  void text(std::string_view text) { line_ += shown(text); }
  void bytes(std::string_view bytes) { line_.append("b64\"").append(to_base64(bytes)) += '"'; }
  void word(std::string_view word) { line_ += word; }
  void number(std::uint64_t value) { line_ += std::to_string(value); }
  void flag(bool value) { line_ += value ? "true" : "false"; }
  void real(double value) { line_ += plain_number(value); }
  void either(std::string_view text) { line_ += number_in(text) ? quoted(text) : shown(text); }
  void duration(Milliseconds value) { line_ += value == forever ? "forever" : std::to_string(value.count()); }

  std::string take() { return std::move(line_); }

 private:
  std::string line_;
};

// Every member function that returns bool says false when it has noted a problem.
class Parser {
 public:
  Parser(std::string_view line, Tree& tree) : line_(line), tree_(tree) {}

  // op, then pairs, then `|` and texts if `payload` is wanted.
  bool message(Payload* payload) {
    spaces();
    if (!tree_.open(Kind::map) || !tree_.add({.kind = Kind::bare, .text = "op"})) return bounded();
    const std::string_view op = word();
    if (op.empty()) return fail("a message begins with its op");
    if (!tree_.add({.kind = Kind::bare, .text = op}) || !pairs()) return bounded();
    tree_.close();
    if (payload != nullptr && at_ < line_.size() && line_[at_] == '|') {
      ++at_;
      return frames(*payload);
    }
    return at_ == line_.size() || fail("expected key=value");
  }

  const std::string& problem() const { return problem_; }

 private:
  bool pairs() {
    for (spaces(); at_ < line_.size() && is_bare(line_[at_]); spaces()) {
      const std::string_view key = word();
      if (!tree_.add({.kind = Kind::text, .text = key})) return bounded();
      if (at_ == line_.size() || line_[at_] != '=') return fail("expected = after the key");
      ++at_;
      if (!value()) return false;
      if (at_ < line_.size() && std::string_view(" }|").find(line_[at_]) == std::string_view::npos) {
        return fail("expected a space after the value");
      }
    }
    return true;
  }

  bool value() {
    if (at_ == line_.size()) return fail("the line ends where a value is expected");
    const char c = line_[at_];
    if (c == '[') return list();
    if (c == '{') return map();
    if (c == '"') {
      std::string_view text;
      return unquoted(text) && (tree_.add({.kind = Kind::text, .text = text}) || bounded());
    }
    const std::string_view bare = word();
    if (bare.empty()) return fail("expected a value; text with other characters than A-Z a-z 0-9 _./:@+*- is quoted");
    if (bare == "b64" && at_ < line_.size() && line_[at_] == '"') return bytes();
    return tree_.add({.kind = Kind::bare, .text = bare}) || bounded();
  }

  bool list() {
    if (!tree_.open(Kind::list)) return bounded();
    ++at_;
    for (spaces(); at_ < line_.size() && line_[at_] != ']'; spaces()) {
      if (!value()) return false;
      if (at_ < line_.size() && line_[at_] != ' ' && line_[at_] != ']') return fail("expected a space or ]");
    }
    return closed();
  }

  bool map() {
    if (!tree_.open(Kind::map)) return bounded();
    ++at_;
    if (!pairs()) return false;
    if (at_ < line_.size() && line_[at_] != '}') return fail("expected key=value or }");
    return closed();
  }

  bool closed() {
    if (at_ == line_.size()) return fail("the line ends inside a list or a map");
    ++at_;
    tree_.close();
    return true;
  }

  bool bytes() {
    std::string_view text;
    if (!unquoted(text)) return false;
    const auto data = from_base64(text);
    if (!data) return fail("b64 is followed by base64 text in quotes");
    return tree_.add({.kind = Kind::bytes, .text = tree_.keep(*data)}) || bounded();
  }

  bool frames(Payload& payload) {
    for (spaces(); at_ < line_.size(); spaces()) {
      if (line_[at_] == '"') {
        std::string_view text;
        if (!unquoted(text)) return false;
        payload.emplace_back(std::string(text));
      } else {
        const std::string_view bare = word();
        if (bare.empty()) return fail("expected a frame as text");
        payload.emplace_back(std::string(bare));
      }
    }
    return true;
  }

  // The text between two quotes, escapes undone.
  bool unquoted(std::string_view& text) {
    std::string plain;
    for (++at_; at_ < line_.size() && line_[at_] != '"'; ++at_) {
      if (line_[at_] != '\\') {
        plain += line_[at_];
      } else if (!escape(plain)) {
        return fail("after \\ only \" \\ n t or x and two digits may come");
      }
    }
    if (at_ == line_.size()) return fail("the closing quote is missing");
    ++at_;
    text = tree_.keep(plain);
    return true;
  }

  bool escape(std::string& plain) {
    if (++at_ == line_.size()) return false;
    const char c = line_[at_];
    if (c == 'x') {
      const std::string_view digits = line_.substr(at_ + 1, 2);
      const std::size_t high = hex_digits.find(digits.empty() ? ' ' : digits[0]);
      const std::size_t low = hex_digits.find(digits.size() < 2 ? ' ' : digits[1]);
      if (high == std::string_view::npos || low == std::string_view::npos) return false;
      plain += static_cast<char>(high * 16 + low);
      at_ += 2;
      return true;
    }
    const std::size_t which = std::string_view("\"\\nt").find(c);
    if (which == std::string_view::npos) return false;
    plain += "\"\\\n\t"[which];
    return true;
  }

  std::string_view word() {
    const std::size_t start = at_;
    while (at_ < line_.size() && is_bare(line_[at_])) ++at_;
    return line_.substr(start, at_ - start);
  }

  void spaces() {
    while (at_ < line_.size() && line_[at_] == ' ') ++at_;
  }

  bool fail(std::string_view problem) {
    if (problem_.empty()) problem_ = "at column " + std::to_string(at_ + 1) + ": " + std::string(problem);
    return false;
  }
  bool bounded() { return fail(tree_.problem()); }

  std::string_view line_;
  Tree& tree_;
  std::size_t at_ = 0;
  std::string problem_;
};

std::variant<Message, Fault> parse(std::string_view line, Payload* payload) {
  Tree tree;
  tree.clear(line.size() * 2);  // text of base64 is kept twice, as text and as bytes
  Parser parser(line, tree);
  if (!parser.message(payload)) return broken(tree, "the line cannot be read: " + parser.problem());
  return read(tree);
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = utf8_length(text);
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (length == 0 || byte < 0x20 || byte == 0x7f) {
      append_hex(out, c);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out += '"';
}

std::string shown(std::string_view text) { return is_bare(text) ? std::string(text) : quoted(text); }

std::string to_line(const Message& message) {
  Writer writer;
  write_message(writer, message);
  return writer.take();
}

std::string to_line(const Message& message, const Payload& payload) {
  std::string line = to_line(message);
  if (!payload.empty()) line += " |";
  for (const Frame& frame : payload) line.append(" ").append(shown(frame.view()));
  return line;
}

std::variant<Message, Fault> from_line(std::string_view line) { return parse(line, nullptr); }

std::variant<Message, Fault> from_line(std::string_view line, Payload& payload) {
  payload.clear();
  return parse(line, &payload);
}

}  // namespace pointsman
