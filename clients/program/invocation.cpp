// Invocation: from what was said to what is in force, then to the command.

#include "clients/program/invocation.hpp"

#include <csignal>
#include <cstdlib>
#include <utility>

namespace pointsman::program {

int perform(Invocation invocation) {
  const bool party = invocation.name == "broker" || invocation.name == "worker";
  const bool worker = invocation.name == "worker" || invocation.name == "relay";
  auto& flags = invocation.flags;
  if (!invocation.broker.empty()) {
    if (invocation.name == "broker") {
      return complain(usage("--broker is where others find a broker", "a broker binds --clients and --workers"),
                      invocation.json);
    }
    flags.push_back({worker ? "worker.broker" : "client.broker", "--broker", invocation.broker});
  }
  const std::string section = invocation.name == "broker" ? "broker" : worker ? "worker" : "client";
  if (!invocation.key.empty()) flags.push_back({section + ".key", "--key", invocation.key});
  if (!invocation.broker_key.empty()) {
    if (section == "broker") {
      return complain(usage("--broker-key is how others know a broker", "a broker's own key pair is given with --key FILE"),
                      invocation.json);
    }
    flags.push_back({section + ".broker_key", "--broker-key", invocation.broker_key});
  }
  if (!invocation.realm.empty()) flags.push_back({section + ".realm", "--realm", invocation.realm});
  if (!invocation.timeout.empty()) flags.push_back({"client.timeout", "--timeout", invocation.timeout});
  auto loaded =
      load_settings(flags, invocation.config, [](const char* variable) { return std::getenv(variable); });
  if (const auto* problem = std::get_if<Problem>(&loaded)) return complain(*problem, invocation.json);
  Context context{
      .settings = std::get<Settings>(std::move(loaded)), .json = invocation.json, .trace = invocation.trace};
  if (context.settings.client_timeout != forever) {
    context.deadline = Clock::now() + std::chrono::milliseconds(context.settings.client_timeout.count());
  }
  // A reader that is gone is noticed by the write; broker and worker have pipes of their own to care for.
  if (!party) std::signal(SIGPIPE, SIG_IGN);
  return invocation.action(context);
}

}  // namespace pointsman::program
