// Small pools of names and times: what is drawn from few meets often.

#include "test/fuzz/invented.hpp"

#include <array>
#include <type_traits>

#include "protocol/must.hpp"

namespace pointsman::fuzz {

namespace {

constexpr std::size_t remembered = 8;  // values of one field

template <class Value>
void remember(std::deque<Value>& values, const Value& value) {
  if (std::find(values.begin(), values.end(), value) != values.end()) return;
  values.push_back(value);
  if (values.size() > remembered) values.pop_front();
}

template <class... Ms>
Message any_of(const std::variant<Ms...>*, Input& input, const Known& known) {
  return invent_one_of<Ms...>(input, known);
}

}  // namespace

template <class T>
void Known::note_fields(const T& object) {
  each_field<T>([&](const auto& field) {
    const auto& value = object.*field.member;
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::uint64_t>) {
      note_number(field.key, value);
    } else if constexpr (std::is_same_v<Value, Bytes>) {
      note_bytes(field.key, value);
    } else if constexpr (requires { Value::value_type::fields(); }) {
      for (const auto& item : value) note_fields(item);
    }
  });
}

void Known::note(const Message& message) {
  std::visit([this](const auto& m) { note_fields(m); }, message);
}

void Known::note_number(std::string_view key, std::uint64_t value) {
  if (value != 0) remember(numbers_[std::string(key)], value);
}

void Known::note_bytes(std::string_view key, const Bytes& value) {
  if (!value.data.empty()) remember(bytes_[std::string(key)], value);
}

std::uint64_t Known::number(Input& input, std::string_view key, std::uint64_t min, std::uint64_t max) const {
  const std::uint8_t choice = input.byte();
  std::uint64_t value = 0;
  if (choice < 0x80) {
    const auto found = numbers_.find(key);
    if (found != numbers_.end()) {
      value = found->second[found->second.size() - 1 - (choice & 0x1f) % found->second.size()];
      if (choice >= 0x60) ++value;
    } else {
      value = choice & 0x1f;
    }
  } else if (choice < 0xf0) {
    value = choice & 0x1f;
  } else if (choice == 0xff) {
    value = max;
  } else {
    value = input.number(8) & limits::number;
  }
  return std::clamp(value, min, max);
}

Bytes Known::bytes(Input& input, std::string_view key, std::uint64_t min, std::uint64_t max) const {
  const std::uint8_t choice = input.byte();
  const auto found = bytes_.find(key);
  Bytes value;
  if (choice < 0xe0 && found != bytes_.end()) value = found->second[found->second.size() - 1 - choice % found->second.size()];
  else value.data = std::string(input.take(choice & 0x1f));
  if (choice >= 0xc0 && !value.data.empty()) {
    char& altered = value.data[input.number(2) % value.data.size()];
    altered = static_cast<char>(altered ^ (1 << input.below(8)));
  }
  value.data.resize(std::clamp<std::size_t>(value.data.size(), min, max), '\x55');
  return value;
}

Milliseconds invent_time(Input& input, std::uint64_t min, std::uint64_t max, bool endless) {
  static constexpr std::array<std::uint64_t, 14> usual{0,      1,      10,      100,     250,     1000,            2000,
                                                       5000, 10'000, 30'000, 60'000, 300'000, limits::day_ms, limits::year_ms};
  const std::uint8_t choice = input.byte();
  if (choice == 0xff && endless) return forever;
  const std::uint64_t value = choice == 0xfe   ? max
                              : choice < 0xe0 ? usual[choice % usual.size()]
                                               : input.number(choice < 0xf0 ? 2 : 7);
  return Milliseconds(static_cast<std::int64_t>(std::clamp(value, min, max)));
}

std::string invent_text(Input& input, std::string_view key, std::uint64_t min, std::uint64_t max) {
  struct Pool {
    std::string_view key;
    std::string_view start;
    std::size_t size;
  };
  static constexpr std::array<Pool, 9> pools{{{"service", "s", 3},
                                              {"worker", "w", 4},
                                              {"exclude", "w", 4},
                                              {"linked", "w", 4},
                                              {"client", "c", 3},
                                              {"id", "r", 8},
                                              {"instance", "i", 3},
                                              {"endpoint", "tcp://127.0.0.1:", 4},
                                              {"about", "", 1}}};
  const std::uint8_t choice = input.byte();
  std::string text;
  const auto pool = std::find_if(pools.begin(), pools.end(), [&](const Pool& p) { return p.key == key; });
  if (choice == 0xff) {
    text = std::string(max, 'x');
  } else if (choice >= 0xf8) {
    // What is text on the wire is UTF-8, but may be any.
    for (const char c : input.take(choice & 7)) text += c >= 0 ? std::string(1, c) : "\u20ac";
  } else if (key == "about") {
    static constexpr std::array<std::string_view, 8> ops{"request", "cancel", "release", "renew",
                                                         "call",    "open",   "register", "heartbeat"};
    text = ops[choice % ops.size()];
  } else if (key == "when" || key == "accepts") {
    static constexpr std::array<std::string_view, 10> conditions{
        "a == 1", "a in {1, x}", "not has a",        "b > 1 and a == x",  "a == y or b <= 2",
        "a != 1", "(has b)",     "b>1 and a==\"x\"", "a == 1 and a == 2", "a ="};
    text = conditions[choice % conditions.size()];
  } else if (key == "prefer") {
    static constexpr std::array<std::string_view, 5> wishes{"+b", "-b", "a == 1; +b", "has a", "+"};
    text = wishes[choice % wishes.size()];
  } else if (pool != pools.end()) {
    text = std::string(pool->start) + std::to_string(choice % pool->size + 1);
  } else if (key != "key" && choice % 4 != 0) {
    text = "t" + std::to_string(choice % 4);
  }
  if (text.size() > max) text = std::string(max, 'x');
  if (text.size() < min) text.append(min - text.size(), 'x');
  return text;
}

Attributes invent_attributes(Input& input) {
  static constexpr std::array<std::string_view, 4> as{"a=1", "a=2", "a=x", "a={x, y}"};
  static constexpr std::array<std::string_view, 4> bs{"b=1", "b=2", "b=3", "b=z"};
  const std::uint8_t choice = input.byte();
  Attributes out;
  if ((choice & 1) != 0) MUST(add_attribute(as[(choice >> 1) % 4], out).empty());
  if ((choice & 8) != 0) MUST(add_attribute(bs[(choice >> 4) % 4], out).empty());
  return out;
}

Message invent_any(Input& input, const Known& known) {
  return any_of(static_cast<const Message*>(nullptr), input, known);
}

}  // namespace pointsman::fuzz
