// pointsman run: a session for as long as a command runs.

#include <memory>

#include "clients/program/child.hpp"
#include "clients/program/commands.hpp"
#include "clients/program/signals.hpp"
#include "protocol/base64.hpp"

namespace pointsman::program {
namespace {

constexpr std::chrono::seconds grace{5};  // after --timeout: between SIGTERM and SIGKILL

// What the broker said.
struct Answer {
  std::optional<Session> session;
  std::optional<Error> error;
};

AcquireOptions acquire_options(const RunCommand& command, const Context& context) {
  AcquireOptions options;
  options.wait = command.wait == Milliseconds(0) ? std::chrono::milliseconds(0) : within(context, command.wait);
  options.term = std::chrono::milliseconds(command.term.count());
  options.priority = static_cast<int>(command.priority);
  options.absent = command.absent;
  options.when = command.wishes.when;
  options.prefer = command.wishes.prefer;
  options.apart = true;  // the command is the one that talks to the worker
  options.reassign = 0;
  return options;
}

// Waits for the session, a signal or --timeout.
Or<Session> acquire(Client& client, const RunCommand& command, const Context& context, Signals& signals) {
  const auto mailbox = std::make_shared<Mailbox<Answer>>();
  client.acquire_async(
      command.service,
      [mailbox](std::optional<Session> session, std::optional<Error> error) {
        mailbox->put({std::move(session), std::move(error)});
      },
      acquire_options(command, context));
  for (;;) {
    if (!wait_for(signals, mailbox->bell(), context.deadline)) return timeout_problem(context);
    while (const auto came = signals.next()) {
      if (came->signal != SIGCHLD) throw Interrupted{came->signal};
    }
    auto answer = mailbox->take();
    if (!answer) continue;
    if (answer->error) return problem_of(*answer->error);
    return *std::move(answer->session);
  }
}

std::vector<std::string> environment_of(const Grant& grant, const std::string& client) {
  return {"POINTSMAN_ENDPOINT=" + grant.endpoint,
          "POINTSMAN_TICKET=" + to_base64(grant.ticket.data),
          "POINTSMAN_SESSION=" + std::to_string(grant.session),
          "POINTSMAN_WORKER=" + grant.worker,
          "POINTSMAN_SERVICE=" + grant.service,
          "POINTSMAN_CLIENT=" + client};
}

// Until the command has ended: passes signals on, and ends it at --timeout.
int attend(Child& child, Signals& signals, const Context& context) {
  const Bell never_rung;
  bool late = false;
  auto until = context.deadline;
  for (;;) {
    if (const auto code = child.ended()) {
      return late ? complain(timeout_problem(context), context.json) : *code;
    }
    if (!wait_for(signals, never_rung, until)) {
      child.send(late ? SIGKILL : SIGTERM);
      until = late ? Clock::time_point::max() : Clock::now() + grace;
      late = true;
    }
    while (const auto came = signals.next()) {
      // What the terminal sends, the command has got already.
      if (came->signal != SIGCHLD && !came->from_terminal) child.send(came->signal);
    }
  }
}

}  // namespace

int run_command(const RunCommand& command, const Context& context) {
  if (command.command.empty()) {
    return complain(usage("there is no command to run", "put it behind `--`: pointsman run SERVICE -- CMD ARGS…"),
                    context.json);
  }
  Signals signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD};
  Client client(client_options(context));
  auto acquired = acquire(client, command, context, signals);
  if (const auto* problem = std::get_if<Problem>(&acquired)) return complain(*problem, context.json);
  auto& session = std::get<Session>(acquired);
  auto started = Child::start(command.command, environment_of(session.grant(), client.name()), signals.before());
  if (const auto* problem = std::get_if<Problem>(&started)) return complain(*problem, context.json);
  const int code = attend(std::get<Child>(started), signals, context);
  session.release();
  return code;
}

}  // namespace pointsman::program
