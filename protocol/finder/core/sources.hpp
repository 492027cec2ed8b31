// Sources: where brokers are looked for, as users write it.
//
//   tcp://10.0.0.1:5570, ipc:///run/clients        brokers themselves; behind a space may stand their public key, and in
//                                                  front their name: a=tcp://10.0.0.1:5570
//   file:/etc/pointsman/brokers                    a file with endpoints, one a line; read anew when it changes
//   dns:brokers.example.org[:PORT]                 every address of a name
//   lookup:tcp://10.0.0.1:5570                     the brokers below that one, its public key behind a space as above
//   etcd://10.0.0.1:2379,10.0.0.2:2379/PREFIX      the brokers that are in a list in etcd; etcds:// by TLS
//   auto, auto:GROUP                               whoever answers a question to all on the local networks
//   env:NAME                                       what an environment variable says, any of the above
//   home                                           no place, but how to choose: each service has its order of them
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
  enum class Kind : std::uint8_t { endpoint, file, name, lookup, etcd, network };
  Kind kind = Kind::endpoint;
  std::string what;        // an endpoint, a path, a host's name, a list in etcd as it was written, or a group
  std::uint16_t port = 0;  // of a name
  std::string key;         // of what is an endpoint: Z85; empty: not said here
  std::string name{};      // of a broker, by which a service has its order; empty: not said here
  bool home = false;       // the list says so

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

// A list in etcd: the members of its cluster, each http://HOST:PORT or https://HOST:PORT, and what the keys begin with.
struct EtcdList {
  std::vector<std::string> urls;
  std::string prefix;  // with a slash in front, and none at its end
};

// etcd://HOST:PORT[,HOST:PORT]/PREFIX, or etcds://.
std::variant<EtcdList, SourceFault> parse_etcd(std::string_view text);

// As it was written, but for `home`; of a variable what it said.
std::string to_text(const Source& source);

// Whether each service has its order of the brokers.
bool is_home(const Sources& sources);

// The one endpoint, if there is nothing to look for.
bool is_single(const Sources& sources);

}  // namespace pointsman::finder
