// Processes of a load test.

#include "clients/program/load/ground.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>

#include "protocol/allowed.hpp"
#include "protocol/keyfile.hpp"

namespace pointsman::load {
namespace {

namespace fs = std::filesystem;

// This very program, also if its file was replaced since.
std::string program_path() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  return error || !fs::exists(path) ? "/proc/self/exe" : path.string();
}

std::uint16_t port_of(const std::string& endpoint) {
  return static_cast<std::uint16_t>(std::stoul(endpoint.substr(endpoint.rfind(':') + 1)));
}

std::string word_behind(const std::string& line, const std::string& name) {
  const std::size_t at = line.find(name + "=");
  if (at == std::string::npos) return {};
  const std::size_t from = at + name.size() + 1;
  return line.substr(from, line.find(' ', from) - from);
}

double microseconds(unsigned long ticks) {
  return static_cast<double>(ticks) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

Ground::Ground(GroundPlan plan, Aim& aim) : plan_(std::move(plan)) {
  std::string name = (fs::temp_directory_path() / "pointsman-load-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), "cannot make " + name);
  folder_ = name;
  for (const Fault& fault : plan_.faults) deeds_.push_back({fault.at, fault});
  if (plan_.broker) {
    if (plan_.encrypt) make_keys(aim);
    start_broker(aim);
  }
  if (plan_.hosts > 0) start_hosts(aim);
}

Ground::~Ground() {
  for (Process& host : hosts_) children_.signal(host.child.pid, SIGCONT);
  children_.kill_all(std::chrono::seconds(2));
  close_pipes(broker_);
  for (Process& host : hosts_) close_pipes(host);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Ground::close_pipes(Process& process) {
  for (int* end : {&process.child.in, &process.child.out, &process.child.err}) close_pipe(*end);
}

void Ground::start(Process& process) {
  close_pipes(process);
  process.alive = true;
  process.killed = false;
  process.heard.clear();
  process.child = children_.start(process.command, {}, true, [&process](int) { process.alive = false; });
}

// The next line of its stdout; throws if it ends, or says another, or nothing.
std::string Ground::line(Process& process, const std::string& prefix, Nanos within) {
  std::string text;
  const Nanos until = clock_now() + within;
  while (clock_now() < until) {
    pollfd polled{process.child.out, POLLIN, 0};
    ::poll(&polled, 1, 100);
    drain_errors(process);
    char byte = 0;
    ssize_t count = 0;
    while ((count = ::read(process.child.out, &byte, 1)) == 1) {
      if (byte != '\n') {
        text += byte;
      } else if (text.starts_with(prefix)) {
        return text;
      } else {
        text.clear();
      }
    }
    if (count == 0) break;
  }
  drain_errors(process);
  throw std::runtime_error("`" + process.command[1] + "`, which this test started, did not say `" + prefix +
                           "`" + (process.said.empty() ? "" : ": " + process.said));
}

void Ground::drain_errors(Process& process) {
  constexpr std::size_t kept = 2048;
  std::array<char, 4096> bytes;
  for (ssize_t count = 0;
       process.child.err >= 0 && (count = ::read(process.child.err, bytes.data(), bytes.size())) > 0;) {
    process.said.append(bytes.data(), static_cast<std::size_t>(count));
    if (process.said.size() > kept) process.said.erase(0, process.said.size() - kept);
  }
}

void Ground::make_keys(Aim& aim) {
  const std::string broker = folder_ / "broker.key", own = folder_ / "load.key";
  write_key_pair(*make_key_pair(), broker);
  write_key_pair(*make_key_pair(), own);
  Process allow;
  allow.command = {program_path(), "keys",       "allow",  "--allowed",          folder_ / "allowed.keys",
                   "load",         own + ".pub", "--role", "client,worker,admin"};
  start(allow);
  while (allow.alive) {
    ::poll(nullptr, 0, 5);
    children_.reap();
  }
  drain_errors(allow);
  close_pipes(allow);
  if (!fs::exists(folder_ / "allowed.keys")) throw std::runtime_error("cannot make keys: " + allow.said);
  aim.key = plan_.crew.key = own;
  aim.broker_key = plan_.crew.broker_key = broker + ".pub";
}

void Ground::start_broker(Aim& aim) {
  const std::string ipc = "ipc://" + folder_.string();
  const std::string tcp = "tcp://127.0.0.1:*";
  const auto command_for = [&](const std::string& clients, const std::string& workers) {
    std::vector<std::string> command{
        program_path(), "broker",    "--config",          "/dev/null",
        "--clients",    clients,     "--workers",         workers,
        "--lease",      plan_.lease, "--connections-max", std::to_string(plan_.connections)};
    if (plan_.encrypt) {
      const std::vector<std::string> more{"--key", folder_ / "broker.key", "--allowed",
                                          folder_ / "allowed.keys"};
      command.insert(command.end(), more.begin(), more.end());
    }
    return command;
  };
  broker_.command = plan_.ipc ? command_for(ipc + "/clients", ipc + "/workers") : command_for(tcp, tcp);
  start(broker_);
  const std::string ready = line(broker_, "ready ", 10 * second);
  aim.clients = word_behind(ready, "clients");
  aim.workers = word_behind(ready, "workers");
  broker_.command = command_for(aim.clients, aim.workers);  // when it is started again: where it was
  if (!plan_.relay) return;
  to_clients_ = std::make_unique<Relay>(port_of(aim.clients));
  to_workers_ = std::make_unique<Relay>(port_of(aim.workers));
  aim.clients = "tcp://127.0.0.1:" + std::to_string(to_clients_->port());
  aim.workers = "tcp://127.0.0.1:" + std::to_string(to_workers_->port());
}

// The workers are shared out evenly; all of a host have services in turn.
void Ground::start_hosts(Aim& aim) {
  hosts_.resize(plan_.hosts);
  std::uint64_t first = 0;
  for (std::uint64_t i = 0; i < plan_.hosts; ++i) {
    HostCommand crew = plan_.crew;
    crew.broker = aim.workers;
    crew.workers = plan_.crew.workers / plan_.hosts + (i < plan_.crew.workers % plan_.hosts ? 1 : 0);
    crew.prefix += "h" + std::to_string(i) + "-";
    crew.seed += i;
    std::rotate(crew.services.begin(),
                crew.services.begin() + static_cast<std::ptrdiff_t>(first % crew.services.size()),
                crew.services.end());
    first += crew.workers;
    hosts_[i].command = {program_path(), "load-host", "--"};
    const auto words = words_of(crew);
    hosts_[i].command.insert(hosts_[i].command.end(), words.begin(), words.end());
    start(hosts_[i]);
  }
}

Ground::Process& Ground::victim(const Deed& deed) {
  return deed.fault.party == Fault::Party::broker ? broker_ : hosts_[deed.victim];
}

void Ground::carry_out(Deed deed, std::vector<Happening>& happened) {
  using Verb = Fault::Verb;
  disturbed_ = true;
  const bool broker = deed.fault.party == Fault::Party::broker;
  if (!deed.undo && !broker) deed.victim = next_victim_++ % hosts_.size();
  const std::string who = broker ? "broker" : "worker host " + std::to_string(deed.victim);
  Process& process = victim(deed);
  std::string what;
  if (deed.fault.verb == Verb::cut) {
    if (broker) to_clients_->cut(!deed.undo);
    if (!broker) to_workers_->cut(!deed.undo);
    what = std::string(broker ? "clients" : "workers") + (deed.undo ? " joined" : " cut off");
  } else if (deed.fault.verb == Verb::freeze) {
    children_.signal(process.child.pid, deed.undo ? SIGCONT : SIGSTOP);
    what = who + (deed.undo ? " goes on" : " frozen");
  } else if (deed.undo) {
    start(process);
    what = who + " started";
  } else {
    process.before += cpu_ticks(process.child.pid);
    process.killed = process.lost = true;
    broker_killed_ |= broker;
    children_.signal(process.child.pid, SIGKILL);
    while (process.alive) {
      ::poll(nullptr, 0, 1);
      children_.reap();
    }
    what = who + " killed";
  }
  happened.push_back({static_cast<double>(deed.at) / 1e9, what});
  if (deed.undo) return;
  deed.undo = true;
  deed.at += deed.fault.lasts;
  deeds_.push_back(deed);
}

Nanos Ground::tend(Nanos begin, Nanos now, std::vector<Happening>& happened) {
  for (;;) {
    const auto first = std::min_element(deeds_.begin(), deeds_.end(),
                                        [](const Deed& a, const Deed& b) { return a.at < b.at; });
    if (first == deeds_.end()) return UINT64_MAX;
    if (begin + first->at > now) return begin + first->at;
    const Deed deed = *first;
    deeds_.erase(first);
    carry_out(deed, happened);
  }
}

void Ground::mend(Nanos begin, std::vector<Happening>& happened) {
  std::erase_if(deeds_, [](const Deed& deed) { return !deed.undo; });
  const auto now = clock_now();
  for (Deed& deed : std::exchange(deeds_, {})) {
    deed.at = now - begin;
    carry_out(deed, happened);
  }
}

void Ground::look_after() {
  children_.reap();
  const auto look = [&](Process& process) {
    drain_errors(process);
    if (process.alive || process.killed) return;
    throw std::runtime_error("`" + process.command[1] + "`, which this test started, died" +
                             (process.said.empty() ? "" : ": " + process.said));
  };
  if (plan_.broker) look(broker_);
  for (Process& host : hosts_) look(host);
}

void Ground::hear(Nanos begin, std::vector<Happening>& happened) {
  std::array<char, 256> bytes;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    std::string& heard = hosts_[i].heard;
    for (ssize_t count = 0;
         hosts_[i].child.out >= 0 && (count = ::read(hosts_[i].child.out, bytes.data(), bytes.size())) > 0;) {
      heard.append(bytes.data(), static_cast<std::size_t>(count));
    }
    for (std::size_t end = 0; (end = heard.find('\n')) != std::string::npos; heard.erase(0, end + 1)) {
      const Nanos at = number_behind("registered ", heard.substr(0, end)).value_or(0);
      if (at < begin) continue;
      happened.push_back(
          {static_cast<double>(at - begin) / 1e9, "all of worker host " + std::to_string(i) + " registered"});
    }
  }
}

double Ground::broker_cpu() const {
  if (!plan_.broker) return -1;
  return microseconds(broker_.before + (broker_.alive ? cpu_ticks(broker_.child.pid) : 0));
}

double Ground::workers_cpu() const {
  if (hosts_.empty()) return -1;
  unsigned long ticks = 0;
  for (const Process& host : hosts_) ticks += host.before + (host.alive ? cpu_ticks(host.child.pid) : 0);
  return microseconds(ticks);
}

std::optional<Tally> Ground::dismiss() {
  Tally all;
  bool whole = !hosts_.empty();
  for (Process& host : hosts_) {
    children_.signal(host.child.pid, SIGCONT);
    children_.signal(host.child.pid, SIGTERM);
  }
  for (Process& host : hosts_) {
    whole = whole && !host.lost;
    if (!host.alive) continue;
    const std::string said = line(host, "served ", 10 * second);
    const std::size_t space = said.rfind(' ');
    all.count += number_behind("served ", said.substr(0, space)).value_or(0);
    all.digest += number_behind("", said.substr(space + 1)).value_or(0);
  }
  for (Process& host : hosts_) close_pipes(host);
  hosts_.clear();
  if (!whole) return {};
  return all;
}

}  // namespace pointsman::load
