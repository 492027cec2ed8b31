// pointsman broker: the settings are the broker's options, the rest is the broker's own shell.

#include <cstdio>

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
  if (options.key.empty() != options.allowed.empty()) {
    const bool has_key = !options.key.empty();
    return complain(has_key ? usage("a broker with a key needs the file of the keys that may come",
                                    "name it with --allowed; `pointsman keys allow --allowed FILE NAME KEY` makes it")
                            : usage("--allowed says whose keys may come, and this broker has none itself",
                                    "make one with `pointsman keys make FILE`, and give it with --key FILE"),
                    context.json);
  }
  for (const std::string& endpoint : {options.clients, options.workers}) {
    if (!options.key.empty() || loopback(endpoint)) continue;
    if (!options.insecure) {
      return complain(usage(endpoint + " can be reached from other machines, and nothing is encrypted",
                            "encrypt with --key and --allowed (see `pointsman keys --help`), bind a loopback address or "
                            "ipc://, or say --insecure if that network is yours alone"),
                      context.json);
    }
    std::fprintf(stderr, "pointsman broker: warning: %s is not encrypted, and whoever reaches it may do everything\n",
                 endpoint.c_str());
  }
  return broker::run_broker(options);
}

}  // namespace pointsman::program
