// Tables: what PROTOCOL.md must say about the vocabulary, made from the vocabulary itself.

#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "protocol/messages.hpp"

namespace pointsman {

// Rows of cells. The first cell is the row's name; the last `kept` columns are written by hand in the document.
struct Table {
  std::vector<std::string> columns;
  std::size_t kept = 0;
  std::vector<std::vector<std::string>> rows;
};

template <class T>
struct TypeName;  // of rows and enumerations, as the document calls them
template <> struct TypeName<Code> { static constexpr std::string_view value = "code"; };
template <> struct TypeName<Policy> { static constexpr std::string_view value = "policy"; };
template <> struct TypeName<Direct> { static constexpr std::string_view value = "direct"; };
template <> struct TypeName<Ending> { static constexpr std::string_view value = "ending"; };
template <> struct TypeName<DrainMode> { static constexpr std::string_view value = "mode"; };
template <> struct TypeName<Subject> { static constexpr std::string_view value = "subject"; };
template <> struct TypeName<State> { static constexpr std::string_view value = "state"; };
template <> struct TypeName<Happening> { static constexpr std::string_view value = "happening"; };
template <> struct TypeName<ProcessKind> { static constexpr std::string_view value = "process kind"; };
template <> struct TypeName<ProcessState> { static constexpr std::string_view value = "process state"; };
template <> struct TypeName<ProcessRow> { static constexpr std::string_view value = "process row"; };
template <> struct TypeName<ServiceRow> { static constexpr std::string_view value = "service row"; };
template <> struct TypeName<WorkerRow> { static constexpr std::string_view value = "worker row"; };
template <> struct TypeName<SessionRow> { static constexpr std::string_view value = "session row"; };
template <> struct TypeName<WaitingRow> { static constexpr std::string_view value = "waiting row"; };
template <> struct TypeName<BrokerRow> { static constexpr std::string_view value = "broker row"; };
template <> struct TypeName<CandidateRow> { static constexpr std::string_view value = "candidate row"; };
template <> struct TypeName<Counter> { static constexpr std::string_view value = "counter row"; };
template <> struct TypeName<Offer> { static constexpr std::string_view value = "offer row"; };
template <> struct TypeName<Held> { static constexpr std::string_view value = "held row"; };
template <> struct TypeName<RefusedTickets> { static constexpr std::string_view value = "refused tickets row"; };
template <> struct TypeName<SessionEvent> { static constexpr std::string_view value = "session event row"; };
template <> struct TypeName<Assignment> { static constexpr std::string_view value = "assignment row"; };

// How one type of field looks in a table.
template <class T>
struct Looks {
  static constexpr bool word = std::is_enum_v<T>;
  static std::string type() { return (word ? "word: " : "") + std::string(TypeName<T>::value); }
  static std::string unit() { return "-"; }
  static std::string text(const T& value) {
    if constexpr (word) return std::string(pointsman::word(value));
    return "-";
  }
};
template <>
struct Looks<std::string> {
  static std::string type() { return "text"; }
  static std::string unit() { return "bytes"; }
  static std::string text(const std::string&) { return "empty"; }
};
template <>
struct Looks<Bytes> {
  static std::string type() { return "bytes"; }
  static std::string unit() { return "bytes"; }
  static std::string text(const Bytes&) { return "empty"; }
};
template <>
struct Looks<Attributes> {
  static std::string type() { return "attributes"; }
  static std::string unit() { return "items"; }
  static std::string text(const Attributes&) { return "none"; }
};
template <>
struct Looks<bool> {
  static std::string type() { return "flag"; }
  static std::string unit() { return "-"; }
  static std::string text(bool) { return "false"; }
};
template <>
struct Looks<std::uint64_t> {
  static std::string type() { return "number"; }
  static std::string unit() { return "-"; }
  static std::string text(std::uint64_t value) { return std::to_string(value); }
};
template <>
struct Looks<Milliseconds> {
  static std::string type() { return "duration"; }
  static std::string unit() { return "ms"; }
  static std::string text(Milliseconds value) { return std::to_string(value.count()); }
};
template <class T>
struct Looks<std::vector<T>> {
  static std::string type() { return "list of " + Looks<T>::type(); }
  static std::string unit() { return "items"; }
  static std::string text(const std::vector<T>&) { return "empty"; }
};
template <class T>
struct Looks<std::optional<T>> : Looks<T> {
  static std::string text(const std::optional<T>&) { return "unset"; }
};

inline std::string bound(std::uint64_t value) {
  return value == limits::number ? "2^53-1" : std::to_string(value);
}

template <class T>
Table table_of() {
  Table table{{"field", "type", "unit", "bounds", "required", "default", "meaning"}, 1, {}};
  const T defaults{};
  each_field<T>([&](const auto& field) {
    using Shape = Looks<std::remove_cvref_t<decltype(defaults.*field.member)>>;
    std::string bounds = field.max <= 1 && Shape::unit() == "-" ? "-" : bound(field.min) + ".." + bound(field.max);
    if (field.endless) bounds += " or -1";
    table.rows.push_back({"`" + std::string(field.key) + "`", Shape::type(), Shape::unit(), bounds,
                          field.required ? "yes" : "-",
                          field.required ? "-" : Shape::text(defaults.*field.member)});
  });
  return table;
}

template <class E>
Table words_of(std::vector<std::string> columns = {"word", "meaning"}) {
  Table table{columns, columns.size() - 1, {}};
  for (const auto word : Words<E>::list) table.rows.push_back({"`" + std::string(word) + "`"});
  return table;
}

template <class... Ms>
void add_messages(const std::variant<Ms...>*, std::map<std::string, Table>& tables) {
  (tables.emplace("message " + std::string(Ms::op), table_of<Ms>()), ...);
  Table& index = tables["messages"];
  index = {{"message", "from", "to", "answered by"}, 3, {}};
  (index.rows.push_back({"`" + std::string(Ms::op) + "`"}), ...);
}

template <class... Rows>
void add_rows(std::map<std::string, Table>& tables) {
  (tables.emplace(std::string(TypeName<Rows>::value), table_of<Rows>()), ...);
}

template <class... Es>
void add_words(std::map<std::string, Table>& tables) {
  (tables.emplace("words of " + std::string(TypeName<Es>::value), words_of<Es>()), ...);
}

}  // namespace pointsman
