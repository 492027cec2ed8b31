// One connection to the supervisor's listener, which is asked for signs of life meanwhile.

#include "clients/program/supervisor.hpp"

#include <unistd.h>

#include <array>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include "broker/supervisor/shell.hpp"
#include "clients/program/output.hpp"
#include "protocol/trace.hpp"
#include "protocol/transport.hpp"

namespace pointsman::program {
namespace {

constexpr std::size_t socket_path = 107;  // bytes of the path of a Unix socket
constexpr Duration between{std::chrono::seconds(1)};   // two questions whether it is there
constexpr Duration patience{std::chrono::seconds(5)};  // without any answer

// FNV-1a, 64 bit (Fowler, Noll, Vo).
std::string short_name_of(std::string_view path) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

Problem unreachable(const std::string& folder) {
  return {Exit::unreachable, "unreachable", "no supervisor answers in " + folder,
          "start it with the same file: pointsman up FILE", {}, 0};
}

}  // namespace

Or<std::string> folder_of(const Settings& settings) {
  std::string folder = settings.up.folder;
  if (folder.empty()) {
    std::array<char, PATH_MAX> full{};
    if (::realpath(settings.file.c_str(), full.data()) == nullptr) {
      return usage("it is not known which file the supervisor runs with", "name it, or put pointsman.toml here");
    }
    const std::string path = full.data();
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    if (runtime != nullptr && *runtime == '/' && ::access(runtime, W_OK) == 0) {
      folder = std::string(runtime) + "/pointsman-" + short_name_of(path);
    } else {
      folder = path.substr(0, path.rfind('/')) + "/.pointsman";
    }
  }
  if (folder.size() + sizeof "/control" > socket_path) {
    return usage("the path of the supervisor's folder is too long for a socket: " + folder,
                 "name a shorter one in the file: [up] folder = \"…\"");
  }
  return folder;
}

Problem problem_of(const Refused& refused) {
  return {exit_of(refused.code), std::string(word(refused.code)), refused.reason, refused.remedy, {}, 0};
}

std::optional<Problem> ask_supervisor(const Context& context, const Message& question,
                                      const std::function<bool(const Message&)>& answer) {
  const auto chosen = folder_of(context.settings);
  if (const auto* problem = std::get_if<Problem>(&chosen)) return *problem;
  const auto& folder = std::get<std::string>(chosen);
  if (::access((folder + "/control").c_str(), F_OK) != 0) return unreachable(folder);
  Transport transport;
  const Naming naming = [](const Address&) { return std::string("supervisor"); };
  const Address to{.door = Door::supervisor,
                   .peer = transport.connect(Door::supervisor, supervisor::control_endpoint(folder), {})};
  const auto send = [&](const Message& message) {
    const Send all{to, message, {}};
    if (context.trace) write_err(trace_line(all, naming) + "\n");
    transport.send(all);
  };
  send(question);
  bool wanted = true;
  Instant heard = now();
  Instant ping = now() + between;
  const auto take = [&](Incoming&& incoming) {
    const auto* received = std::get_if<Received>(&incoming);
    if (received == nullptr || !wanted) return;
    if (context.trace) write_err(trace_line(*received, naming) + "\n");
    heard = now();
    if (!std::holds_alternative<Welcome>(received->message)) wanted = answer(received->message);
  };
  while (wanted) {
    if (context.elapsed()) return timeout_problem(context);
    if (now() - heard >= patience) return unreachable(folder);
    transport.turn(std::min(ping, now() + std::chrono::milliseconds(within(context, Milliseconds(100)))), take);
    if (now() < ping) continue;
    ping = now() + between;
    send(Hello{});
  }
  return std::nullopt;
}

}  // namespace pointsman::program
