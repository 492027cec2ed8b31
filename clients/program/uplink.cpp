// pointsman uplink: from settings and options to one broker below and others above; the rest is the uplink's own.

#include "clients/program/uplink/uplink.hpp"

#include <algorithm>
#include <cstdlib>

#include "clients/program/commands.hpp"
#include "clients/program/duration.hpp"
#include "clients/program/uplink/core/registrations.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/keyfile.hpp"
#include "protocol/limits.hpp"

namespace pointsman::program {
namespace {

constexpr std::uint16_t workers_port = 5571;  // of names above that say none

constexpr Milliseconds every_min{100};

// A broker below that has been silent for so long is gone.
constexpr std::chrono::seconds silence{3};

Or<finder::Sources> read_sources(const std::string& text, const std::string& option) {
  auto parsed = finder::parse_sources(text, workers_port, [](const char* name) { return std::getenv(name); });
  if (const auto* fault = std::get_if<finder::SourceFault>(&parsed))
    return usage(option + ": " + fault->problem, fault->remedy);
  return std::get<finder::Sources>(std::move(parsed));
}

// Whether this leads, as far as can be seen, to another machine.
bool elsewhere(const finder::Source& source) {
  if (source.kind == finder::Source::Kind::endpoint) return !stays_here(source.what);
  return source.kind == finder::Source::Kind::name && source.what != "localhost";
}

// The one broker below, and what is told of it above.
std::optional<Problem> find_below(const UplinkCommand& command, const Context& context,
                                  uplink::UplinkOptions& options) {
  const std::string& broker = context.settings.client_broker;
  const auto read = read_sources(broker, "--broker");
  if (const auto* problem = std::get_if<Problem>(&read)) return *problem;
  const auto& sources = std::get<finder::Sources>(read);
  if (!finder::is_single(sources)) {
    return usage("an uplink is of one broker, and \"" + broker + "\" is not an endpoint",
                 "name its listener for clients, like --broker tcp://10.0.0.2:5570; for several brokers "
                 "start an uplink each");
  }
  const finder::Source& below = sources.front();
  options.below = client_options(context);
  options.below.patience = std::min<std::chrono::milliseconds>(silence, options.below.patience);
  options.endpoint = command.endpoint.empty() ? below.what : command.endpoint;
  options.workers = command.workers_endpoint;
  for (const auto& [option, endpoint] : {std::pair("--endpoint", options.endpoint), {"--workers-endpoint", options.workers}}) {
    if (endpoint.size() > limits::endpoint) return usage(std::string(option) + " is longer than an endpoint may be");
  }
  if (!context.settings.client_key.empty()) {
    options.key = below.key.empty() ? to_z85(public_key_of(context.settings.client_broker_key)) : below.key;
  }
  options.name = command.name.empty() ? below.what.substr(below.what.find("://") + 3) : command.name;
  if (options.name.size() + uplink::Registrations::longer > limits::name) {
    return usage("the name \"" + options.name + "\" is longer than " +
                     std::to_string(limits::name - uplink::Registrations::longer) + " bytes",
                 "choose a shorter one with --name");
  }
  return std::nullopt;
}

std::optional<Problem> find_above(const UplinkCommand& command, const Context& context,
                                  uplink::UplinkOptions& options) {
  if (command.above.size() > limits::brokers) {
    return usage("an uplink leads to at most " + std::to_string(limits::brokers) + " brokers",
                 "start another one, with another --name, for the rest");
  }
  const std::string& key = context.settings.client_key;
  if (key.empty() && !command.above_key.empty()) {
    return usage("--above-key is no use without a key of one's own",
                 "give --key FILE, made by `pointsman keys make FILE`");
  }
  if (!key.empty()) options.credentials.own = read_key_pair(key);
  if (!command.above_key.empty()) options.credentials.server = public_key_of(command.above_key);
  if (!context.settings.client_realm.empty())
    options.credentials.realm = read_realm_key(context.settings.client_realm);
  for (const std::string& text : command.above) {
    const auto read = read_sources(text, "--above");
    if (const auto* problem = std::get_if<Problem>(&read)) return *problem;
    const auto& sources = std::get<finder::Sources>(read);
    for (const finder::Source& source : sources) {
      if (source.kind == finder::Source::Kind::lookup) {
        return usage("--above is \"" + text + "\", and brokers below that one are none above",
                     "name the listener for workers of each broker above");
      }
      if (source.kind == finder::Source::Kind::endpoint) credentials_at(options.credentials, source.key);
      if (source.what == options.below.broker || source.what == options.endpoint) {
        return usage("--above and --broker are the same, " + source.what,
                     "--above is the listener for workers of another broker, --broker that for clients of "
                     "the one below");
      }
      if (elsewhere(source) && stays_here(options.endpoint)) {
        return usage("clients of the broker at " + source.what + " would be sent to " + options.endpoint +
                         ", which only this machine can reach",
                     "say how they reach the broker below with --endpoint tcp://ADDRESS:PORT");
      }
    }
    if (std::count(command.above.begin(), command.above.end(), text) > 1) {
      return usage("--above says " + text + " twice", "leave one of them out");
    }
    options.above.push_back(text);
  }
  return std::nullopt;
}

}  // namespace

int uplink_command(const UplinkCommand& command, const Context& context) {
  if (command.every < every_min) {
    return complain(usage("--every is less than " + exact(every_min), "a second is often enough"),
                    context.json);
  }
  uplink::UplinkOptions options;
  options.every = command.every;
  options.quiet = command.quiet;
  options.trace = context.trace;
  if (context.settings.client_timeout != forever) options.patience = context.settings.client_timeout;
  if (const auto problem = find_below(command, context, options)) return complain(*problem, context.json);
  if (const auto problem = find_above(command, context, options)) return complain(*problem, context.json);
  if (const auto problem = uplink::run_uplink(options)) return complain(*problem, context.json);
  return status(Exit::done);
}

}  // namespace pointsman::program
