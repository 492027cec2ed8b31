// pointsman broker: the settings are the broker's options, the rest is the broker's own shell.

#include "broker/shell.hpp"

#include "clients/program/commands.hpp"

namespace pointsman::program {
namespace {

bool loopback(std::string_view endpoint) {
  return !endpoint.starts_with("tcp://") || endpoint.starts_with("tcp://127.") ||
         endpoint.starts_with("tcp://localhost:") || endpoint.starts_with("tcp://[::1]:");
}

}  // namespace

int broker_command(const BrokerCommand& command, const Context& context) {
  broker::ShellOptions options = context.settings.broker;
  options.trace = context.trace;
  options.quiet = command.quiet;
  for (const std::string& endpoint : {options.clients, options.workers}) {
    if (!options.insecure && !loopback(endpoint)) {
      return complain(usage(endpoint + " can be reached from other machines, and nothing is encrypted",
                            "bind a loopback address or ipc://, or say --insecure if that network is yours alone"),
                      context.json);
    }
  }
  return broker::run_broker(options);
}

}  // namespace pointsman::program
