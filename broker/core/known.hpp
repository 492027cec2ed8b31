// Known: what operators have put down about a worker, a client or a key, in a database; and the text of it.
//
// Where keys are configured, what is known of keys counts; else what is known of names. A record goes before what
// its party says of itself, and narrows what it may do, never widens it. As text it is one line:
//
//   ABOUT NAME [FIELD=VALUE …] [: ATTRIBUTE=VALUE …]
//   worker zip-1 tenant=lab offers=zip,img.* : gpu=h200 mem=64G
//   client ann priority=3 priority_max=5 sessions=10 waiting=5 asks=zip
//   key rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 tenant=lab
//
// tenant           whose it is: conditions see it as the attribute `tenant`, which nobody can say of itself
// priority         of requests that say none; priority_max: higher ones are cut to it
// sessions, waiting  of a client at a time; 0: as many as the broker takes
// asks, offers     services that a client may ask for, a worker may offer: names, or beginnings of names with * behind
//
// Pure values and functions, no clock and no file. Thread safe while nobody writes.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/attributes.hpp"
#include "protocol/fields.hpp"
#include "protocol/limits.hpp"

namespace pointsman::broker {

enum class About : std::uint8_t { worker, client, key, count_ };

struct Known {
  About about = About::worker;
  std::string name;  // of a key: in Z85
  std::string tenant;
  std::uint64_t priority = 0;
  std::uint64_t priority_max = limits::priority;
  std::uint64_t sessions = 0;
  std::uint64_t waiting = 0;
  std::vector<std::string> asks{"*"};
  std::vector<std::string> offers{"*"};
  Attributes attributes;
  friend bool operator==(const Known&, const Known&) = default;

  // As good as no record.
  bool says_nothing() const;
};

// The attribute that `tenant` is to conditions.
inline constexpr std::string_view tenant_name = "tenant";

// What counts of a party that says `said`, where that is something else: what is known goes before it, and as much of
// it as attributes may be. `known` may be none.
std::optional<Attributes> counting(const Attributes& said, const Known* known);

// What counts of the priority that a request says.
std::uint64_t counting(std::uint64_t priority, const Known* known);

// What is wrong, and what to do.
struct KnownFault {
  std::string problem;
  std::string remedy;
};

// The parts of a record as texts, in the order of `known_columns`: as databases have them.
inline constexpr std::array<std::string_view, 10> known_columns{
    "about", "name", "tenant", "priority", "priority_max", "sessions", "waiting", "asks", "offers", "attributes"};
using Columns = std::array<std::string, known_columns.size()>;
Columns columns_of(const Known& known);
std::variant<Known, KnownFault> known_of(const Columns& texts);

// One line without its end, and back.
std::string to_line(const Known& known);
std::variant<Known, KnownFault> parse_known(std::string_view line);

// "zip,img.*"
std::string to_text(const std::vector<std::string>& patterns);

}  // namespace pointsman::broker

template <>
struct pointsman::Words<pointsman::broker::About> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(pointsman::broker::About::count_)> list{
      "worker", "client", "key"};
};
