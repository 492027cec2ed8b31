// Binds, drives, stops. Sockets are drained before the core hears that time passed, so that a renewal that
// has arrived counts before a lease is judged.

#include "broker/shell.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <utility>

#include "broker/core/broker.hpp"
#include "protocol/notice.hpp"
#include "protocol/trace.hpp"
#include "protocol/transport.hpp"

namespace pointsman::broker {

namespace {

constexpr int drain_turns = 64;             // turns in a row before time gets its say
constexpr std::size_t traced_max = 10'000;  // peers that a trace tells apart

// SIGTERM and SIGINT as something to be read; SIGPIPE as nothing. As before when destroyed.
class StopSignals {
 public:
  StopSignals() {
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, &before_);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &pipe_before_);
    descriptor_ = ::signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor_ < 0)
      throw TransportError(std::string("cannot wait for signals: ") + std::strerror(errno));
  }
  ~StopSignals() {
    ::close(descriptor_);
    sigaction(SIGPIPE, &pipe_before_, nullptr);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  int descriptor() const { return descriptor_; }

  // Takes one that came, if one did.
  bool take() const {
    signalfd_siginfo signal{};
    return ::read(descriptor_, &signal, sizeof signal) == sizeof signal;
  }

 private:
  int descriptor_ = -1;
  sigset_t before_{};
  struct sigaction pipe_before_ {};
};

class Shell {
 public:
  explicit Shell(const ShellOptions& options) : options_(options), core_(core_options(options)) {
    clients_ = transport_.listen(Door::clients, options.clients, {}, options.insecure);
    workers_ = transport_.listen(Door::workers, options.workers, {}, options.insecure);
    transport_.watch(signals_.descriptor(), [this] { stop_asked(); });
  }

  void run() {
    notice_.ready("clients " + clients_ + ", workers " + workers_);
    if (!options_.quiet) {
      std::printf("ready clients=%s workers=%s\n", clients_.c_str(), workers_.c_str());
      std::fflush(stdout);
    }
    while (!over()) {
      const auto take = [this](Incoming&& incoming) { taken(std::move(incoming)); };
      bool more = transport_.turn(std::min({core_.deadline(), stop_at_, notice_.due()}), take);
      for (int i = 0; more && i < drain_turns; ++i) more = transport_.turn(Instant{}, take);
      if (core_.deadline() <= now()) step(Elapsed{});
      notice_.tick(now());
    }
  }

 private:
  static Options core_options(const ShellOptions& options) {
    Options core = options.core;
    core.epoch = unix_microseconds();
    core.seed = random_number();
    core.master = random_key();
    return core;
  }

  // The first signal: who waits is told, and has `drain` to hear it. The second: now.
  void stop_asked() {
    while (signals_.take()) {
      const bool again = stop_at_ != never;
      stop_at_ = again ? now() : now() + options_.drain;
      if (again) continue;
      notice_.stopping();
      step(Shutdown{});
    }
  }

  bool over() const { return stop_at_ != never && (transport_.idle() || now() >= stop_at_); }

  void taken(Incoming&& incoming) {
    if (options_.trace) trace(incoming);
    std::visit([this](auto&& event) { step(std::move(event)); }, std::move(incoming));
  }

  void step(Event event) {
    core_.step(now(), std::move(event), actions_);
    for (const Action& action : actions_) {
      const auto& send = std::get<Send>(action);
      if (options_.trace) print(trace_line(send, naming_));
      transport_.send(send);
    }
    actions_.clear();
  }

  void trace(const Incoming& incoming) {
    if (const auto* received = std::get_if<Received>(&incoming)) print(trace_line(*received, naming_));
    if (const auto* garbled = std::get_if<Garbled>(&incoming)) {
      print("# " + name(garbled->from) + " sent what cannot be read: " +
            std::string(word(garbled->fault.code)) + ", " + garbled->fault.reason);
    }
    if (const auto* gone = std::get_if<Gone>(&incoming)) {
      print("# " + name({.door = gone->door, .peer = gone->peer}) + " is gone");
    }
  }

  static void print(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

  // c1, c2 … and w1, w2 … in the order in which they turn up: what the transport calls them is not for the
  // eye.
  std::string name(const Address& address) {
    if (names_.size() >= traced_max) names_.clear();
    const auto [found, is_new] = names_.try_emplace(address.peer);
    if (is_new) {
      const bool client = address.door == Door::clients;
      found->second = (client ? "c" : "w") + std::to_string(client ? ++traced_clients_ : ++traced_workers_);
    }
    return found->second;
  }

  const ShellOptions& options_;
  Notice& notice_ = Notice::of_process();
  StopSignals signals_;
  Transport transport_;
  Broker core_;
  Actions actions_;  // reused
  std::string clients_;
  std::string workers_;
  Instant stop_at_ = never;

  std::map<std::uint64_t, std::string> names_;
  int traced_clients_ = 0;
  int traced_workers_ = 0;
  Naming naming_ = [this](const Address& address) { return name(address); };
};

}  // namespace

int run_broker(const ShellOptions& options) {
  Shell(options).run();
  return 0;
}

}  // namespace pointsman::broker
