// Random messages: every kind, every field, within the bounds; the same for the same seed.

#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "protocol/messages.hpp"

namespace pointsman {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  // SplitMix64, so that a seed means the same with every library.
  std::uint64_t roll() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  std::uint64_t between(std::uint64_t min, std::uint64_t max) {
    return max - min == std::numeric_limits<std::uint64_t>::max() ? roll() : min + roll() % (max - min + 1);
  }

  bool one_in(std::uint64_t n) { return roll() % n == 0; }

  // Mostly near a bound, where mistakes are.
  std::uint64_t near(std::uint64_t min, std::uint64_t max) {
    switch (roll() % 4) {
      case 0: return min;
      case 1: return max;
      case 2: return between(min, max < min + 20 ? max : min + 20);
      default: return between(min, max);
    }
  }

 private:
  std::uint64_t state_;
};

enum class Fill : std::uint8_t { any, required_only };

template <class T>
T random_object(Dice& dice, Fill fill);

// What trips writers and parsers up, besides plain words.
inline std::string random_text(Dice& dice, std::uint64_t min, std::uint64_t max) {
  static const std::vector<std::string> pieces{
      "a", "Z", "9", "-", "r1", "true", "forever", "b64", " ", "\"", "\\", "\n", "\t", std::string(1, '\0'), "\x1f",
      "\x7f", "=", "{", "]", "|", "#", "\u00e9", "\u20ac", "\U0001F600", "null", "-1", "\\x00"};
  std::string text;
  const std::uint64_t length = dice.one_in(8) ? dice.near(min, max) : dice.between(min, max < 12 ? max : 12);
  while (text.size() < length) {
    const std::string& piece = pieces[dice.between(0, pieces.size() - 1)];
    text += text.size() + piece.size() <= max ? piece : std::string("x");
  }
  return text;
}

// Names that make trouble in the notation, and texts that look like numbers.
inline Attributes random_attributes(Dice& dice, std::uint64_t min, std::uint64_t max) {
  Attributes out;
  const std::uint64_t wanted = dice.one_in(8) ? dice.near(min, max) : dice.between(min, max < 3 ? max : 3);
  while (out.size() < wanted) {
    std::string name = "a" + std::to_string(out.size()) + (dice.one_in(2) ? "" : ".b-c");
    std::string problem;
    switch (dice.between(0, 4)) {
      case 0:
        problem = out.add(std::move(name),
                          static_cast<double>(dice.near(0, limits::number)) * (dice.one_in(2) ? 1 : -1));
        break;
      case 1: problem = out.add(std::move(name), static_cast<double>(dice.near(0, 1000)) / 7); break;
      case 2:
        problem =
            out.add(std::move(name), std::vector<std::string>(dice.between(0, 3), random_text(dice, 0, 12)));
        break;
      case 3:
        problem =
            out.add(std::move(name), std::vector<std::string>{"64", "64G", "-1", "1e5"}[dice.between(0, 3)]);
        break;
      default: problem = out.add(std::move(name), random_text(dice, 0, limits::attribute_text)); break;
    }
    if (!problem.empty()) break;  // they are as long as they may be
  }
  return out;
}

template <class Value>
Value random_value(Dice& dice, std::uint64_t min, std::uint64_t max, bool endless) {
  if constexpr (std::is_same_v<Value, std::string>) {
    return random_text(dice, min, max);
  } else if constexpr (std::is_same_v<Value, Bytes>) {
    std::string bytes(dice.near(min, max), '\0');
    for (char& byte : bytes) byte = static_cast<char>(dice.roll());
    return {bytes};
  } else if constexpr (std::is_same_v<Value, bool>) {
    return dice.one_in(2);
  } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
    return dice.near(min, max);
  } else if constexpr (std::is_same_v<Value, Milliseconds>) {
    if (endless && dice.one_in(4)) return forever;
    return Milliseconds(static_cast<std::int64_t>(dice.near(min, max)));
  } else if constexpr (std::is_enum_v<Value>) {
    return static_cast<Value>(dice.between(0, Words<Value>::list.size() - 1));
  } else if constexpr (std::is_same_v<Value, Attributes>) {
    return random_attributes(dice, min, max);
  } else if constexpr (requires {
                         typename Value::value_type;
                         Value{}.size();
                       }) {
    using Item = typename Value::value_type;
    Value list;
    const std::uint64_t size = dice.one_in(20) ? dice.near(min, max < 300 ? max : 300) : dice.between(min, max < 3 ? max : 3);
    for (std::uint64_t i = 0; i < size; ++i) {
      list.push_back(random_value<Item>(dice, 0, std::is_same_v<Item, std::string> ? limits::text : limits::number, false));
    }
    return list;
  } else if constexpr (requires { Value::fields(); }) {
    return random_object<Value>(dice, Fill::any);
  } else {
    return random_value<typename Value::value_type>(dice, min, max, endless);  // an optional
  }
}

template <class T>
T random_object(Dice& dice, Fill fill) {
  T object;
  each_field<T>([&](const auto& field) {
    if (!field.required && (fill == Fill::required_only || dice.one_in(3))) return;
    using Value = std::remove_cvref_t<decltype(object.*field.member)>;
    object.*field.member = random_value<Value>(dice, field.min, field.max, field.endless);
  });
  return object;
}

template <class... Ms>
std::vector<Message> one_of_each(const std::variant<Ms...>*, Dice& dice, Fill fill) {
  return {Message(random_object<Ms>(dice, fill))...};
}
inline std::vector<Message> one_of_each(Dice& dice, Fill fill = Fill::any) {
  return one_of_each(static_cast<const Message*>(nullptr), dice, fill);
}

}  // namespace pointsman
