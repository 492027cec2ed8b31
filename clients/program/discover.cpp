// pointsman discover: asks all brokers of a group on the local networks who is there, and says what was sent, heard and
// not believed, by interface. If nobody answers it asks those of all groups, to say what is there instead.

#include <map>
#include <string>
#include <tuple>

#include "clients/program/commands.hpp"
#include "clients/program/table.hpp"
#include "protocol/finder/inquiry.hpp"
#include "protocol/handshake.hpp"
#include "protocol/json_text.hpp"
#include "protocol/limits.hpp"

namespace pointsman::program {
namespace {

using finder::Answered;

constexpr std::size_t found_max = limits::brokers * limits::addresses;
constexpr Duration again_first = std::chrono::milliseconds(150);  // questions may be lost
constexpr std::size_t others_max = 8;                             // groups that are told instead
constexpr Milliseconds wait_for_others(500);

class Discovery {
 public:
  Discovery(const DiscoverCommand& command, const Context& context)
      : trace_(context.trace),
        realm_(read_credentials({}, {}, context.settings.client_realm).realm),
        inquiry_(transport_, {.group = command.group, .service = command.service, .when = command.when}, realm_,
                 [this](const Answered& answered) { hear(answered); }) {}

  void run(Duration wait) { run(inquiry_, wait); }

  void look_for_others(Duration wait) {
    trace("nobody has answered; asking brokers of all groups");
    finder::Inquiry all(transport_, {}, realm_, [this](const Answered& answered) {
      if (!answered.problem) trace(heard_at(answered, {}));
      if (!answered.problem && others_.size() < others_max) others_.emplace(answered.answer.group, answered);
    });
    run(all, wait);
  }

  std::string table() const {
    Table table({{"BROKER"}, {"CLIENTS"}, {"WORKERS"}, {"KEY"}, {"FROM"}, {"BY"}});
    for (const auto& [identity, found] : found_) {
      const Answer& answer = found.answer;
      table.add({answer.broker, shown(answer.clients), shown(answer.workers),
                 answer.key.none() ? "-" : to_z85(answer.key), found.from, found.at.interface});
    }
    return table.text(screen());
  }

  std::string json() const {
    std::string text = "{\"brokers\":[";
    for (const auto& [identity, found] : found_) {
      const Answer& answer = found.answer;
      text += std::string(text.back() == '[' ? "" : ",") + "{\"broker\":" + json_quote(answer.broker) +
              ",\"group\":" + json_quote(answer.group) + ",\"clients\":" + json_quote(answer.clients) +
              ",\"workers\":" + json_quote(answer.workers) +
              ",\"key\":" + json_quote(answer.key.none() ? "" : to_z85(answer.key)) +
              ",\"epoch\":" + std::to_string(answer.epoch) +
              ",\"lease_ms\":" + std::to_string(answer.lease_ms.count()) +
              ",\"from\":" + json_quote(found.from) + ",\"interface\":" + json_quote(found.at.interface) +
              "}";
    }
    text += "],\"rejected\":[";
    for (const auto& [reason, count] : rejected_) {
      text += std::string(text.back() == '[' ? "" : ",") + "{\"reason\":" + json_quote(reason) +
              ",\"answers\":" + std::to_string(count) + "}";
    }
    text += "],\"others\":[";
    for (const auto& [group, other] : others_) {
      text += std::string(text.back() == '[' ? "" : ",") + "{\"group\":" + json_quote(group) +
              ",\"broker\":" + json_quote(other.answer.broker) + ",\"from\":" + json_quote(other.from) + "}";
    }
    return text + "]}\n";
  }

  bool nothing() const { return found_.empty(); }

  // Why nobody was found.
  Problem problem(const DiscoverCommand& command) const {
    Problem problem{.exit = Exit::unreachable, .code = "unreachable"};
    problem.message = "no broker of the group " + command.group +
                      (command.service.empty() ? "" : " that offers " + command.service) +
                      (command.when.empty() ? "" : " by a worker that meets the condition") + " has answered";
    for (const auto& [reason, count] : rejected_) {
      problem.message += "; " + std::to_string(count) + " answers were not believed: " + reason;
    }
    for (const auto& [group, other] : others_) {
      const std::string where = other.answer.broker + " at " + other.from;
      const char* lacks = command.when.empty() ? "; without that service " : "; without such a worker ";
      problem.message += group == command.group ? lacks + where + " has"
                                                : "; of the group " + group + " " + where + " has";
    }
    problem.remedy =
        "start one with --group " + command.group +
        "; --trace shows what was sent by each interface. Brokers with a realm's key do not answer "
        "those without it";
    return problem;
  }

 private:
  static std::string shown(const std::string& endpoint) { return endpoint.empty() ? "-" : endpoint; }

  void trace(const std::string& text) const {
    if (trace_) write_err("# " + text + "\n");
  }

  // Asks again and again, less and less often.
  void run(finder::Inquiry& inquiry, Duration wait) {
    const Instant end = now() + wait;
    Duration pause = again_first;
    for (Instant next = now(); now() < end;) {
      if (now() >= next) {
        for (const auto& sent : inquiry.ask()) trace(finder::asked_at(sent));
        next = now() + pause;
        pause *= 2;
      }
      transport_.turn(std::min(next, end), [](Incoming&&) {});
    }
  }

  void hear(const Answered& answered) {
    trace(heard_at(answered, answered.problem.value_or("")));
    if (answered.problem) {
      ++rejected_[*answered.problem];
      return;
    }
    const Answer& answer = answered.answer;
    if (found_.size() == found_max) return;  // without a realm's key anybody may be many
    found_.try_emplace({answer.broker, answer.epoch, answer.clients, answer.workers}, answered);
  }

  const bool trace_;
  const Bytes realm_;
  std::map<std::tuple<std::string, std::uint64_t, std::string, std::string>, Answered> found_;
  std::map<std::string, int> rejected_;
  std::map<std::string, Answered> others_;  // by group
  Transport transport_;
  finder::Inquiry inquiry_;
};

}  // namespace

int discover_command(const DiscoverCommand& command, const Context& context) {
  if (command.group.empty() || command.group.size() > limits::name || command.service.size() > limits::name) {
    return complain(usage("--group and --service have at most " + std::to_string(limits::name) + " bytes"),
                    context.json);
  }
  if (!command.when.empty() && command.service.empty()) {
    return complain(usage("--when is about workers of a service, and none is named", "name it with --service"),
                    context.json);
  }
  if (command.when.size() > limits::question_condition) {
    return complain(usage("--when has at most " + std::to_string(limits::question_condition) +
                              " bytes here, so that it fits a datagram",
                          "shorten it, or ask a broker with: pointsman explain"),
                    context.json);
  }
  Discovery discovery(command, context);
  discovery.run(Duration(within(context, command.wait)));
  if (discovery.nothing()) discovery.look_for_others(Duration(within(context, wait_for_others)));
  if (context.json) write_out(discovery.json());
  if (discovery.nothing()) return complain(discovery.problem(command), context.json);
  if (!context.json) write_out(discovery.table());
  return status(Exit::done);
}

}  // namespace pointsman::program
