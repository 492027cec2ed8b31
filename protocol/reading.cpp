// Reading walks the fields of a message's list over the nodes of a tree. Values are read by type; the path to a value
// is made only when something is wrong with it.
#include "protocol/reading.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <optional>
#include <tuple>
#include <utility>

#include "protocol/base64.hpp"
#include "protocol/names.hpp"
#include "protocol/notation.hpp"
#include "protocol/utf8.hpp"
#include "protocol/writing.hpp"

namespace pointsman {

namespace {

struct Bounds {
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  bool endless = false;
};

// The items of a list have no bounds of their own in the list of fields.
constexpr Bounds item_text{0, limits::text};
constexpr Bounds item_number{0, limits::number};

struct Number {
  bool negative = false;
  std::uint64_t magnitude = 0;
};

std::string range(const Bounds& bounds) {
  return std::to_string(bounds.min) + " to " + std::to_string(bounds.max);
}

bool within(std::uint64_t value, const Bounds& bounds) { return value >= bounds.min && value <= bounds.max; }

std::string found(const Node& node) {
  switch (node.kind) {
    case Kind::nil: return "nothing";
    case Kind::boolean: return node.magnitude == 1 ? "true" : "false";
    case Kind::integer: return (node.negative ? "-" : "") + std::to_string(node.magnitude);
    case Kind::real: return "the number " + std::to_string(node.real);
    case Kind::bare: return fit(node.text, 40);
    case Kind::text:
      if (!is_utf8(node.text)) return "text that is not UTF-8";
      if (node.text.size() > 40) return "text of " + std::to_string(node.text.size()) + " bytes";
      return "the text " + quoted(node.text);
    case Kind::bytes: return std::to_string(node.text.size()) + " bytes";
    case Kind::list: return "a list of " + std::to_string(node.children);
    case Kind::map: return "a map";
  }
  return {};
}

// JavaScript has no integers, so a whole number may come as a real one.
std::optional<Number> number_of(const Node& node) {
  if (node.kind == Kind::integer) return Number{node.negative, node.magnitude};
  if (node.kind == Kind::real) {
    const bool whole = std::trunc(node.real) == node.real;
    if (!whole || std::abs(node.real) > static_cast<double>(limits::number)) return std::nullopt;
    return Number{node.real < 0, static_cast<std::uint64_t>(std::abs(node.real))};
  }
  if (node.kind == Kind::bare) {
    Number number{.negative = node.text.starts_with('-')};
    const char* first = node.text.data() + (number.negative ? 1 : 0);
    const char* last = node.text.data() + node.text.size();
    const auto [end, error] = std::from_chars(first, last, number.magnitude);
    if (error == std::errc{} && end == last) return number;
  }
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(const Tree& tree) : tree_(tree) {}

  // Reads the map at `at` into `out`. False if something is wrong; reason() says what.
  template <class T>
  bool map(std::size_t at, T& out) {
    if (tree_[at].kind != Kind::map) return wrong("a map", at);
    std::uint64_t seen = 0;
    std::size_t expected = 0;
    const std::size_t end = at + tree_[at].span;
    for (std::size_t key = at + 1; key < end;) {
      const std::size_t value = key + tree_[key].span;
      if (!entry(key, value, out, seen, expected)) return false;
      key = value + tree_[value].span;
    }
    return complete<T>(seen);
  }

  std::string reason() const { return where_.empty() ? what_ : "field `" + where_ + "`" + what_; }

 private:
  // A field of T: its key, and how its value is read.
  template <class T>
  struct Row {
    std::string_view key;
    bool (*read)(Reader& reader, std::size_t at, T& out);
  };

  template <class T>
  static constexpr auto list = fields_of<T>([](const auto&... field) { return std::tuple{field...}; });

  template <class T, std::size_t I>
  static bool read_field(Reader& reader, std::size_t at, T& out) {
    constexpr auto field = std::get<I>(list<T>);
    // Nil is another way to leave a field out.
    if (reader.tree_[at].kind == Kind::nil) return !field.required || reader.fail(" is missing", field.key);
    if (reader.value(at, Bounds{field.min, field.max, field.endless}, out.*field.member)) return true;
    return reader.inside(field.key);
  }

  template <class T>
  static constexpr std::size_t count = std::tuple_size_v<decltype(list<T>)>;

  template <class T>
  static constexpr auto rows = []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<Row<T>, sizeof...(I)>{Row<T>{std::get<I>(list<T>).key, &read_field<T, I>}...};
  }
  (std::make_index_sequence<count<T>>{});

