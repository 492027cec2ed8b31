// pointsman relay: the settings are a worker's, the rest is the relay's own.

#include "workers/relay.hpp"

#include "clients/program/commands.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/names.hpp"

namespace pointsman::program {

int relay_command(const RelayCommand& command, const Context& context) {
  workers::RelayOptions options;
  options.listen = command.listen;
  options.broker = context.settings.worker_broker.empty() ? std::string(default_workers_endpoint) : context.settings.worker_broker;
  options.key = context.settings.worker_key;
  options.broker_key = context.settings.worker_broker_key;
  options.trace = context.trace;
  options.quiet = command.quiet;
  if (context.settings.client_timeout != forever) options.patience = context.settings.client_timeout;
  const std::string& broker = options.broker;
  if ((!broker.starts_with("tcp://") && !broker.starts_with("ipc://")) || broker.find_first_of(", ") != std::string::npos) {
    return complain(usage("a relay leads to one broker, and \"" + broker + "\" is not an endpoint",
                          "name its workers' listener, like --broker tcp://10.0.0.1:5571; for several brokers start a relay each"),
                    context.json);
  }
  if (!stays_here(options.listen)) {
    return complain(usage("whoever reaches " + options.listen + " could speak in the name of this relay",
                          "listen at ipc://PATH or tcp://127.0.0.1:PORT; a relay is for the workers of one machine"),
                    context.json);
  }
  if (options.listen == broker) {
    return complain(usage("--listen and --broker are the same, " + broker, "workers come to --listen, the broker is elsewhere"),
                    context.json);
  }
  return workers::run_relay(options);
}

}  // namespace pointsman::program
