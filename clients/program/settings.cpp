// Settings: the list of names, the reading of values, and the order in which the sources count.

#include "clients/program/settings.hpp"

#include <unistd.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <type_traits>
#include <utility>

#include "clients/program/config.hpp"
#include "clients/program/duration.hpp"
#include "clients/program/nearest.hpp"
#include "protocol/condition.hpp"
#include "protocol/finder/core/sources.hpp"

namespace pointsman::program {
namespace {

using broker::ServiceSettings;

constexpr std::uint64_t day = limits::day_ms;

template <auto Member>
Slot core(Settings& settings) {
  return &(settings.broker.core.*Member);
}

template <auto Member>
Slot of_service(ServiceSettings& service) {
  return &(service.*Member);
}

using broker::Options;
constexpr std::array setting_list{
    Key<Settings>{"broker.clients", [](Settings& s) -> Slot { return Endpoint{&s.broker.clients}; },
                  "where clients come"},
    Key<Settings>{"broker.workers", [](Settings& s) -> Slot { return Endpoint{&s.broker.workers}; },
                  "where workers come"},
    Key<Settings>{"broker.insecure", [](Settings& s) -> Slot { return &s.broker.insecure; },
                  "allow plaintext on addresses that are not loopback"},
    Key<Settings>{"broker.key", [](Settings& s) -> Slot { return Text{&s.broker.key}; },
                  "file of its key pair; without one nothing is encrypted"},
    Key<Settings>{"broker.allowed", [](Settings& s) -> Slot { return Text{&s.broker.allowed}; },
                  "file of the keys that may come; goes with key"},
    Key<Settings>{
        "broker.group", [](Settings& s) -> Slot { return Text{&s.broker.group}; },
        "answer those who look for brokers of this group on the local networks; without one it does not"},
    Key<Settings>{"broker.realm", [](Settings& s) -> Slot { return Text{&s.broker.realm}; },
                  "file of the key that seals such answers, made by `pointsman keys make --realm`"},
    Key<Settings>{"broker.drain", [](Settings& s) -> Slot { return &s.broker.drain; },
                  "after SIGTERM, to answer what waits", 0, 60'000},
    Key<Settings>{"broker.lease", core<&Options::lease>, "of a worker that does not wish another", 1, day},
    Key<Settings>{"broker.lease_min", core<&Options::lease_min>, "shorter wishes are stretched to it", 100, day},
    Key<Settings>{"broker.lease_max", core<&Options::lease_max>, "longer wishes are cut to it", 100,
                  limits::year_ms},
    Key<Settings>{"broker.lease_forever", core<&Options::lease_forever>, "grant the wish `forever`"},
    Key<Settings>{"broker.heartbeats", core<&Options::heartbeats>, "in one term of a lease", 2, 100},
    Key<Settings>{"broker.grace", core<&Options::grace>, "part of the term that the broker waits longer", 0, 1},
    Key<Settings>{"broker.stall", core<&Options::stall>, "a turn later than this is the broker's own stall", 1,
                  60'000},
    Key<Settings>{"broker.probe", core<&Options::probe>, "a reported worker answers within this", 1, 60'000},
    Key<Settings>{"broker.ticket_ttl", core<&Options::ticket_ttl>, "a client shows its ticket within this", 100,
                  day},
    Key<Settings>{"broker.session_term", core<&Options::session_term>, "of a session without renewal", 100, day},
    Key<Settings>{"broker.remember", core<&Options::remember>, "how long an ended request's id is known", 0, day},
    Key<Settings>{"broker.watch_term", core<&Options::watch_term>, "of a subscription without renewal", 1000,
                  day},
    Key<Settings>{"broker.settle", core<&Options::settle>,
                  "after its start, for workers to come back before their services are called unknown", 0, day},
    Key<Settings>{"broker.notice_wait", core<&Options::notice_wait>,
                  "notices to a busy worker wait for each other; 0: none waits", 0, 1000},
    Key<Settings>{"broker.workers_max", core<&Options::workers_max>, "workers", 1, 10'000'000},
    Key<Settings>{"broker.services_max", core<&Options::services_max>, "services", 1, 1'000'000},
    Key<Settings>{"broker.waiting_max", core<&Options::waiting_max>, "requests that wait, over all services", 0,
                  100'000'000},
    Key<Settings>{"broker.sessions_max", core<&Options::sessions_max>, "sessions", 1, 100'000'000},
    Key<Settings>{"broker.remembered_max", core<&Options::remembered_max>, "ended requests that are known", 0,
                  100'000'000},
    Key<Settings>{"broker.classes_max", core<&Options::classes_max>,
                  "classes of workers of one service that differ in attributes or in whom they accept", 1, 65'536},
    Key<Settings>{"broker.demands_max", core<&Options::demands_max>,
                  "demands of requests that differ in condition, preference or attributes", 1, 100'000},
    Key<Settings>{"broker.watchers_max", core<&Options::watchers_max>, "watchers", 0, 10'000},
    Key<Settings>{"broker.watchers_per_key", core<&Options::watchers_per_key>, "watchers of one key", 0, 10'000},
    Key<Settings>{"broker.page_bytes", core<&Options::page_bytes>, "rows of one listing, about", 4096,
                  limits::body_bytes},
    Key<Settings>{"broker.connections_max", [](Settings& s) -> Slot { return &s.broker.connections_max; },
                  "connections to both listeners", 1, 1'000'000},
    Key<Settings>{"broker.io_threads", [](Settings& s) -> Slot { return &s.broker.io_threads; },
                  "threads that move messages between connections and the one that decides", 1, 16},
    Key<Settings>{"broker.message_bytes", [](Settings& s) -> Slot { return &s.broker.message_bytes; },
                  "one frame: larger ones end their connection", limits::body_bytes, 64 * limits::body_bytes},
    Key<Settings>{"broker.receive_queue", [](Settings& s) -> Slot { return &s.broker.receive_queue; },
                  "messages of a connection that wait to be read", 1, 100'000},
    Key<Settings>{"broker.send_queue", [](Settings& s) -> Slot { return &s.broker.send_queue; },
                  "answers that libzmq keeps for a connection", 1, 100'000},
    Key<Settings>{"broker.outbox_bytes", [](Settings& s) -> Slot { return &s.broker.outbox_bytes; },
                  "further answers that wait for a connection", 4096, 1ULL << 40},
    Key<Settings>{"broker.memory_max", [](Settings& s) -> Slot { return &s.broker.memory_max; },
                  "bytes; above it newcomers are refused; 0: no limit", 0, 1ULL << 50},
    Key<Settings>{"broker.database", [](Settings& s) -> Slot { return Text{&s.broker.database}; },
                  "of what is known of workers, clients and keys, edited by `pointsman db`: a path, or postgresql://HOST/NAME"},
    Key<Settings>{"broker.known_max", core<&Options::known_max>, "records of that database", 1, 1'000'000},
    Key<Settings>{"broker.history_max", [](Settings& s) -> Slot { return &s.broker.history_max; },
                  "rows of the history of workers in that database; those noted last longest ago leave", 1, 10'000'000},
    Key<Settings>{"broker.membership", [](Settings& s) -> Slot { return Text{&s.broker.membership}; },
                  "etcd://HOST:PORT/PREFIX: a list of brokers that it enters; it grants while it is there"},
    Key<Settings>{"broker.name", [](Settings& s) -> Slot { return Text{&s.broker.name}; },
                  "by which it is in that list; else its address"},
    Key<Settings>{"broker.endpoint", [](Settings& s) -> Slot { return Endpoint{&s.broker.endpoint}; },
                  "its listener for clients, as that list says it; else as bound"},
    Key<Settings>{"broker.workers_endpoint", [](Settings& s) -> Slot { return Endpoint{&s.broker.workers_endpoint}; },
                  "its listener for workers, likewise"},
    Key<Settings>{"broker.membership_ttl", [](Settings& s) -> Slot { return &s.broker.membership_ttl; },
                  "of its lease in etcd, in whole seconds; without etcd for nine tenths of it, it stops granting", 2000, 3'600'000},
    Key<Settings>{"broker.grants_alone", [](Settings& s) -> Slot { return &s.broker.grants_alone; },
                  "grant also while it is not in that list"},
    Key<Settings>{"broker.audit", [](Settings& s) -> Slot { return Text{&s.broker.audit}; },
                  "file for records of who did what, a JSON line each"},
    Key<Settings>{"broker.audit_bytes", [](Settings& s) -> Slot { return &s.broker.audit_bytes; },
                  "of that file, and of the one before it", 4096, 1ULL << 40},
    Key<Settings>{"up.folder", [](Settings& s) -> Slot { return Text{&s.up.folder}; },
                  "for its sockets; nobody else may enter it"},
    Key<Settings>{"up.stop", [](Settings& s) -> Slot { return &s.up.stop; }, "for everything to end in good order",
                  100, 600'000},
    Key<Settings>{"up.broker", [](Settings& s) -> Slot { return &s.up.broker; }, "run a broker, too"},
    Key<Settings>{"up.ready", [](Settings& s) -> Slot { return &s.up.ready; },
                  "the broker is ready within this, or hung; 0: no matter", 0, day},
    Key<Settings>{"up.watchdog", [](Settings& s) -> Slot { return &s.up.watchdog; },
                  "the broker gives a sign of life within this, or is hung; 0: no matter", 0, day},
    Key<Settings>{"client.broker", [](Settings& s) -> Slot { return Brokers{&s.client_broker}; },
                  "the clients' listener of the broker, or where to look for several"},
    Key<Settings>{"client.key", [](Settings& s) -> Slot { return Text{&s.client_key}; },
                  "file of the client's key pair; without one nothing is encrypted"},
    Key<Settings>{"client.broker_key", [](Settings& s) -> Slot { return Text{&s.client_broker_key}; },
                  "the broker's public key, or a file that has it; goes with key"},
    Key<Settings>{"client.realm", [](Settings& s) -> Slot { return Text{&s.client_realm}; },
                  "file of the key by which brokers that were looked for are known"},
    Key<Settings>{"client.attributes", [](Settings& s) -> Slot { return &s.client_attributes; },
                  "NAME=VALUE …: what it says of itself, for the conditions of workers"},
    Key<Settings>{"client.overflow", [](Settings& s) -> Slot { return &s.client_overflow; },
                  "a request that waits at one of several brokers for longer goes to the next one; 0: it stays", 0, day},
    Key<Settings>{"client.timeout", [](Settings& s) -> Slot { return &s.client_timeout; },
                  "of a whole command", 1, day, true},
    Key<Settings>{"worker.broker", [](Settings& s) -> Slot { return Brokers{&s.worker_broker}; },
                  "the workers' listener of the broker, or where to look for several"},
    Key<Settings>{"worker.key", [](Settings& s) -> Slot { return Text{&s.worker_key}; },
                  "file of the worker's key pair; without one nothing is encrypted"},
    Key<Settings>{"worker.broker_key", [](Settings& s) -> Slot { return Text{&s.worker_broker_key}; },
                  "the broker's public key, or a file that has it; goes with key"},
    Key<Settings>{"worker.realm", [](Settings& s) -> Slot { return Text{&s.worker_realm}; },
                  "file of the key by which brokers that were looked for are known"},
    Key<Settings>{"worker.attributes", [](Settings& s) -> Slot { return &s.worker_attributes; },
                  "NAME=VALUE …: what it says of itself, for the conditions of requests"},
    Key<Settings>{"worker.accepts", [](Settings& s) -> Slot { return ConditionText{&s.worker_accepts}; },
                  "a condition on the attributes of clients"},
};

constexpr std::array service_list{
    Key<ServiceSettings>{"policy", of_service<&ServiceSettings::policy>, "which worker is next"},
    Key<ServiceSettings>{"queue_max", of_service<&ServiceSettings::queue_max>, "requests that may wait", 0,
                         1'000'000},
    Key<ServiceSettings>{"offers_max", of_service<&ServiceSettings::offers_max>, "workers that may offer it", 1,
                         10'000'000},
    Key<ServiceSettings>{"slow_start", of_service<&ServiceSettings::slow_start>,
                         "over which a newcomer's slots grow", 0, day},
    Key<ServiceSettings>{"aging", of_service<&ServiceSettings::aging>, "what a step of priority is worth", 0, day},
    Key<ServiceSettings>{"on_demand", of_service<&ServiceSettings::on_demand>,
                         "requests wait also while nobody offers it"},
    Key<ServiceSettings>{"hang", of_service<&ServiceSettings::hang>, "without progress: suspect; 0: never", 0, day},
};

template <auto Member>
Slot of_process(ProcessSettings& process) {
  if constexpr (std::is_same_v<decltype(process.*Member), std::string&>) return Text{&(process.*Member)};
  else return &(process.*Member);
}

constexpr std::array process_list{
    Key<ProcessSettings>{"service", of_process<&ProcessSettings::service>, "that its workers offer"},
    Key<ProcessSettings>{"min", of_process<&ProcessSettings::min>, "processes at any time", 0, limits::processes},
    Key<ProcessSettings>{"max", of_process<&ProcessSettings::max>, "and while requests wait; 0: as many as min", 0,
                         limits::processes},
    Key<ProcessSettings>{"idle", of_process<&ProcessSettings::idle>, "nobody used the service for so long: back to min",
                         100, day},
    Key<ProcessSettings>{"notify", of_process<&ProcessSettings::notify>, "it says by itself when it is ready"},
    Key<ProcessSettings>{"ready", of_process<&ProcessSettings::ready>, "not ready within this: hung; 0: no matter", 0,
                         day},
    Key<ProcessSettings>{"watchdog", of_process<&ProcessSettings::watchdog>,
                         "no sign of life within this: hung; 0: no matter", 0, day},
    Key<ProcessSettings>{"hang", of_process<&ProcessSettings::hang>, "calls without progress for this: hung; 0: never",
                         0, day},
    Key<ProcessSettings>{"drain", of_process<&ProcessSettings::drain>,
                         "for its sessions to end before it is replaced or rests", 0, day},
};

// The environment's name for a setting.
constexpr std::array<std::pair<const char*, std::string_view>, 9> variables{
    {{"POINTSMAN_BROKER", "client.broker"},
     {"POINTSMAN_KEY", "client.key"},
     {"POINTSMAN_BROKER_KEY", "client.broker_key"},
     {"POINTSMAN_KEY", "worker.key"},
     {"POINTSMAN_BROKER_KEY", "worker.broker_key"},
     {"POINTSMAN_REALM", "client.realm"},
     {"POINTSMAN_REALM", "worker.realm"},
     {"POINTSMAN_TIMEOUT", "client.timeout"},
     {"POINTSMAN_WORKERS", "worker.broker"}}};

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_endpoint(std::string_view text) {
  if (text.size() > limits::endpoint) return false;
  if (text.starts_with("ipc://")) return text.size() > 6;
  if (!text.starts_with("tcp://")) return false;
  const auto colon = text.rfind(':');
  if (colon <= 6 || colon + 1 >= text.size()) return false;
  const auto port = text.substr(colon + 1);
  return port == "*" || parse_number<std::uint16_t>(port).has_value();
}

Wrong out_of_range(std::string_view text, const std::string& least, const std::string& most) {
  return {std::string(text) + " is out of range", "it runs from " + least + " to " + most};
}

// Assigns to each kind of slot. The members are the kinds.
struct Assigner {
  std::string_view text;
  std::uint64_t min;
  std::uint64_t max;
  bool endless;

  std::optional<Wrong> operator()(Endpoint slot) const {
    if (!is_endpoint(text)) return Wrong{quoted(text) + " is no endpoint", "write tcp://HOST:PORT or ipc://PATH"};
    *slot.text = text;
    return std::nullopt;
  }

  std::optional<Wrong> operator()(Brokers slot) const {
    const auto parsed = finder::parse_sources(text, 1, [](const char* name) { return std::getenv(name); });
    if (const auto* fault = std::get_if<finder::SourceFault>(&parsed)) return Wrong{fault->problem, fault->remedy};
    *slot.text = text;
    return std::nullopt;
  }

  std::optional<Wrong> operator()(Text slot) const {
    if (text.empty() || text.size() > 4096) return Wrong{"it is a text of 1 to 4096 bytes", ""};
    *slot.text = text;
    return std::nullopt;
  }

  std::optional<Wrong> operator()(ConditionText slot) const {
    const auto parsed = Condition::parse(text);
    if (const auto* mistake = std::get_if<Mistake>(&parsed)) {
      return Wrong{in_words(text, *mistake) + "\n" + pointed_out(text, *mistake), mistake->remedy};
    }
    if (const std::string never = std::get<Condition>(parsed).contradiction(); !never.empty())
      return Wrong{never, ""};
    *slot.text = text;
    return std::nullopt;
  }

  std::optional<Wrong> operator()(Attributes* slot) const {
    Attributes read;
    if (std::string problem = add_attributes(text, read); !problem.empty()) {
      return Wrong{std::move(problem), "attributes are NAME=VALUE, separated by spaces"};
    }
    *slot = std::move(read);
    return std::nullopt;
  }

  std::optional<Wrong> operator()(Milliseconds* slot) const {
    const auto value = parse_duration(text);
    if (!value) return Wrong{quoted(text) + " is no duration", std::string(duration_remedy)};
    const auto ms = static_cast<std::uint64_t>(value->count());
    if (*value == forever ? !endless : ms < min || ms > max) {
      return out_of_range(text, exact(Milliseconds(min)), exact(Milliseconds(max)) + (endless ? ", or forever" : ""));
    }
    *slot = *value;
    return std::nullopt;
  }

  std::optional<Wrong> operator()(Duration* slot) const {
    Milliseconds value{0};
    const auto wrong = (*this)(&value);
    if (!wrong) *slot = value;
    return wrong;
  }

  std::optional<Wrong> operator()(std::uint64_t* slot) const {
    const auto value = parse_number<std::int64_t>(text);
    if (!value) return Wrong{quoted(text) + " is no whole number", "write it in digits"};
    if (*value < 0 || static_cast<std::uint64_t>(*value) < min || static_cast<std::uint64_t>(*value) > max) {
      return out_of_range(text, std::to_string(min), std::to_string(max));
    }
    *slot = static_cast<std::uint64_t>(*value);
    return std::nullopt;
  }

  std::optional<Wrong> operator()(double* slot) const {
    const auto value = parse_number<double>(text);
    if (!value) return Wrong{quoted(text) + " is no number", "write it like 0.2"};
    if (!(*value >= static_cast<double>(min) && *value <= static_cast<double>(max))) {
      return out_of_range(text, std::to_string(min), std::to_string(max));
    }
    *slot = *value;
    return std::nullopt;
  }

  std::optional<Wrong> operator()(bool* slot) const {
    if (text != "true" && text != "false") return Wrong{quoted(text) + " is neither true nor false", ""};
    *slot = text == "true";
    return std::nullopt;
  }

  std::optional<Wrong> operator()(Policy* slot) const {
    const auto& words = Words<Policy>::list;
    std::string all;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] == text) {
        *slot = static_cast<Policy>(i);
        return std::nullopt;
      }
      all += (i == 0 ? "" : ", ") + std::string(words[i]);
    }
    return Wrong{quoted(text) + " is no policy" + did_you_mean(text, {words.begin(), words.end()}),
                 "the policies are " + all};
  }
};

std::optional<Problem> take(Settings& settings, std::string_view name, std::string_view text,
                            const std::string& origin) {
  for (const auto& key : setting_list) {
    if (key.name != name) continue;
    if (const auto wrong = assign(key.slot(settings), text, key.min, key.max, key.endless)) {
      return usage(origin + ": " + wrong->what, wrong->remedy);
    }
    settings.origin[std::string(name)] = origin;
  }
  return std::nullopt;
}

// The file to read: named, or the first that is there. Empty: none.
Or<std::string> choose_file(const std::string& named, const Environment& environment) {
  const auto missing = [](const std::string& path, const std::string& by) {
    return usage("the configuration file " + path + " cannot be read", "it was named by " + by);
  };
  if (!named.empty()) {
    if (::access(named.c_str(), R_OK) != 0) return missing(named, "--config");
    return named;
  }
  const char* variable = environment("POINTSMAN_CONFIG");
  if (variable != nullptr && *variable != '\0') {
    if (::access(variable, R_OK) != 0) return missing(variable, "POINTSMAN_CONFIG");
    return std::string(variable);
  }
  const char* home = environment("HOME");
  if (home != nullptr && *home != '\0') {
    const std::string path = std::string(home) + "/.config/pointsman.toml";
    if (::access(path.c_str(), F_OK) == 0) return path;
  }
  const std::string path = "/etc/pointsman.toml";
  return ::access(path.c_str(), F_OK) == 0 ? path : std::string();
}

}  // namespace

std::span<const Key<Settings>> setting_keys() { return setting_list; }
std::span<const Key<ServiceSettings>> service_keys() { return service_list; }
std::span<const Key<ProcessSettings>> process_keys() { return process_list; }

std::optional<Wrong> assign(const Slot& slot, std::string_view text, std::uint64_t min, std::uint64_t max,
                            bool endless) {
  return std::visit(Assigner{text, min, max, endless}, slot);
}

bool names_one_broker(const std::string& brokers) {
  return brokers.find_first_of(", ") == std::string::npos && is_endpoint(brokers);
}

std::string shown(const Slot& slot) {
  return std::visit(
      [](const auto& value) -> std::string {
        using Kind = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<Kind, Endpoint> || std::is_same_v<Kind, Brokers> ||
                      std::is_same_v<Kind, Text> || std::is_same_v<Kind, ConditionText>) {
          return *value.text;
        } else if constexpr (std::is_same_v<Kind, Attributes*>) {
          return pointsman::shown(*value);
        } else if constexpr (std::is_same_v<Kind, Duration*>) {
          return exact(std::chrono::duration_cast<Milliseconds>(*value));
        } else if constexpr (std::is_same_v<Kind, Milliseconds*>) {
          return exact(*value);
        } else if constexpr (std::is_same_v<Kind, bool*>) {
          return *value ? "true" : "false";
        } else if constexpr (std::is_same_v<Kind, Policy*>) {
          return std::string(word(*value));
        } else if constexpr (std::is_same_v<Kind, double*>) {
          std::array<char, 32> text{};
          std::snprintf(text.data(), text.size(), "%g", *value);
          return text.data();
        } else {
          return std::to_string(*value);
        }
      },
      slot);
}

Or<Settings> load_settings(const std::vector<Flag>& flags, const std::string& file,
                           const Environment& environment) {
  Settings settings;
  const auto chosen = choose_file(file, environment);
  if (const auto* problem = std::get_if<Problem>(&chosen)) return *problem;
  if (const auto& path = std::get<std::string>(chosen); !path.empty()) {
    if (auto problem = read_config(path, settings)) return *std::move(problem);
  }
  for (const auto& [variable, name] : variables) {
    const char* text = environment(variable);
    if (text == nullptr || *text == '\0') continue;
    if (auto problem = take(settings, name, text, variable)) return *std::move(problem);
  }
  for (const Flag& flag : flags) {
    if (auto problem = take(settings, flag.setting, flag.text, flag.flag)) return *std::move(problem);
  }
  if (auto problem = contradiction(settings)) return *std::move(problem);
  return settings;
}

std::optional<Problem> contradiction(const Settings& settings) {
  const auto& core = settings.broker.core;
  const auto ms = [](Duration duration) { return exact(std::chrono::duration_cast<Milliseconds>(duration)); };
  if (core.lease < core.lease_min || core.lease > core.lease_max) {
    return usage("broker.lease is " + ms(core.lease) + ", but it has to lie between broker.lease_min (" +
                     ms(core.lease_min) + ") and broker.lease_max (" + ms(core.lease_max) + ")",
                 "change one of the three");
  }
  return std::nullopt;
}

}  // namespace pointsman::program