  // A bit a field.
  template <class T>
  static constexpr std::uint64_t required = []<std::size_t... I>(std::index_sequence<I...>) {
    return ((std::get<I>(list<T>).required ? std::uint64_t{1} << I : 0) | ... | std::uint64_t{0});
  }
  (std::make_index_sequence<count<T>>{});

  // Most senders keep to the order of the list: the search begins behind the field before.
  template <class T>
  bool entry(std::size_t key, std::size_t at, T& out, std::uint64_t& seen, std::size_t& expected) {
    const Node& name = tree_[key];
    if (name.kind != Kind::text && name.kind != Kind::bare) return true;
    std::size_t i = expected;
    for (std::size_t looked = 0; looked < count<T>; ++looked, ++i) {
      if (i == count<T>) i = 0;
      if (rows<T>[i].key != name.text) continue;
      expected = i + 1;
      const std::uint64_t bit = std::uint64_t{1} << i;
      if ((seen & bit) != 0) return fail(" is there twice", rows<T>[i].key);
      seen |= bit;
      return rows<T>[i].read(*this, at, out);
    }
    return true;
  }

  template <class T>
  bool complete(std::uint64_t seen) {
    const std::uint64_t missing = required<T> & ~seen;
    return missing == 0 ||
           fail(" is missing", rows<T>[static_cast<std::size_t>(std::countr_zero(missing))].key);
  }

  bool value(std::size_t at, const Bounds& bounds, std::string& out) {
    const Node& node = tree_[at];
    const bool text = node.kind == Kind::text || node.kind == Kind::bare;
    if (!text || !within(node.text.size(), bounds) || !is_utf8(node.text)) {
      return wrong("text of " + range(bounds) + " bytes", at);
    }
    out = node.text;
    return true;
  }

  bool value(std::size_t at, const Bounds& bounds, Bytes& out) {
    const Node& node = tree_[at];
    if (node.kind == Kind::text && tree_.base64()) {
      if (node.text.size() <= bounds.max * 2 + 4) {
        if (auto bytes = from_base64(node.text); bytes && within(bytes->size(), bounds)) {
          out.data = std::move(*bytes);
          return true;
        }
      }
      return wrong(range(bounds) + " bytes as base64 text", at);
    }
    if (node.kind != Kind::bytes || !within(node.text.size(), bounds))
      return wrong(range(bounds) + " bytes", at);
    out.data = node.text;
    return true;
  }

  bool value(std::size_t at, const Bounds&, bool& out) {
    const Node& node = tree_[at];
    const bool bare = node.kind == Kind::bare && (node.text == "true" || node.text == "false");
    if (node.kind != Kind::boolean && !bare) return wrong("true or false", at);
    out = bare ? node.text == "true" : node.magnitude == 1;
    return true;
  }

  bool value(std::size_t at, const Bounds& bounds, std::uint64_t& out) {
    const auto number = number_of(tree_[at]);
    const bool negative = number && number->negative && number->magnitude != 0;
    if (!number || negative || !within(number->magnitude, bounds)) {
      return wrong("a whole number from " + range(bounds), at);
    }
    out = number->magnitude;
    return true;
  }

  bool value(std::size_t at, const Bounds& bounds, Milliseconds& out) {
    const Node& node = tree_[at];
    const auto number = number_of(node);
    const bool negative = number && number->negative && number->magnitude != 0;
    const bool word = node.kind == Kind::bare && node.text == "forever";
    if (bounds.endless && (word || (negative && number->magnitude == 1))) {
      out = forever;
      return true;
    }
    if (!number || negative || !within(number->magnitude, bounds)) {
      return wrong("whole milliseconds from " + range(bounds) + (bounds.endless ? ", or -1 for ever" : ""),
                   at);
    }
    out = Milliseconds(static_cast<std::int64_t>(number->magnitude));
    return true;
  }

  template <class E>
  requires std::is_enum_v<E>
  bool value(std::size_t at, const Bounds&, E& out) {
    const Node& node = tree_[at];
    const auto& words = Words<E>::list;
    const auto it = std::find(words.begin(), words.end(), node.text);
    if ((node.kind != Kind::text && node.kind != Kind::bare) || it == words.end()) {
      std::string allowed = "one of";
      for (const auto word : words) allowed.append(" ").append(word);
      return wrong(allowed, at);
    }
    out = static_cast<E>(it - words.begin());
    return true;
  }

