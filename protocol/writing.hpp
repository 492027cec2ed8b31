// Writing: walks a message's list of fields and tells a writer what to write. Fields at their defaults are left
// out, unless they are required. Text that a peer would refuse is mended: it is cut to its bound, and bytes that are
// no UTF-8 are replaced.
//
// A writer has: message(op, fields) key(k) map(fields) end_map() list(items) item() end_list() end_message()
//               text(s) bytes(s) word(s) number(n) flag(b) duration(ms) real(d)
//               either(s): a text where a number could stand, too

#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#include "protocol/messages.hpp"
#include "protocol/utf8.hpp"

namespace pointsman {

template <class Writer, class T>
void write_fields(Writer& writer, const T& object);
template <class T>
std::size_t count_fields(const T& object);

template <class T>
struct ListOf : std::false_type {};
template <class T>
struct ListOf<std::vector<T>> : std::true_type {};

// Attributes are within their bounds, or Attributes had not taken them.
template <class Writer>
void write_attribute(Writer& writer, const Attribute& value) {
  if (const auto* number = std::get_if<double>(&value)) return writer.real(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return writer.either(*text);
  const auto& set = std::get<std::vector<std::string>>(value);
  writer.list(set.size());
  for (const std::string& text : set) {
    writer.item();
    writer.text(text);
  }
  writer.end_list();
}

// `max` is the bound of a text, and of each text in a list.
template <class Writer, class Value>
void write_value(Writer& writer, const Value& value, std::size_t max) {
  if constexpr (std::is_same_v<Value, std::string>) {
    value.size() <= max&& is_utf8(value) ? writer.text(value) : writer.text(fit(value, max));
  } else if constexpr (std::is_same_v<Value, Bytes>) {
    writer.bytes(value.data);
  } else if constexpr (std::is_same_v<Value, bool>) {
    writer.flag(value);
  } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
    writer.number(value);
  } else if constexpr (std::is_same_v<Value, Milliseconds>) {
    writer.duration(value);
  } else if constexpr (std::is_enum_v<Value>) {
    writer.word(word(value));
  } else if constexpr (std::is_same_v<Value, Attributes>) {
    writer.map(value.size());
    for (const auto& [name, attribute] : value.list()) {
      writer.key(name);
      write_attribute(writer, attribute);
    }
    writer.end_map();
  } else if constexpr (ListOf<Value>::value) {
    writer.list(value.size());
    for (const auto& item : value) {
      writer.item();
      write_value(writer, item, limits::text);
    }
    writer.end_list();
  } else {
    writer.map(count_fields(value));
    write_fields(writer, value);
    writer.end_map();
  }
}

template <class Writer, class Value>
void write_value(Writer& writer, const std::optional<Value>& value, std::size_t max) {
  write_value(writer, *value, max);
}

// Made once, when compiling.
template <class T>
inline constexpr auto fields_of = T::fields();

template <class T>
const T& defaults_of() {
  static const T defaults{};
  return defaults;
}

template <class T, class Field>
bool is_written(const T& object, const T& defaults, const Field& field) {
  return field.required || object.*field.member != defaults.*field.member;
}

template <class T>
std::size_t count_fields(const T& object) {
  const T& defaults = defaults_of<T>();
  return fields_of<T>([&](const auto&... field) {
    return (std::size_t{0} + ... + (is_written(object, defaults, field) ? 1U : 0U));
  });
}

template <class Writer, class T>
void write_fields(Writer& writer, const T& object) {
  const T& defaults = defaults_of<T>();
  const auto write = [&](const auto& field) {
    if (!is_written(object, defaults, field)) return;
    writer.key(field.key);
    write_value(writer, object.*field.member, field.max);
  };
  fields_of<T>([&](const auto&... field) { (write(field), ...); });
}

template <class Writer>
void write_message(Writer& writer, const Message& message) {
  std::visit(
      [&](const auto& m) {
        writer.message(std::remove_cvref_t<decltype(m)>::op, count_fields(m));
        write_fields(writer, m);
        writer.end_message();
      },
      message);
}

}  // namespace pointsman
