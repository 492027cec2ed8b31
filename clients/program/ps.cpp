// pointsman ps: the processes of a supervisor, as a table or as the message that came over the wire.

#include <array>
#include <cstdio>

#include "clients/program/commands.hpp"
#include "clients/program/duration.hpp"
#include "clients/program/output.hpp"
#include "clients/program/supervisor.hpp"
#include "clients/program/table.hpp"

namespace pointsman::program {
namespace {

Cell state(ProcessState state) {
  const std::string text(word(state));
  switch (state) {
    case ProcessState::ready:
      return {text, Tint::good};
    case ProcessState::crash_loop:
    case ProcessState::failed:
      return {text, Tint::bad};
    case ProcessState::waiting:
    case ProcessState::starting:
    case ProcessState::stopping:
    case ProcessState::back_off:
      return {text, Tint::warn};
    case ProcessState::stopped:
    case ProcessState::count_:
      break;
  }
  return {text};
}

std::string size(std::uint64_t bytes) {
  if (bytes == 0) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1fM", static_cast<double>(bytes) / (1024.0 * 1024.0));
  return text.data();
}

std::string or_dash(std::string text) { return text.empty() ? "-" : std::move(text); }

Table table_of(const Processes& processes) {
  Table table({{"PROCESS"},
               {"KIND"},
               {"SERVICE"},
               {"PID", true},
               {"STATE"},
               {"RESTARTS", true},
               {"UP", true},
               {"MEMORY", true},
               {"NEXT", true},
               {"LAST EXIT"},
               {"STATUS"}});
  for (const auto& row : processes.rows) {
    table.add({row.process, std::string(word(row.kind)), or_dash(row.service),
               row.pid == 0 ? "-" : std::to_string(row.pid), state(row.state), std::to_string(row.restarts),
               rough(row.up_ms), size(row.memory), rough(row.next_ms), or_dash(row.exit), or_dash(row.status)});
  }
  return table;
}

}  // namespace

int ps_command(const Context& context) {
  std::optional<Problem> refused;
  std::optional<Processes> processes;
  const auto problem = ask_supervisor(context, Ps{}, [&](const Message& answer) {
    if (const auto* why = std::get_if<Refused>(&answer)) refused = problem_of(*why);
    if (const auto* all = std::get_if<Processes>(&answer)) processes = *all;
    return !refused && !processes;
  });
  if (problem) return complain(*problem, context.json);
  if (refused) return complain(*refused, context.json);
  if (context.json) print_json(*processes);
  else write_out(table_of(*processes).text(screen()));
  return status(Exit::done);
}

}  // namespace pointsman::program