  template <class T>
  bool value(std::size_t at, const Bounds& bounds, std::optional<T>& out) {
    return value(at, bounds, out.emplace());
  }

  template <class T>
  bool value(std::size_t at, const Bounds& bounds, std::vector<T>& out) {
    const Node& node = tree_[at];
    if (node.kind != Kind::list || !within(node.children, bounds)) {
      return wrong("a list of " + range(bounds) + " items", at);
    }
    out.clear();
    out.reserve(node.children);
    std::size_t item = at + 1;
    for (std::uint32_t i = 0; i < node.children; ++i, item += tree_[item].span) {
      const bool good =
          value(item, std::is_same_v<T, std::string> ? item_text : item_number, out.emplace_back());
      if (!good) return inside("[" + std::to_string(i) + "]");
    }
    return true;
  }

  // A map of any names; the bounds are of their number.
  bool value(std::size_t at, const Bounds& bounds, Attributes& out) {
    const Node& node = tree_[at];
    if (node.kind != Kind::map || !within(node.children / 2, bounds)) {
      return wrong("a map of " + range(bounds) + " attributes", at);
    }
    out = {};
    const std::size_t end = at + node.span;
    for (std::size_t key = at + 1; key < end;) {
      const std::size_t item = key + tree_[key].span;
      const bool named = tree_[key].kind == Kind::text || tree_[key].kind == Kind::bare;
      if (!named) return wrong("names of attributes", key);
      auto read = attribute_at(item);
      if (!read) {
        wrong("a number, a text or a list of texts", item);
        return inside(fit(tree_[key].text, 40));
      }
      if (const std::string problem = out.add(std::string(tree_[key].text), std::move(*read));
          !problem.empty()) {
        what_ = ": " + problem;
        return false;
      }
      key = item + tree_[item].span;
    }
    return true;
  }

  std::optional<Attribute> attribute_at(std::size_t at) const {
    const Node& node = tree_[at];
    switch (node.kind) {
      case Kind::text: return Attribute(std::string(node.text));
      case Kind::integer: return Attribute((node.negative ? -1 : 1) * static_cast<double>(node.magnitude));
      case Kind::real: return Attribute(node.real);
      case Kind::bare: {
        const auto number = number_in(node.text);
        return number ? Attribute(*number) : Attribute(std::string(node.text));
      }
      case Kind::list: {
        std::vector<std::string> texts;
        for (std::size_t item = at + 1; item < at + node.span; ++item) {
          if (tree_[item].kind != Kind::text && tree_[item].kind != Kind::bare) return std::nullopt;
          texts.emplace_back(tree_[item].text);
        }
        return Attribute(std::move(texts));
      }
      default: return std::nullopt;
    }
  }

  template <class Row>
  requires requires { Row::fields(); }
  bool value(std::size_t at, const Bounds&, Row& out) { return map(at, out); }

  bool wrong(std::string_view expected, std::size_t at) {
    what_ = ": expected " + std::string(expected) + ", found " + found(tree_[at]);
    return false;
  }
  bool fail(std::string_view problem, std::string_view key) {
    what_ = problem;
    return inside(key);
  }
  // Adds the key that the value with the problem is below.
  bool inside(std::string_view key) {
    const bool joint = !where_.empty() && !where_.starts_with('[');
    where_ = std::string(key) + (joint ? "." : "") + where_;
    return false;
  }

