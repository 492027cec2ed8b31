// pointsman watch: what happens at the broker, a line each.

#include <algorithm>

#include "clients/program/commands.hpp"
#include "clients/program/nearest.hpp"
#include "clients/program/output.hpp"
#include "protocol/codec.hpp"
#include "protocol/notation.hpp"

namespace pointsman::program {
namespace {

Or<std::vector<Happening>> parse_kinds(const std::vector<std::string>& texts) {
  const auto& words = Words<Happening>::list;
  std::vector<Happening> kinds;
  for (const auto& text : texts) {
    const auto found = std::find(words.begin(), words.end(), text);
    if (found == words.end()) {
      std::string all;
      for (const auto known : words) all += (all.empty() ? "" : ", ") + std::string(known);
      return usage("there is no kind \"" + text + "\"" + did_you_mean(text, {words.begin(), words.end()}),
                   "the kinds are " + all);
    }
    kinds.push_back(static_cast<Happening>(found - words.begin()));
  }
  return kinds;
}

}  // namespace

int watch_command(const WatchCommand& command, const Context& context) {
  const auto kinds = parse_kinds(command.kinds);
  if (const auto* problem = std::get_if<Problem>(&kinds)) return complain(*problem, context.json);
  Client client(client_options(context));
  std::uint64_t seen = 0;
  bool closed = false;
  // What the library calls must not throw through it.
  const auto print = [&](const Happened& event) {
    try {
      write_out(context.json ? encode(event, Codec::json) + "\n" : to_line(event) + "\n");
    } catch (const OutputClosed&) {
      closed = true;
    }
    return !closed && ++seen != command.count && !context.elapsed();
  };
  const auto missed = [](std::uint64_t count) {
    write_err(count == 0 ? "the broker started anew; events were missed\n"
                         : std::to_string(count) + " events were missed\n");
  };
  client.watch({.service = command.service, .kinds = std::get<std::vector<Happening>>(kinds)}, print,
               [&] { return !context.elapsed(); }, missed);
  if (closed) throw OutputClosed{};
  if (seen != command.count || command.count == 0) return complain(timeout_problem(context), context.json);
  return status(Exit::done);
}

}  // namespace pointsman::program
