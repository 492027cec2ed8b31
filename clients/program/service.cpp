// pointsman service: the settings of one service, shown or changed. pointsman status: the broker's counters.

#include <algorithm>

#include "clients/program/commands.hpp"
#include "clients/program/duration.hpp"
#include "clients/program/output.hpp"
#include "clients/program/table.hpp"

namespace pointsman::program {

int service_command(const ServiceCommand& command, const Context& context) {
  Configure question{.service = command.service,
                     .queue_max = command.queue_max,
                     .slow_start_ms = command.slow_start,
                     .aging_ms = command.aging,
                     .hang_ms = command.hang};
  if (command.policy) {
    Policy policy{};
    if (const auto wrong = assign(&policy, *command.policy, 0, 0, false)) {
      return complain(usage("--policy: " + wrong->what, wrong->remedy), context.json);
    }
    question.policy = policy;
  }
  Client client(client_options(context));
  const auto settings = ask<Configured>(client, question);
  if (context.json) {
    print_json(settings);
    return status(Exit::done);
  }
  Table table({{"SERVICE"}, {"POLICY"}, {"QUEUE-MAX", true}, {"SLOW-START", true}, {"AGING", true}, {"HANG", true}});
  table.add({settings.service, std::string(word(settings.policy)), std::to_string(settings.queue_max),
             exact(settings.slow_start_ms), exact(settings.aging_ms), exact(settings.hang_ms)});
  write_out(table.text(screen()));
  return status(Exit::done);
}

int status_command(const Context& context) {
  Client client(client_options(context));
  const auto stats = ask<Stats>(client, Status{});
  if (context.json) {
    print_json(stats);
    return status(Exit::done);
  }
  const auto welcome = ask<Welcome>(client, Hello{});
  write_out(printable(welcome.program + " " + welcome.version + " at " + context.settings.client_broker + ", up " +
                      rough(stats.up_ms) + ", epoch " + std::to_string(stats.epoch)) +
            "\n\n");
  Table table({{"COUNTER"}, {"VALUE", true}});
  for (const auto& counter : stats.counters) table.add({counter.name, std::to_string(counter.value)});
  write_out(table.text(screen()));
  return status(Exit::done);
}

}  // namespace pointsman::program
