// Invented messages: any kind, within the bounds of their fields, and rather about what there is than about nothing.
//
// What a core names in its messages is known from then on: sessions, leases, tickets. A number in an invented message is
// often one of these, or the one after it.

#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.hpp"
#include "test/fuzz/input.hpp"

namespace pointsman::fuzz {

class Known {
 public:
  void note(const Message& message);
  void note_number(std::string_view key, std::uint64_t value);
  void note_bytes(std::string_view key, const Bytes& value);

  std::uint64_t number(Input& input, std::string_view key, std::uint64_t min, std::uint64_t max) const;
  Bytes bytes(Input& input, std::string_view key, std::uint64_t min, std::uint64_t max) const;

 private:
  template <class T>
  void note_fields(const T& object);

  std::map<std::string, std::deque<std::uint64_t>, std::less<>> numbers_;  // by field; the newest few
  std::map<std::string, std::deque<Bytes>, std::less<>> bytes_;
};

// A duration in whole milliseconds, mostly one that is used; and a text that fits the field `key`.
Milliseconds invent_time(Input& input, std::uint64_t min, std::uint64_t max, bool endless);
std::string invent_text(Input& input, std::string_view key, std::uint64_t min, std::uint64_t max);

// A few that conditions ask for.
Attributes invent_attributes(Input& input);

template <class T>
T invent(Input& input, const Known& known);

template <class Value>
Value invent_value(Input& input, const Known& known, std::string_view key, std::uint64_t min, std::uint64_t max,
                   bool endless) {
  if constexpr (std::is_same_v<Value, std::string>) {
    return invent_text(input, key, min, max);
  } else if constexpr (std::is_same_v<Value, Bytes>) {
    return known.bytes(input, key, min, max);
  } else if constexpr (std::is_same_v<Value, bool>) {
    return input.bit();
  } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
    return known.number(input, key, min, max);
  } else if constexpr (std::is_same_v<Value, Milliseconds>) {
    return invent_time(input, min, max, endless);
  } else if constexpr (std::is_enum_v<Value>) {
    return static_cast<Value>(input.below(Words<Value>::list.size()));
  } else if constexpr (std::is_same_v<Value, Attributes>) {
    return invent_attributes(input);
  } else if constexpr (requires {
                         typename Value::value_type;
                         Value{}.size();
                       }) {
    using Item = typename Value::value_type;
    Value list;
    const std::size_t choice = input.byte();
    const std::size_t size = std::clamp<std::size_t>(choice < 0xf0 ? choice % 4 : choice - 0xe0, min, max);
    for (std::size_t i = 0; i < size; ++i) {
      list.push_back(invent_value<Item>(input, known, key, 0, std::is_same_v<Item, std::string> ? limits::text : limits::number, false));
    }
    return list;
  } else if constexpr (requires { Value::fields(); }) {
    return invent<Value>(input, known);
  } else {
    return invent_value<typename Value::value_type>(input, known, key, min, max, endless);  // an optional
  }
}

template <class T>
T invent(Input& input, const Known& known) {
  T object;
  int bits = 0;
  std::uint8_t there = 0;
  each_field<T>([&](const auto& field) {
    if (!field.required) {
      if (bits == 0) {
        there = input.byte();
        bits = 8;
      }
      --bits;
      const bool left_out = (there & 1) == 0;
      there = static_cast<std::uint8_t>(there >> 1);
      if (left_out) return;
    }
    using Value = std::remove_cvref_t<decltype(object.*field.member)>;
    object.*field.member = invent_value<Value>(input, known, field.key, field.min, field.max, field.endless);
  });
  return object;
}

// One of these kinds; one byte says which.
template <class... Ms>
Message invent_one_of(Input& input, const Known& known) {
  using Maker = Message (*)(Input&, const Known&);
  static constexpr Maker makers[]{[](Input& i, const Known& k) -> Message { return invent<Ms>(i, k); }...};
  return makers[input.below(sizeof...(Ms))](input, known);
}

// Any kind at all.
Message invent_any(Input& input, const Known& known);

}  // namespace pointsman::fuzz
