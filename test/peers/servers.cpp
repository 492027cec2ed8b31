// Processes by posix_spawn; their cost from /proc.
#include "test/peers/servers.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "protocol/keyfile.hpp"

namespace pointsman::peers {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A process and what descends from it.
std::set<pid_t> family(pid_t root) {
  std::set<pid_t> all;
  std::vector<pid_t> open{root};
  while (!open.empty()) {
    const pid_t process = open.back();
    open.pop_back();
    if (!all.insert(process).second) continue;
    std::error_code gone;
    for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
      std::ifstream children(task.path() / "children");
      for (pid_t child = 0; children >> child;) open.push_back(child);
    }
  }
  return all;
}

}  // namespace

std::string value_of(const std::string& line, const std::string& name) {
  const std::size_t at = (" " + line).find(" " + name + "=");
  if (at == std::string::npos) throw Broken("no " + name + " in: " + line);
  const std::size_t from = at + name.size() + 1;
  return line.substr(from, line.find(' ', from) - from);
}

std::string self() { return fs::read_symlink("/proc/self/exe").string(); }

std::string find_program(const std::string& name) {
  if (name.starts_with('/')) return ::access(name.c_str(), X_OK) == 0 ? name : std::string();
  const char* path = std::getenv("PATH");
  std::stringstream folders(std::string(path != nullptr ? path : "") + ":/usr/sbin:/usr/local/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
  }
  return {};
}

void Server::start(std::vector<std::string> command, const std::vector<std::string>& environment) {
  // Whoever is started so dies with this process, even if that is killed.
  command.insert(command.begin(), {self(), "under"});
  process_ = std::make_unique<Process>(command, Surroundings{{}, environment});
}

std::string Server::ready_line() {
  std::string line;
  if (!process_->wait_for_line("ready ", 20s, &line))
    throw Broken("a server did not get ready: " + process_->err());
  return line;
}

void Server::wait_for(std::uint16_t port) {
  for (int i = 0; i < 3000; ++i) {
    try {
      ::close(connect_to(port));
      return;
    } catch (const Broken&) {
      if (process_->wait(10ms)) throw Broken("a server ended: " + process_->out() + process_->err());
    }
  }
  throw Broken("a server did not listen on port " + std::to_string(port));
}

void Server::stop() {
  if (!process_) return;
  process_->signal(SIGTERM);
  process_->wait(3s);
  process_.reset();
}

double Server::cpu() const {
  double seconds = 0;
  for (const pid_t process : family(process_->pid())) {
    std::error_code gone;
    for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
      std::uint64_t ran = 0;
      std::ifstream(task.path() / "schedstat") >> ran;
      seconds += static_cast<double>(ran) / 1e9;
    }
  }
  return seconds;
}

double Server::memory() const {
  double bytes = 0;
  for (const pid_t process : family(process_->pid())) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:")) bytes += std::stod(line.substr(6)) * 1024;
    }
  }
  return bytes;
}

double Server::settled_memory(Loop& loop) const {
  double last = 0, now = memory();
  for (int i = 0; i < 40 && (i < 3 || last != now); ++i) {
    loop.run(0.1);
    last = now;
    now = memory();
  }
  return now;
}

Keys::Keys(const std::string& folder)
    : server_file(folder + "/server"), load_file(folder + "/load"), allowed_file(folder + "/allowed") {
  const SharedKeyPair server = make_key_pair(), load = make_key_pair();
  write_key_pair(*server, server_file);
  write_key_pair(*load, load_file);
  load_public = to_z85(load->key);
  std::ofstream(allowed_file) << "load " << load_public << " client,worker\n";
  server_secret.resize(key_text_size);
  z85_encode(server->secret.data(), Secret::size, server_secret.data());
  curve.key = load->key.bytes;
  curve.server = server->key.bytes;
  std::copy_n(load->secret.data(), Secret::size, curve.secret.begin());
}

Broker::Broker(const Keys* keys, std::vector<std::string> options) {
  std::vector<std::string> command{pointsman_program(), "broker",    "--clients",
                                   "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*"};
  if (keys != nullptr)
    command.insert(command.end(), {"--key", keys->server_file, "--allowed", keys->allowed_file});
  command.insert(command.end(), options.begin(), options.end());
  server.start(command);
  const std::string line = server.ready_line();
  clients = value_of(line, "clients");
  workers = value_of(line, "workers");
}

}  // namespace pointsman::peers
