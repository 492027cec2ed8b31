// Bodies in JSON. The only file that includes nlohmann-json; parsed by its SAX interface, written by hand because
// the library writes only from an object tree.
#include <nlohmann/json.hpp>

#include "protocol/base64.hpp"
#include "protocol/bodies.hpp"
#include "protocol/writing.hpp"

namespace pointsman {

namespace {

class Handler : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Handler(Tree& tree) : tree_(tree) {}

  bool null() override { return tree_.add({}); }
  bool boolean(bool value) override { return tree_.add({.kind = Kind::boolean, .magnitude = value ? 1U : 0U}); }
  bool number_integer(std::int64_t value) override {
    const auto bits = static_cast<std::uint64_t>(value);
    return tree_.add({.kind = Kind::integer, .negative = value < 0, .magnitude = value < 0 ? 0 - bits : bits});
  }
  bool number_unsigned(std::uint64_t value) override {
    return tree_.add({.kind = Kind::integer, .magnitude = value});
  }
  bool number_float(double value, const std::string&) override {
    return tree_.add({.kind = Kind::real, .real = value});
  }
  bool string(std::string& value) override { return tree_.add({.kind = Kind::text, .text = tree_.keep(value)}); }
  bool binary(nlohmann::json::binary_t&) override { return false; }  // JSON has none
  bool start_object(std::size_t) override { return tree_.open(Kind::map); }
  bool key(std::string& value) override { return string(value); }
  bool end_object() override { return closed(); }
  bool start_array(std::size_t) override { return tree_.open(Kind::list); }
  bool end_array() override { return closed(); }

  bool parse_error(std::size_t at, const std::string&, const nlohmann::json::exception&) override {
    problem_ = "it is not JSON at byte " + std::to_string(at);
    return false;
  }

  std::string problem() const {
    if (!tree_.problem().empty()) return "it has " + std::string(tree_.problem());
    return problem_.empty() ? "it is not JSON" : problem_;
  }

 private:
  bool closed() {
    tree_.close();
    return true;
  }

  Tree& tree_;
  std::string problem_;
};

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void message(std::string_view op, std::size_t fields) {
    map(fields);
    key("op");
    word(op);
  }
  void end_message() { end_map(); }
  void key(std::string_view key) {
    item();
    word(key);
    out_ += ':';
  }
  void map(std::size_t) { out_ += '{'; }
  void end_map() { out_ += '}'; }
  void list(std::size_t) { out_ += '['; }
  void item() {
    if (out_.back() != '{' && out_.back() != '[') out_ += ',';
  }
  void end_list() { out_ += ']'; }
  void bytes(std::string_view bytes) { word(to_base64(bytes)); }
  void text(std::string_view text) { word(text); }
  void word(std::string_view text) {
    out_ += '"';
    for (const char c : text) character(c);
    out_ += '"';
  }
  void number(std::uint64_t value) { out_ += std::to_string(value); }
  void flag(bool value) { out_ += value ? "true" : "false"; }
  void real(double value) { out_ += plain_number(value); }
  void either(std::string_view text) { word(text); }
  void duration(Milliseconds value) { out_ += std::to_string(value.count()); }

 private:
  void character(char c) {
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr std::string_view digits = "0123456789abcdef";
      out_ += "\\u00";
      out_ += digits[static_cast<std::size_t>(c) >> 4];
      out_ += digits[static_cast<std::size_t>(c) & 15];
    } else {
      out_ += c;
    }
  }

  std::string& out_;
};

}  // namespace

std::string parse_json(std::string_view body, Tree& tree) {
  tree.clear(body.size(), true);
  Handler handler(tree);
  if (!nlohmann::json::sax_parse(body.begin(), body.end(), &handler)) return handler.problem();
  return {};
}

void write_json(const Message& message, std::string& out) {
  Writer writer(out);
  write_message(writer, message);
}

}  // namespace pointsman
