// How a message lists its fields: each once, with its key on the wire and its bounds.
//
// Every face of a message (msgpack, JSON, notation, the tables in PROTOCOL.md) is made from this list.

#pragma once

#include <cstdint>
#include <string_view>

namespace pointsman {

// One field of the struct `Owner`. `min` and `max` bound the value of a number, the bytes of a text
// and the count of a list. A field that is not required and left out has its default.
template <class Owner, class Value>
struct Field {
  std::string_view key;
  Value Owner::*member;
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  bool required = false;
  bool endless = false;  // a duration that may also be `forever`
};

template <class Owner, class Value>
constexpr Field<Owner, Value> need(std::string_view key, Value Owner::*member, std::uint64_t min,
                                   std::uint64_t max) {
  return {key, member, min, max, true};
}

template <class Owner, class Value>
constexpr Field<Owner, Value> may(std::string_view key, Value Owner::*member, std::uint64_t min,
                                  std::uint64_t max) {
  return {key, member, min, max, false};
}

// A duration that may be `forever`.
template <class Owner, class Value>
constexpr Field<Owner, Value> endless(Field<Owner, Value> field) {
  field.endless = true;
  return field;
}

template <class Owner>
constexpr Field<Owner, bool> flag(std::string_view key, bool Owner::*member) {
  return {key, member, 0, 1, false};
}

// The fields of a message in order: calls what it is given with all of them. A tuple would do as well, and took most of
// the time of compiling a file that includes messages.
template <class... Field>
constexpr auto listed(Field... field) {
  return [=](auto&& use) { return use(field...); };
}

// Calls `visit` with each field of `T` in order.
template <class T, class Visit>
constexpr void each_field(Visit&& visit) {
  T::fields()([&](const auto&... field) { (visit(field), ...); });
}

// An enumeration travels as a word. A specialisation gives the words in the order of the values.
template <class Enum>
struct Words;  // static constexpr std::array<std::string_view, N> list

template <class Enum>
constexpr std::string_view word(Enum value) {
  return Words<Enum>::list[static_cast<std::size_t>(value)];
}

}  // namespace pointsman