  const Tree& tree_;
  std::string where_;
  std::string what_;
};

// The value of `key` in the outermost map, also of a tree that is not whole; 0 if there is none.
std::size_t find(const Tree& tree, std::string_view key) {
  if (tree.size() == 0 || tree[0].kind != Kind::map) return 0;
  for (std::size_t at = 1; at + 1 < tree.size();) {
    const std::size_t value = at + tree[at].span;
    if (tree[at].span == 0 || value >= tree.size()) return 0;
    const bool named = tree[at].kind == Kind::text || tree[at].kind == Kind::bare;
    if (named && tree[at].text == key) return value;
    if (tree[value].span == 0) return 0;
    at = value + tree[value].span;
  }
  return 0;
}

// What says how to read a message: the places of its version and op in the outermost map, 0 if they are not there.
struct Heading {
  std::size_t version = 0;
  std::size_t op = 0;
  bool version_twice = false;
  bool op_twice = false;
};

Heading heading_of(const Tree& tree) {
  Heading heading;
  for (std::size_t key = 1; key < tree.size();) {
    const std::size_t value = key + tree[key].span;
    const bool named = tree[key].kind == Kind::text || tree[key].kind == Kind::bare;
    if (named && tree[key].text == "op") {
      heading.op_twice = heading.op != 0;
      if (!heading.op_twice) heading.op = value;
    } else if (named && tree[key].text == "v") {
      heading.version_twice = heading.version != 0;
      if (!heading.version_twice) heading.version = value;
    }
    key = value + tree[value].span;
  }
  return heading;
}

Fault fault(const Tree& tree, Code code, std::string reason) {
  Fault fault{.code = code, .reason = fit(reason, limits::text)};
  const auto text = [&](std::string_view key, std::string& out) {
    const std::size_t at = find(tree, key);
    if (at != 0 && (tree[at].kind == Kind::text || tree[at].kind == Kind::bare))
      out = fit(tree[at].text, limits::name);
  };
  const auto number = [&](std::string_view key, std::uint64_t& out) {
    const std::size_t at = find(tree, key);
    const auto value = at == 0 ? std::nullopt : number_of(tree[at]);
    if (value && !value->negative && value->magnitude <= limits::number) out = value->magnitude;
  };
  text("op", fault.op);
  text("id", fault.id);
  number("session", fault.session);
  number("number", fault.number);
  return fault;
}

using Read = std::variant<Message, Fault> (*)(const Tree&);

template <class M>
std::variant<Message, Fault> read_as(const Tree& tree) {
  // One object on the way out, so that nothing is moved.
  std::variant<Message, Fault> result{std::in_place_index<0>, std::in_place_type<M>};
  Reader reader(tree);
  if (!reader.map(0, std::get<M>(std::get<Message>(result)))) {
    result = fault(tree, Code::bad_message, std::string(M::op) + ": " + reader.reason());
  }
  return result;
}

struct Entry {
  std::string_view op;
  Read read;
};

template <class... Ms>
constexpr auto sorted_entries(const std::variant<Ms...>*) {
  std::array<Entry, sizeof...(Ms)> entries{Entry{Ms::op, read_as<Ms>}...};
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.op < b.op; });
  return entries;
}

constexpr auto entries = sorted_entries(static_cast<const Message*>(nullptr));

std::string known_ops() {
  std::string list;
  for (const Entry& entry : entries) list.append(" ").append(entry.op);
  return list;
}

}  // namespace

std::variant<Message, Fault> read(const Tree& tree) {
  if (tree.size() == 0 || tree[0].kind != Kind::map) {
    return fault(tree, Code::bad_message,
                 "the body is no map; a msgpack map, or a JSON object whose first byte is {, was expected");
  }

  const Heading heading = heading_of(tree);
  // The version comes first: of another one nothing else is known.
  const std::size_t version = heading.version;
  if (version != 0 && tree[version].kind != Kind::nil) {
    const auto number = number_of(tree[version]);
    if (!number || number->negative || number->magnitude != protocol_version) {
      return fault(tree, Code::wrong_version,
                   "field `v`: version " + std::to_string(protocol_version) +
                       " of the protocol is spoken here, found " + found(tree[version]));
    }
    if (heading.version_twice) return fault(tree, Code::bad_message, "field `v` is there twice");
  }

  const std::size_t op = heading.op;
  if (op == 0) return fault(tree, Code::bad_message, "field `op` is missing: it says what the message is");
  if (tree[op].kind != Kind::text && tree[op].kind != Kind::bare) {
    return fault(tree, Code::bad_message, "field `op`: expected text, found " + found(tree[op]));
  }
  if (heading.op_twice) return fault(tree, Code::bad_message, "field `op` is there twice");

  const auto entry = std::lower_bound(entries.begin(), entries.end(), tree[op].text,
                                      [](const Entry& e, std::string_view text) { return e.op < text; });
  if (entry == entries.end() || entry->op != tree[op].text) {
    return fault(
        tree, Code::unknown_op,
        "field `op`: no message is called " + quoted(fit(tree[op].text, 40)) + "; there are" + known_ops());
  }
  return entry->read(tree);
}

Fault broken(const Tree& tree, std::string problem) {
  return fault(tree, Code::bad_message, std::move(problem));
}

}  // namespace pointsman
