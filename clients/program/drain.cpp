// pointsman drain: whether a worker gets sessions, and the wait until it has none.

#include <poll.h>

#include "clients/program/commands.hpp"
#include "clients/program/duration.hpp"
#include "clients/program/output.hpp"

namespace pointsman::program {
namespace {

constexpr int pause_ms = 100;  // between two looks

std::string sentence(const Drained& drained) {
  const std::string held = std::to_string(drained.used) + (drained.used == 1 ? " session" : " sessions");
  switch (drained.mode) {
    case DrainMode::drain:
      return drained.worker + " gets no new sessions; it holds " + held;
    case DrainMode::resume:
      return drained.worker + " gets sessions again; it holds " + held;
    case DrainMode::leave:
      return drained.worker + " gets no new sessions and leaves when it holds none; it holds " + held;
    case DrainMode::forget:
    case DrainMode::count_:
      break;
  }
  return drained.worker + " is struck off the list; it held " + held;
}

// Asking again changes nothing and tells how many sessions are left.
Or<Drained> wait_until_empty(Client& client, const DrainCommand& command, const Context& context, Drained drained) {
  const auto until = Clock::now() + std::chrono::milliseconds(command.wait.count());
  while (drained.used > 0) {
    if (context.elapsed()) return timeout_problem(context);
    if (command.wait != forever && Clock::now() >= until) {
      return Problem{Exit::no_worker, "timed-out", command.worker + " still holds " + std::to_string(drained.used) +
                         " sessions after " + exact(command.wait), "see: pointsman ls sessions", {}, 0};
    }
    ::poll(nullptr, 0, pause_ms);
    try {
      drained = ask<Drained>(client, Drain{.worker = command.worker, .mode = command.mode});
    } catch (const Error& error) {
      // It may leave between two looks: that is what was waited for.
      if (error.code != Code::unknown_worker) throw;
      drained.used = 0;
    }
  }
  return drained;
}

}  // namespace

int drain_command(const DrainCommand& command, const Context& context) {
  Client client(client_options(context));
  auto drained = ask<Drained>(client, Drain{.worker = command.worker, .mode = command.mode});
  const bool waits = command.wait != Milliseconds(0) &&
                     (command.mode == DrainMode::drain || command.mode == DrainMode::leave);
  if (waits) {
    auto emptied = wait_until_empty(client, command, context, drained);
    if (const auto* problem = std::get_if<Problem>(&emptied)) return complain(*problem, context.json);
    drained = std::get<Drained>(emptied);
  }
  if (context.json) {
    print_json(drained);
  } else {
    write_out(printable(sentence(drained)) + "\n");
  }
  return status(Exit::done);
}

}  // namespace pointsman::program
