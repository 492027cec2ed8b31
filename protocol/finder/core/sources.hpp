// Sources: where brokers are looked for, as users write it.
//
//   tcp://10.0.0.1:5570, ipc:///run/clients        brokers themselves; behind a space may stand their public key
//   file:/etc/pointsman/brokers                    a file with endpoints, one a line; read anew when it changes
//   dns:brokers.example.org[:PORT]                 every address of a name
//   lookup:tcp://10.0.0.1:5570                     the brokers below that one, its public key behind a space as above
//   auto, auto:GROUP                               whoever answers a question to all on the local networks
//   env:NAME                                       what an environment variable says, any of the above
//
// Any number of these, with commas between them. In a file a line that begins with `#` is a comment.
// Pure functions, thread safe.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/finding.hpp"
#include "protocol/limits.hpp"

namespace pointsman::finder {

struct Source {
  enum class Kind : std::uint8_t { endpoint, file, name, lookup, network };
  Kind kind = Kind::endpoint;
  std::string what;        // an endpoint, a path, a host's name or a group
  std::uint16_t port = 0;  // of a name
  std::string key;         // of what is an endpoint: Z85; empty: not said here

  friend bool operator==(const Source&, const Source&) = default;
};

// The group that `auto` means.
inline constexpr std::string_view default_group = "default";

using Sources = std::vector<Source>;

// What is wrong with a source, for people.
struct SourceFault {
  std::string problem;
  std::string remedy;
};

// What an environment variable says; null: nothing.
using Variables = std::function<const char*(const char*)>;

// `port` is that of names without one. Without `variables` env: is no source.
std::variant<Sources, SourceFault> parse_sources(std::string_view text, std::uint16_t port,
                                                 const Variables& variables = {});
std::variant<Sources, SourceFault> parse_source_file(std::string_view text);

// As it was written; of a variable what it said.
std::string to_text(const Source& source);

// The one endpoint, if there is nothing to look for.
bool is_single(const Sources& sources);

}  // namespace pointsman::finder
