// pointsman up: what the file asks for becomes commands; the rest is the supervisor's.

#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>

#include "broker/supervisor/shell.hpp"
#include "broker/supervisor/spawner.hpp"
#include "clients/program/commands.hpp"
#include "clients/program/duration.hpp"
#include "clients/program/supervisor.hpp"
#include "protocol/notice.hpp"

namespace pointsman::program {
namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

std::string full_path(const char* path) {
  std::array<char, PATH_MAX> full{};
  return ::realpath(path, full.data()) == nullptr ? std::string(path) : full.data();
}

// The program itself, as it lies on the disk when it is started: a newer one, once it was replaced there.
std::string this_program() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : std::string(program_name);
}

// A broker that comes back has to be where it was.
std::optional<Problem> wrong_with(const Settings& settings) {
  const auto& up = settings.up;
  if (!up.broker && up.processes.empty()) {
    return usage("the file asks for no process, and for no broker", "add a [[process]], or leave out up.broker");
  }
  if (!up.broker && !names_one_broker(settings.client_broker)) {
    return usage(
        "a supervisor asks one broker how its services are, and client.broker is " + settings.client_broker,
        "name its endpoint, like tcp://127.0.0.1:5570");
  }
  if (!up.broker) return std::nullopt;
  for (const std::string& endpoint : {settings.broker.clients, settings.broker.workers}) {
    if (endpoint.find('*') == std::string::npos && !endpoint.ends_with(":0")) continue;
    return usage(endpoint + " is another endpoint at each start of the broker",
                 "write one that stays, like tcp://127.0.0.1:5570");
  }
  return std::nullopt;
}

supervisor::Command command_of(const ProcessSettings& process, const Environment& surroundings) {
  supervisor::Command command{.launch = {process.command, surroundings}, .hang = process.hang};
  if (process.command.front() == program_name) command.launch.command.front() = this_program();
  for (const auto& variable : process.environment) {
    std::erase_if(command.launch.environment, [&](const auto& other) { return other.first == variable.first; });
    command.launch.environment.push_back(variable);
  }
  return command;
}

supervisor::ShellOptions options_of(const UpCommand& command, const Context& context, const std::string& folder) {
  const Settings& settings = context.settings;
  const auto& up = settings.up;
  const std::string file = full_path(settings.file.c_str());
  const std::string& clients = up.broker ? settings.broker.clients : settings.client_broker;
  const std::string& workers = up.broker ? settings.broker.workers : settings.worker_broker;
  const Environment surroundings{
      {"POINTSMAN_CONFIG", file}, {"POINTSMAN_BROKER", clients}, {"POINTSMAN_WORKERS", workers}};
  supervisor::ShellOptions options{.folder = folder, .broker = clients, .trace = context.trace};
  options.quiet = command.quiet;
  options.key = settings.client_key;
  options.broker_key = settings.client_broker_key;
  options.core.stop = up.stop;
  if (up.broker) {
    options.core.groups.push_back({.name = "broker",
                                   .kind = ProcessKind::broker,
                                   .ready = up.ready,
                                   .watchdog = up.watchdog});
    std::vector<std::string> broker{this_program(), "broker", "--config", file};
    if (command.quiet) broker.push_back("--quiet");
    options.commands.push_back({.launch = {std::move(broker), surroundings}});
  }
  for (const ProcessSettings& process : up.processes) {
    options.core.groups.push_back({.name = process.name,
                                   .kind = process.service.empty() ? ProcessKind::program : ProcessKind::worker,
                                   .service = process.service,
                                   .min = process.min,
                                   .max = process.max,
                                   .idle = process.idle,
                                   .notifies = process.notify,
                                   .ready = process.ready,
                                   .watchdog = process.watchdog,
                                   .drain = process.drain});
    options.commands.push_back(command_of(process, surroundings));
  }
  options.told = "clients=" + clients + " workers=" + workers + " folder=" + folder;
  return options;
}

}  // namespace

int up_command(const UpCommand& command, const Context& context) {
  if (const auto problem = wrong_with(context.settings)) return complain(*problem, context.json);
  const auto folder = folder_of(context.settings);
  if (const auto* problem = std::get_if<Problem>(&folder)) return complain(*problem, context.json);
  auto options = options_of(command, context, std::get<std::string>(folder));
  // Before the spawner: what it starts does not speak in our name, and it has none of our sockets.
  Notice::keep_to_ourselves();
  supervisor::Spawner spawner;
  return supervisor::run_supervisor(options, spawner);
}

}  // namespace pointsman::program
