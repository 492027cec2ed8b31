// pointsman worker: checks what the side car is told; the rest is the side car's.

#include "clients/program/commands.hpp"
#include "protocol/limits.hpp"

namespace pointsman::program {
namespace {

std::optional<Problem> wrong_with(const workers::SidecarOptions& options) {
  using workers::Way;
  const std::string example = "like this: pointsman worker --service zip -- gzip -c";
  if (options.services.empty()) return usage("a worker offers at least one service", "add --service NAME");
  if (options.services.size() > limits::services) {
    return usage("a worker offers at most " + std::to_string(limits::services) + " services",
                 "start a worker for the others");
  }
  if (options.way != Way::server && !options.endpoint.empty()) {
    return usage("--endpoint is where a server of its own is, so it goes with --server only", "leave one of them out");
  }
  if (options.command.empty() && options.endpoint.empty()) {
    return usage("there is no command to run", "put it behind `--`, " + example);
  }
  if (options.name.size() > limits::name) {
    return usage("--name is longer than " + std::to_string(limits::name) + " bytes", "choose a shorter one");
  }
  if (options.copies > 1 && !options.endpoint.empty()) {
    return usage("-n starts copies of a command, and --endpoint is there already", "leave one of them out");
  }
  return std::nullopt;
}

}  // namespace

int worker_command(workers::SidecarOptions options, const Context& context) {
  options.broker = context.settings.worker_broker;
  options.key = context.settings.worker_key;
  options.broker_key = context.settings.worker_broker_key;
  options.realm = context.settings.worker_realm;
  options.attributes = context.settings.worker_attributes;
  if (options.accepts.empty()) options.accepts = context.settings.worker_accepts;
  options.trace = context.trace;
  if (context.settings.client_timeout != forever) options.patience = context.settings.client_timeout;
  if (const auto problem = wrong_with(options)) return complain(*problem, context.json);
  return workers::run_sidecar(options);
}

}  // namespace pointsman::program
