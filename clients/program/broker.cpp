// pointsman broker: the settings are the broker's options, the rest is the broker's own shell.

#include <cstdio>
#include <optional>
#include <string>
#include <tuple>

#include "broker/bounds.hpp"
#include "broker/database/store.hpp"
#include "broker/shell.hpp"
#include "clients/program/commands.hpp"
#include "clients/program/table.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/finder/core/sources.hpp"
#include "protocol/json_text.hpp"

namespace pointsman::program {
namespace {

// Every limit, and what all of them allow.
int show_bounds(const broker::ShellOptions& options, const Context& context) {
  const auto bounds = broker::bounds_of(options);
  const auto memory = broker::memory_bound(options);
  if (context.json) {
    std::string text = "{\"memory_bytes\":{\"program\":" + std::to_string(memory.program) +
                       ",\"records\":" + std::to_string(memory.records) + ",\"links\":" + std::to_string(memory.links) +
                       ",\"stop\":" + std::to_string(memory.stop) + ",\"total\":" + std::to_string(memory.total()) +
                       "},\"bounds\":[";
    for (const auto& bound : bounds) {
      text += std::string(&bound == &bounds.front() ? "" : ",") + "{\"bound\":" + json_quote(bound.name) +
              ",\"value\":" + std::to_string(bound.value) + ",\"unit\":" + json_quote(bound.unit) +
              ",\"of\":" + json_quote(bound.of) + ",\"reached\":" + json_quote(bound.reached) +
              ",\"fixed\":" + (bound.fixed ? "true" : "false") + "}";
    }
    write_out(text + "]}\n");
    return status(Exit::done);
  }
  Table table({{"BOUND"}, {"VALUE", true}, {"UNIT"}, {"OF"}, {"WHEN IT IS REACHED"}});
  for (const auto& bound : bounds) {
    table.add({std::string(bound.name), std::to_string(bound.value), std::string(bound.unit), std::string(bound.of),
               std::string(bound.reached)});
  }
  write_out(table.text(screen()) + "\nmemory at the very worst: " + broker::in_bytes(memory.total()) + " (program " +
            broker::in_bytes(memory.program) + ", records " + broker::in_bytes(memory.records) + ", links " +
            broker::in_bytes(memory.links) + (memory.total() < memory.sum() ? "; it stops at twice memory_max" : "") + ")\n");
  return status(Exit::done);
}

// What of the list of brokers that it enters does not fit together.
std::optional<Problem> misled(const broker::ShellOptions& options) {
  if (options.membership.empty()) return std::nullopt;
  const auto list = finder::parse_etcd(options.membership);
  if (const auto* fault = std::get_if<finder::SourceFault>(&list))
    return usage("--membership: " + fault->problem, fault->remedy);
  for (const auto& [bound, told, option] :
       {std::tuple(options.clients, options.endpoint, "--endpoint"),
        {options.workers, options.workers_endpoint, "--workers-endpoint"}}) {
    const bool everywhere = bound.starts_with("tcp://*:") || bound.starts_with("tcp://0.0.0.0:") ||
                            bound.starts_with("tcp://[::]:");
    if (everywhere && told.empty())
      return usage("others do not know how to reach " + bound,
                   std::string("say it with ") + option + " tcp://ADDRESS:PORT");
  }
  return std::nullopt;
}

}  // namespace

int broker_command(const BrokerCommand& command, const Context& context) {
  broker::ShellOptions options = context.settings.broker;
  options.trace = context.trace;
  options.quiet = command.quiet;
  if (command.bounds) return show_bounds(options, context);
  if (options.key.empty() != options.allowed.empty()) {
    const bool has_key = !options.key.empty();
    return complain(has_key ? usage("a broker with a key needs the file of the keys that may come",
                                    "name it with --allowed; `pointsman keys allow --allowed FILE NAME KEY` makes it")
                            : usage("--allowed says whose keys may come, and this broker has none itself",
                                    "make one with `pointsman keys make FILE`, and give it with --key FILE"),
                    context.json);
  }
  for (const std::string& endpoint : {options.clients, options.workers}) {
    if (!options.key.empty() || stays_here(endpoint)) continue;
    if (!options.insecure) {
      return complain(usage(endpoint + " can be reached from other machines, and nothing is encrypted",
                            "encrypt with --key and --allowed (see `pointsman keys --help`), bind a loopback address or "
                            "ipc://, or say --insecure if that network is yours alone"),
                      context.json);
    }
    std::fprintf(stderr, "pointsman broker: warning: %s is not encrypted, and whoever reaches it may do everything\n",
                 endpoint.c_str());
  }
  if (const auto problem = misled(options)) return complain(*problem, context.json);
  try {
    return broker::run_broker(options);
  } catch (const broker::DatabaseError& error) {
    return complain(usage(error.what()), context.json);
  }
}

}  // namespace pointsman::program
