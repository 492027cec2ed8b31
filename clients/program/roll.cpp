// pointsman roll: has the processes of a service replaced, and tells each step.

#include "clients/program/commands.hpp"
#include "clients/program/output.hpp"
#include "clients/program/supervisor.hpp"

namespace pointsman::program {
namespace {

std::string share(const Rolled& rolled) {
  return std::to_string(rolled.done) + " of " + std::to_string(rolled.total);
}

}  // namespace

int roll_command(const RollCommand& command, const Context& context) {
  std::optional<Problem> refused;
  Rolled last;
  const auto step = [&](const Message& answer) {
    if (const auto* why = std::get_if<Refused>(&answer)) refused = problem_of(*why);
    if (const auto* rolled = std::get_if<Rolled>(&answer)) {
      last = *rolled;
      if (context.json) print_json(last);
      else if (!last.over) write_out(printable(share(last) + ": " + last.step) + "\n");
    }
    return !refused && !last.over;
  };
  const Roll question{.service = command.service, .at_once = command.at_once};
  if (const auto problem = ask_supervisor(context, question, step)) return complain(*problem, context.json);
  if (refused) return complain(*refused, context.json);
  if (last.code != Code::none) {
    return complain({exit_of(last.code), std::string(word(last.code)),
                     last.reason + " (" + share(last) + " were replaced)", "see: pointsman ps", {}, 0},
                    context.json);
  }
  if (!context.json) write_out(printable(share(last) + " processes of " + command.service + " were replaced") + "\n");
  return status(Exit::done);
}

}  // namespace pointsman::program
