// Processes, signals, and the proof at the end.
#include "test/faults/ground.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "protocol/must.hpp"

namespace pointsman::faults {

using namespace std::chrono_literals;

std::string free_endpoint() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  MUST(socket >= 0 && ::bind(socket, generic, size) == 0 && ::getsockname(socket, generic, &size) == 0);
  ::close(socket);
  return "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

std::uint64_t rss_of(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}

void last(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

Ground::Ground(GroundOptions options) : options_(std::move(options)), pen_(folder_.path() + "/ground.history", "ground") {
  if (options_.clients.empty()) options_.clients = free_endpoint();
  if (options_.workers.empty()) options_.workers = free_endpoint();
  pen_.write("terms", "lease_ms=" + std::to_string(options_.lease.count()) + " margin_ms=4000 listening_ms=5000");
  if (options_.keys) make_keys();
  if (options_.supervised.empty()) start_broker();
  else start_supervisor();
}

// The clients' may also watch and list.
void Ground::make_keys() {
  const std::string allowed = folder_.path() + "/allowed.keys";
  const auto keys = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {pointsman_program(), "keys"});
    const Result result = run(words);
    REQUIRE_MESSAGE(result.code == 0, result.err);
  };
  for (const std::string name : {"broker", "workers", "clients"})
    keys({"make", folder_.path() + "/" + name + ".key"});
  keys({"allow", "--allowed", allowed, "workers", folder_.path() + "/workers.key.pub", "--role", "worker"});
  keys({"allow", "--allowed", allowed, "clients", folder_.path() + "/clients.key.pub", "--role",
        "client,admin"});
  options_.broker.insert(options_.broker.end(),
                         {"--key", folder_.path() + "/broker.key", "--allowed", allowed});
}

Surroundings Ground::holding(const std::string& key) const {
  if (!options_.keys) return {};
  return {.input = {},
          .environment = {"POINTSMAN_KEY=" + folder_.path() + "/" + key + ".key",
                          "POINTSMAN_BROKER_KEY=" + folder_.path() + "/broker.key.pub"}};
}

std::vector<std::string> Ground::command(const std::string& party, std::vector<std::string> command,
                                         const std::vector<std::string>& limits) const {
  std::vector<std::string> all{POINTSMAN_FAULTS_PARTY, "in"};
  if (const auto net = options_.nets.find(party); net != options_.nets.end()) all.push_back("net=" + net->second);
  all.insert(all.end(), limits.begin(), limits.end());
  all.emplace_back("--");
  all.insert(all.end(), std::make_move_iterator(command.begin()), std::make_move_iterator(command.end()));
  return all;
}

void Ground::start_broker() {
  std::vector<std::string> words{pointsman_program(), "broker", "--clients", options_.clients, "--workers",
                                 options_.workers, "--lease", std::to_string(options_.lease.count()) + "ms",
                                 "--ticket-ttl", "1s"};
  words.insert(words.end(), options_.broker.begin(), options_.broker.end());
  pen_.write("starting", "of=broker");
  processes_["broker"] = std::make_unique<Process>(command("broker", std::move(words), options_.limits));
  const bool is_ready = process("broker").wait_for_line("ready ", 20s);
  if (!is_ready) MESSAGE("broker: " << process("broker").err());
  REQUIRE(is_ready);
  pen_.write("ready", "of=broker");
}

// The broker and the workers from one file.
void Ground::start_supervisor() {
  {
    std::ofstream file(up_file());
    file << "[broker]\nclients = \"" << options_.clients << "\"\nworkers = \"" << options_.workers << "\"\nlease = \""
         << options_.lease.count() << "ms\"\nticket_ttl = \"1s\"\n";
    for (const auto& name : options_.supervised) {
      file << "[[process]]\nname = \"" << name << "\"\nservice = \"echo\"\nnotify = true\ncommand = [\""
           << POINTSMAN_FAULTS_PARTY << "\", \"worker\", \"" << options_.workers << "\", \"" << history(name)
           << "\", \"" << name << "\", \"slots=2\", \"work_ms=10\"]\n";
    }
  }
  processes_["supervisor"] = std::make_unique<Process>(command("supervisor", {pointsman_program(), "up", up_file()},
                                                               options_.limits));
  const bool all_there = eventually(30s, [&] {
    return list().starts_with("workers=" + std::to_string(options_.supervised.size()) + " ");
  });
  if (!all_there) MESSAGE("supervisor: " << process("supervisor").err());
  REQUIRE(all_there);
}

pid_t Ground::pid_of(const std::string& process) const {
  const std::string rows = run({pointsman_program(), "ps", up_file(), "--json"}, {}, 10s).out;
  const auto row = rows.find("\"process\":\"" + process + "\"");
  const auto pid = rows.find("\"pid\":", row);
  return row == std::string::npos || pid == std::string::npos ? 0 : std::atoi(rows.c_str() + pid + 6);
}

void Ground::kill_supervised(const std::string& process, pid_t pid) {
  const bool is_there = eventually([&] { return pid > 0 || (pid = pid_of(process)) > 0; });
  REQUIRE(is_there);
  REQUIRE(::kill(pid, SIGKILL) == 0);
  pen_.write("killed", "of=" + process);
  ++killed_[process];
}

