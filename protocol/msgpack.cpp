// Bodies in msgpack. The only file that includes it; parsed by its visitor interface, so no object tree is built and
// a size that is claimed but not sent costs nothing.
#include <msgpack.hpp>

#include <cmath>
#include <cstring>

#include "protocol/bodies.hpp"
#include "protocol/writing.hpp"

namespace pointsman {

namespace {

class Visitor : public msgpack::null_visitor {
 public:
  explicit Visitor(Tree& tree) : tree_(tree) {}

  bool visit_nil() { return tree_.add({}); }
  bool visit_boolean(bool value) { return tree_.add({.kind = Kind::boolean, .magnitude = value ? 1U : 0U}); }
  bool visit_positive_integer(std::uint64_t value) {
    return tree_.add({.kind = Kind::integer, .magnitude = value});
  }
  bool visit_negative_integer(std::int64_t value) {
    // The library calls this for the signed formats, whatever the sign.
    const auto bits = static_cast<std::uint64_t>(value);
    return tree_.add(
        {.kind = Kind::integer, .negative = value < 0, .magnitude = value < 0 ? 0 - bits : bits});
  }
  bool visit_float32(float value) { return visit_float64(static_cast<double>(value)); }
  bool visit_float64(double value) { return tree_.add({.kind = Kind::real, .real = value}); }
  bool visit_str(const char* data, std::uint32_t size) {
    return tree_.add({.kind = Kind::text, .text = {data, size}});
  }
  bool visit_bin(const char* data, std::uint32_t size) {
    return tree_.add({.kind = Kind::bytes, .text = {data, size}});
  }
  bool visit_ext(const char*, std::uint32_t) {
    problem_ = "it has a msgpack extension value; only the basic types are understood";
    return false;
  }
  bool start_array(std::uint32_t) { return tree_.open(Kind::list); }
  bool start_map(std::uint32_t) { return tree_.open(Kind::map); }
  bool end_array() { return closed(); }
  bool end_map() { return closed(); }

  void parse_error(std::size_t, std::size_t at) {
    problem_ = "no msgpack value begins like byte " + std::to_string(at);
  }
  void insufficient_bytes(std::size_t, std::size_t) {
    problem_ = "the msgpack ends in the middle of a value";
  }

  std::string problem() const {
    if (!tree_.problem().empty()) return "it has " + std::string(tree_.problem());
    return problem_;
  }

 private:
  bool closed() {
    tree_.close();
    return true;
  }

  Tree& tree_;
  std::string problem_;
};

// What the packer writes to, a few bytes at a time: the string is longer than what is written, and cut at the end.
class Appender {
 public:
  explicit Appender(std::string& out) : out_(out), used_(out.size()) {}
  void write(const char* data, std::size_t size) {
    if (out_.size() - used_ < size) out_.resize(2 * (used_ + size) + 128);
    std::memcpy(out_.data() + used_, data, size);
    used_ += size;
  }
  void finish() { out_.resize(used_); }

 private:
  std::string& out_;
  std::size_t used_;
};

class Writer {
 public:
  explicit Writer(std::string& out) : appender_(out), packer_(appender_) {}

  void message(std::string_view op, std::size_t fields) {
    map(fields + 1);
    key("op");
    word(op);
  }
  void end_message() { appender_.finish(); }
  void key(std::string_view key) { word(key); }
  void map(std::size_t fields) { packer_.pack_map(static_cast<std::uint32_t>(fields)); }
  void end_map() {}
  void list(std::size_t items) { packer_.pack_array(static_cast<std::uint32_t>(items)); }
  void item() {}
  void end_list() {}
  void text(std::string_view text) { word(text); }
  void bytes(std::string_view bytes) {
    packer_.pack_bin(static_cast<std::uint32_t>(bytes.size()));
    packer_.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
  }
  void word(std::string_view word) {
    packer_.pack_str(static_cast<std::uint32_t>(word.size()));
    packer_.pack_str_body(word.data(), static_cast<std::uint32_t>(word.size()));
  }
  void number(std::uint64_t value) { packer_.pack_uint64(value); }
  void flag(bool value) { value ? packer_.pack_true() : packer_.pack_false(); }
  void real(double value) {
    const bool whole = std::trunc(value) == value;  // as other languages have it
    whole ? packer_.pack_int64(static_cast<std::int64_t>(value)) : packer_.pack_double(value);
  }
  void either(std::string_view text) { word(text); }
  void duration(Milliseconds value) { packer_.pack_int64(value.count()); }

 private:
  Appender appender_;
  msgpack::packer<Appender> packer_;
};

}  // namespace

std::string parse_msgpack(std::string_view body, Tree& tree) {
  tree.clear(0);
  Visitor visitor(tree);
  std::size_t used = 0;
  try {
    if (!msgpack::parse(body.data(), body.size(), used, visitor)) {
      const std::string problem = visitor.problem();
      return problem.empty() ? "it is not msgpack" : problem;
    }
  } catch (const msgpack::unpack_error&) {
    return "it has a msgpack value of an impossible size";
  }
  if (used != body.size()) return std::to_string(body.size() - used) + " bytes follow the msgpack value";
  return {};
}

void write_msgpack(const Message& message, std::string& out) {
  Writer writer(out);
  write_message(writer, message);
}

}  // namespace pointsman
