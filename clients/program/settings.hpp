// Settings: what the program was told by flag, environment and file, and where each value came from.
//
// Every setting has one name, `section.key`, in the file, in `config show` and in errors. A flag goes before
// the environment, that before the file, that before the default.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/shell.hpp"
#include "clients/program/problem.hpp"
#include "clients/program/process_settings.hpp"
#include "protocol/names.hpp"

namespace pointsman::program {

// [up]: what `pointsman up` runs besides the broker, and how.
struct UpSettings {
  std::string folder;             // for its sockets; empty: one that goes with the file
  Duration stop{std::chrono::seconds(10)};
  bool broker = true;             // runs one
  Duration ready{std::chrono::seconds(30)};     // of the broker
  Duration watchdog{std::chrono::seconds(10)};  // of the broker
  std::vector<ProcessSettings> processes;
};

struct Settings {
  broker::ShellOptions broker{.clients = std::string(default_clients_endpoint),
                              .workers = std::string(default_workers_endpoint)};
  std::string client_broker{default_clients_endpoint};
  Milliseconds client_timeout = forever;  // of a whole command
  Milliseconds client_overflow{0};        // see ClientOptions
  std::string worker_broker{default_workers_endpoint};
  UpSettings up;
  std::string client_key, client_broker_key;  // a file; Z85 or a file. Empty: no encryption
  std::string worker_key, worker_broker_key;
  std::string client_realm, worker_realm;  // a file each; empty: none
  Attributes client_attributes, worker_attributes;
  std::string worker_accepts;  // a condition on clients

  std::string file;                           // that was read; empty: none
  std::map<std::string, std::string> origin;  // by name; what is not listed is a default
};

// Where a value is kept. An endpoint is a text that must name one.
struct Endpoint {
  std::string* text;
};
// Where brokers are: sources, see protocol/finder/core/sources.hpp.
struct Brokers {
  std::string* text;
};
// Any text.
struct Text {
  std::string* text;
};
// A condition on attributes.
struct ConditionText {
  std::string* text;
};
using Slot = std::variant<Endpoint, Brokers, Text, ConditionText, Attributes*, Duration*, Milliseconds*,
                          std::uint64_t*, double*, bool*, Policy*>;

// One setting of `Owner`. The bounds are milliseconds for durations.
template <class Owner>
struct Key {
  std::string_view name;
  Slot (*slot)(Owner&);
  std::string_view help;
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  bool endless = false;  // a duration that may be `forever`
};

// Of the program: [broker], [client] and [worker].
std::span<const Key<Settings>> setting_keys();

// Of one service: the keys of a [[service]] table beside `name`.
std::span<const Key<broker::ServiceSettings>> service_keys();

// Of one kind of process: the keys of a [[process]] table beside `name`, `command` and `environment`.
std::span<const Key<ProcessSettings>> process_keys();

// Takes over a value as it is written; a sentence and its remedy if it cannot be.
struct Wrong {
  std::string what;
  std::string remedy;
};
std::optional<Wrong> assign(const Slot& slot, std::string_view text, std::uint64_t min, std::uint64_t max,
                            bool endless);

// Whether the text is one endpoint, and no place to look for others.
bool names_one_broker(const std::string& brokers);

// As it would be written.
std::string shown(const Slot& slot);

// A value given on the command line: the setting's name, the flag as the user knows it, the text.
struct Flag {
  std::string setting;
  std::string flag;
  std::string text;
};

// Reads everything. `file` is what --config says, empty without it. `environment` is getenv, or a test's.
using Environment = std::function<const char*(const char*)>;
Or<Settings> load_settings(const std::vector<Flag>& flags, const std::string& file,
                           const Environment& environment);

// What of several settings does not fit together.
std::optional<Problem> contradiction(const Settings& settings);

}  // namespace pointsman::program