void Ground::start_party(const std::string& kind, const std::string& name, const std::string& listener,
                         std::vector<std::string> words) {
  std::vector<std::string> all{POINTSMAN_FAULTS_PARTY, kind, listener, history(name), name};
  all.insert(all.end(), std::make_move_iterator(words.begin()), std::make_move_iterator(words.end()));
  processes_[name] = std::make_unique<Process>(command(name, std::move(all)),
                                               holding(kind == "worker" ? "workers" : "clients"));
  const bool is_ready = process(name).wait_for_line("ready", 60s);
  if (!is_ready) MESSAGE(name << ": " << process(name).err());
  REQUIRE(is_ready);
}

void Ground::start_worker(const std::string& name, std::vector<std::string> words, const std::string& listener) {
  if (std::find(workers_.begin(), workers_.end(), name) == workers_.end()) workers_.push_back(name);
  start_party("worker", name, listener.empty() ? options_.workers : listener, std::move(words));
}

void Ground::start_client(const std::string& name, std::vector<std::string> words, const std::string& listener) {
  if (std::find(clients_.begin(), clients_.end(), name) == clients_.end()) clients_.push_back(name);
  start_party("client", name, listener.empty() ? options_.clients : listener, std::move(words));
}

void Ground::start_watch() { start_party("watch", "watch", options_.clients, {}); }

void Ground::kill(const std::string& party) {
  process(party).signal(SIGKILL);
  pen_.write("killed", "of=" + party);
  REQUIRE(process(party).wait(10s));
}

void Ground::stop(const std::string& party) {
  pen_.write("stopped", "of=" + party);
  process(party).signal(SIGSTOP);
}

void Ground::go_on(const std::string& party) {
  process(party).signal(SIGCONT);
  pen_.write("continued", "of=" + party);
}

void Ground::fault(const std::string& of, const std::string& kind) { pen_.write("fault", "of=" + of + " kind=" + kind); }
void Ground::healed(const std::string& of) { pen_.write("healed", "of=" + of); }
void Ground::calm() { pen_.write("calm"); }

void Ground::rss(const std::string& party, std::uint64_t bound) {
  pen_.write("rss", "of=" + party + " bytes=" + std::to_string(rss_of(process(party).pid())) +
                        " bound=" + std::to_string(bound));
}

int Ground::end(const std::string& party) {
  process(party).signal(SIGTERM);
  const auto code = process(party).wait(30s);
  const std::string err = process(party).err();
  if (!code || *code != 0) MESSAGE(party << " ended with " << code.value_or(-1) << ": " << err);
  processes_.erase(party);
  return code.value_or(-1);
}

std::string Ground::list() {
  const Result result =
      run(command("broker", {POINTSMAN_FAULTS_PARTY, "list", options_.clients, history("ground"), "ground"}),
          holding("clients"), 20s);
  return result.code == 0 ? result.out : "failed: " + result.err;
}

bool Ground::empty(std::chrono::milliseconds within) {
  std::string seen;
  const bool is_empty = eventually(within, [&] { return (seen = list()).find(" used=0 waiting=0") != std::string::npos; });
  if (!is_empty) MESSAGE("the broker still lists: " << seen);
  return is_empty;
}

bool Ground::granted(const std::string& client, std::uint64_t more, std::chrono::milliseconds within) {
  // Counted in the file, from where it ends now.
  const std::string path = history(client);
  const auto from = std::filesystem::file_size(path);
  return eventually(within, [&] {
    std::ifstream in(path);
    in.seekg(static_cast<std::streamoff>(from));
    std::uint64_t count = 0;
    for (std::string line; std::getline(in, line);) count += line.find(" granted ask=") != std::string::npos;
    return count >= more;
  });
}

bool Ground::all_registered() {
  const auto enrolled = [&](const std::string& worker) {
    int starts = 0;
    bool is = false;
    std::ifstream in(history(worker));
    for (std::string line; std::getline(in, line);) {
      if (line.find(" started instance=") != std::string::npos) ++starts, is = false;
      if (line.find(" enrolled lease=") != std::string::npos) is = true;
    }
    return is && starts > killed_[worker];
  };
  const std::string all = "workers=" + std::to_string(options_.supervised.size()) + " ";
  return eventually([&] {
    return std::all_of(options_.supervised.begin(), options_.supervised.end(), enrolled) && list().starts_with(all);
  });
}

Tally Ground::prove() {
  calm();
  last(options_.lease * 2 / 3 + 50ms);
  const std::string under_load = list();
  CHECK(under_load.find("workers=") == 0);
  for (const auto& name : clients_) {
    if (runs(name)) CHECK(end(name) == 0);
  }
  const bool is_empty = empty(15s);
  CHECK(is_empty);
  for (const auto& name : workers_) {
    if (runs(name)) CHECK(end(name) == 0);
  }
  if (runs("watch")) CHECK(end("watch") == 0);
  if (runs("broker")) CHECK(end("broker") == 0);
  if (runs("supervisor")) CHECK(end("supervisor") == 0);
  const Verdict verdict = check(read_histories(folder()));
  for (const auto& violation : verdict.violations) FAIL_CHECK(violation.rule << " " << violation.what);
  MESSAGE(text(verdict.tally));
  if (!verdict.violations.empty() || !is_empty || std::getenv("POINTSMAN_FAULTS_KEEP") != nullptr) {
    const std::string kept = (std::filesystem::temp_directory_path() / ("pointsman-faults-" + folder().substr(folder().rfind('/') + 1))).string();
    std::filesystem::copy(folder(), kept, std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
    MESSAGE("the histories are kept in " << kept);
  }
  return verdict.tally;
}

}  // namespace pointsman::faults
