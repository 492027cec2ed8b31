// The commands: what each was told on the command line, and the function that does it.
//
// Each returns the status to leave with (exit.hpp), having said on stderr why if it is not 0. Each may throw
// what the world throws; main tells it.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clients/program/context.hpp"
#include "protocol/finder/core/sources.hpp"
#include "workers/sidecar.hpp"

namespace pointsman::program {

struct BrokerCommand {
  bool quiet = false;
  bool bounds = false;  // show them only
};
int broker_command(const BrokerCommand& command, const Context& context);

// `broker` is filled in from the settings.
int worker_command(workers::SidecarOptions options, const Context& context);

struct RelayCommand {
  std::string listen;
  bool quiet = false;
};
int relay_command(const RelayCommand& command, const Context& context);

struct UplinkCommand {
  std::vector<std::string> above;  // sources of brokers each
  std::string above_key;           // their public key, or a file that has it
  std::string name;                // empty: the address of the broker below
  std::string endpoint;            // empty: as the broker below is named
  std::string workers_endpoint;    // empty: not told above
  Milliseconds every{1000};
  bool quiet = false;
};
int uplink_command(const UplinkCommand& command, const Context& context);

// Which workers a request wants, and likes best.
struct Wishes {
  std::string when;    // a condition on the worker's attributes
  std::string prefer;  // a preference among those
};

struct CallCommand {
  std::string service;
  Wishes wishes;
  std::vector<std::string> requests;  // TEXT, `-` or @FILE each; none: one empty request
  std::uint64_t repeat = 1;
  std::uint64_t sessions = 1;  // at a time
  Milliseconds wait{5000};
  Milliseconds limit{30000};
  std::uint64_t priority = 0;
  bool absent = false;    // wait also while nobody offers the service
  bool fresh = false;     // a session for each request
  bool separate = false;  // each answer on a line of its own
  bool stream = false;    // print parts as they come
};
int call_command(const CallCommand& command, const Context& context);

struct RunCommand {
  std::string service;
  Wishes wishes;
  std::vector<std::string> command;
  Milliseconds wait{5000};
  Milliseconds term{0};
  std::uint64_t priority = 0;
  bool absent = false;
};
int run_command(const RunCommand& command, const Context& context);

struct ListCommand {
  std::string subject = "services";
  std::string service;
  std::uint64_t limit = 0;  // 0: all
};
int list_command(const ListCommand& command, const Context& context);

int top_command(const Context& context);

struct ExplainCommand {
  std::string id;
  std::string client;  // empty: looked up
  std::uint64_t session = 0;
  std::string worker;
  std::string service;
};
int explain_command(const ExplainCommand& command, const Context& context);

struct DrainCommand {
  std::string worker;
  DrainMode mode = DrainMode::drain;
  Milliseconds wait{0};  // until it holds no session
};
int drain_command(const DrainCommand& command, const Context& context);

struct WatchCommand {
  std::string service;
  std::vector<std::string> kinds;
  std::uint64_t count = 0;  // events; 0: without end
  bool tiers = false;       // also at the brokers below
};
int watch_command(const WatchCommand& command, const Context& context);

// What is not given stays as it is.
struct ServiceCommand {
  std::string service;
  std::optional<std::string> policy;
  std::optional<std::uint64_t> queue_max;
  std::optional<Milliseconds> slow_start;
  std::optional<Milliseconds> aging;
  std::optional<Milliseconds> hang;
};
int service_command(const ServiceCommand& command, const Context& context);

// Each uses what it needs. The file of allowed keys is the setting broker.allowed.
struct KeysCommand {
  std::string file;
  std::string name;
  std::string key;  // Z85, or a file that has it
  std::vector<std::string> roles;
  std::vector<std::string> asks;
  std::vector<std::string> offers;
  std::string until;
  std::vector<std::pair<std::string, std::uint64_t>> quotas;
};
int keys_make_command(const KeysCommand& command, const Context& context);
int keys_show_command(const KeysCommand& command, const Context& context);
int keys_allow_command(const KeysCommand& command, const Context& context);
int keys_revoke_command(const KeysCommand& command, const Context& context);
int keys_list_command(const KeysCommand& command, const Context& context);

// Each uses what it needs. The database is the setting broker.database.
struct DbCommand {
  std::string about;  // worker, client or key
  std::string name;   // of a key: Z85, a file that has it, or its name in the file of allowed keys
  std::vector<std::string> attributes;                         // NAME=VALUE to set, NAME to unset
  std::vector<std::pair<std::string, std::string>> fields;  // by the names of their columns
  std::string file;
  bool replace = false;
};
int db_list_command(const DbCommand& command, const Context& context);
int db_history_command(const DbCommand& command, const Context& context);
int db_show_command(const DbCommand& command, const Context& context);
int db_set_command(const DbCommand& command, const Context& context);
int db_unset_command(const DbCommand& command, const Context& context);
int db_remove_command(const DbCommand& command, const Context& context);
int db_import_command(const DbCommand& command, const Context& context);
int db_export_command(const DbCommand& command, const Context& context);
int db_backup_command(const DbCommand& command, const Context& context);
int db_check_command(const DbCommand& command, const Context& context);

int status_command(const Context& context);

struct DiscoverCommand {
  std::string group{finder::default_group};
  std::string service;  // only brokers where it is offered
  std::string when;     // by a worker that meets this condition
  Milliseconds wait{1000};
};
int discover_command(const DiscoverCommand& command, const Context& context);

struct UpCommand {
  bool quiet = false;
};
int up_command(const UpCommand& command, const Context& context);

int ps_command(const Context& context);

struct RollCommand {
  std::string service;
  std::uint64_t at_once = 1;
};
int roll_command(const RollCommand& command, const Context& context);

// Reading it is checking it: `file` has been read when this is called.
int config_check_command(const Context& context);
int config_show_command(const Context& context);

}  // namespace pointsman::program
