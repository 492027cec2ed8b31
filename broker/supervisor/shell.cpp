// Signals, sockets and keepers around the core.
#include "broker/supervisor/shell.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "broker/supervisor/core/supervisor.hpp"
#include "broker/supervisor/notices.hpp"
#include "broker/supervisor/trees.hpp"
#include "protocol/names.hpp"
#include "protocol/notice.hpp"
#include "protocol/processes.hpp"
#include "protocol/signals.hpp"
#include "protocol/trace.hpp"
#include "protocol/transport.hpp"

namespace pointsman::supervisor {

namespace {

constexpr int drain_turns = 64;        // turns in a row before time gets its say
constexpr int exit_lost_spawner = 125;
constexpr Duration last_wait{std::chrono::seconds(6)};  // for keepers to kill what is left, at the very end

[[noreturn]] void raise_error(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// A folder for one supervisor at a time, that nobody else may enter.
class Folder {
 public:
  explicit Folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) raise_error(path);
    struct stat is {};
    if (::lstat(path.c_str(), &is) != 0) raise_error(path);
    if (!S_ISDIR(is.st_mode) || is.st_uid != ::geteuid() || (is.st_mode & 077) != 0) {
      throw TransportError(path + " has to be a folder of this user that nobody else may enter; chmod 700 it, or "
                                  "name another one as up.folder");
    }
    lock_ = ::open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0) raise_error(path + "/lock");
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      ::close(lock_);
      throw TransportError("another supervisor runs in " + path + "; stop it, or name another folder as up.folder");
    }
  }
  ~Folder() { ::close(lock_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

 private:
  int lock_ = -1;
};

Options core_options(const ShellOptions& options) {
  Options core = options.core;
  core.seed = random_number();
  return core;
}

class Shell {
 public:
  Shell(const ShellOptions& options, Spawner& spawner)
      : options_(options),
        folder_(options.folder),
        notices_(options.folder + "/notify"),
        spawner_(spawner),
        credentials_(broker_credentials(options.key, options.broker_key)),
        core_(core_options(options)) {
    ::signal(SIGPIPE, SIG_IGN);
    transport_.listen(Door::supervisor, control_endpoint(options.folder), {});
    connect();
    transport_.watch(signals_.descriptor(), [this] {
      while (signals_.next()) {
        Notice::of_process().stopping();
        step(Shutdown{});
      }
    });
    transport_.watch(notices_.descriptor(), [this] { hear_notices(); });
    transport_.watch(spawner_.descriptor(), [this] { spawner_lost(); });
  }

  ~Shell() {
    for (const auto& [run, life] : lives_) ::close(life.line);
  }
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  int run() {
    step(Elapsed{});
    while (!done_) turn(core_.deadline());
    // What the processes have left behind is killed by their keepers; a line is closed when nothing is left.
    for (const Instant end = now() + last_wait; !lives_.empty() && now() < end;) turn(end);
    return exit_ != 0 ? exit_ : done_->code;
  }

 private:
  struct Life {
    std::size_t group = 0;
    int line = -1;
    pid_t keeper = 0;
    bool started = false;
    bool exited = false;
  };

  void turn(Instant until) {
    Notice& notice = Notice::of_process();
    const auto take = [this](Incoming&& incoming) { taken(std::move(incoming)); };
    bool more = transport_.turn(std::min(until, notice.due()), take);
    for (int i = 0; more && i < drain_turns; ++i) more = transport_.turn(Instant{}, take);
    if (core_.deadline() <= now()) step(Elapsed{});
    notice.tick(now());
  }

  void taken(Incoming&& incoming) {
    if (const auto* received = std::get_if<Received>(&incoming)) {
      // Of a connection that was replaced.
      if (received->from.door == Door::broker && received->from.peer != broker_peer_) return;
      if (options_.trace) std::fprintf(stderr, "%s\n", trace_line(*received, naming_).c_str());
      if (std::holds_alternative<Ps>(received->message)) measure();
    }
    std::visit([this](auto&& event) { step(std::move(event)); }, std::move(incoming));
  }

  void measure() {
    for (const auto& [run, life] : lives_) {
      if (life.started && !life.exited) step(Measured{run, memory_below(life.keeper)});
    }
  }

  // The core may be told something while its actions are carried out: afterwards.
  void step(Event event) {
    events_.push_back(std::move(event));
    if (stepping_) return;
    stepping_ = true;
    while (!events_.empty()) {
      Event next = std::move(events_.front());
      events_.pop_front();
      Actions actions;
      core_.step(now(), std::move(next), actions);
      for (Action& action : actions) std::visit([this](auto& a) { carry_out(a); }, action);
    }
    stepping_ = false;
  }

  void carry_out(Send& send) {
    if (send.to.door == Door::broker) send.to.peer = broker_peer_;
    if (send.to.door == Door::broker && broker_peer_ == 0) return;
    if (options_.trace) std::fprintf(stderr, "%s\n", trace_line(send, naming_).c_str());
    transport_.send(send);
  }

  void carry_out(const Start& start) {
    const Command& command = options_.commands.at(start.group);
    Launch launch = command.launch;
    const Duration watchdog = options_.core.groups[start.group].watchdog;
    auto& environment = launch.environment;
    environment.emplace_back("NOTIFY_SOCKET", notices_.path());
    environment.emplace_back("POINTSMAN_PROCESS", start.process);
    if (watchdog > Duration{0}) environment.emplace_back("WATCHDOG_USEC", std::to_string(watchdog.count()));
    if (command.hang > Duration{0}) {
      environment.emplace_back("POINTSMAN_HANG_MS", std::to_string(command.hang / std::chrono::milliseconds(1)));
    }
    try {
      const int line = spawner_.start(launch);
      lives_[start.run] = {.group = start.group, .line = line};
      transport_.watch(line, [this, run = start.run] { hear_keeper(run); });
    } catch (const std::system_error& error) {
      step(StartFailed{start.run, exit_lost_spawner, error.what()});
    }
  }

  void carry_out(const Signal& signal) { order(signal.run, {Order::Kind::signal, signal.number}); }
  void carry_out(const KillTree& kill) { order(kill.run, {Order::Kind::kill, 0}); }

  void order(Run run, Order order) {
    const auto life = lives_.find(run);
    if (life != lives_.end()) static_cast<void>(!::send(life->second.line, &order, sizeof order, MSG_NOSIGNAL));
  }

  void carry_out(const Reconnect&) {
    if (options_.broker.empty() || transport_.still_connecting(broker_peer_)) return;
    transport_.disconnect(broker_peer_);
    connect();
  }

  void connect() {
    if (!options_.broker.empty()) broker_peer_ = transport_.connect(Door::broker, options_.broker, {}, credentials_);
  }

  void carry_out(const Ready&) {
    Notice::of_process().ready();
    if (options_.quiet) return;
    std::printf("ready %s\n", options_.told.c_str());
    std::fflush(stdout);
  }

  void carry_out(const Say& say) {
    if (options_.quiet) return;
    std::fprintf(stderr, "%s up: %s: %s\n", std::string(program_name).c_str(), say.process.c_str(), say.text.c_str());
  }

  void carry_out(const Summary& summary) { Notice::of_process().status(summary.text); }
  void carry_out(const Done& done) { done_ = done; }

  void hear_keeper(Run run) {
    while (true) {
      const auto found = lives_.find(run);
      if (found == lives_.end()) return;
      Report report;
      const ssize_t size = ::recv(found->second.line, &report, sizeof report, MSG_DONTWAIT);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (size != sizeof report) return keeper_gone(run);
      on(run, found->second, report);
    }
  }

  void on(Run run, Life& life, const Report& report) {
    life.keeper = report.keeper;
    switch (report.kind) {
      case Report::Kind::born:
        return;
      case Report::Kind::started:
        life.started = true;
        return step(Started{run, static_cast<std::uint64_t>(report.pid)});
      case Report::Kind::failed: {
        life.exited = true;
        const int code = report.value == ENOENT ? 127 : report.value == EACCES || report.value == ENOEXEC ? 126 : 125;
        const std::string& word = options_.commands.at(life.group).launch.command.front();
        return step(StartFailed{run, code, word + ": " + std::generic_category().message(report.value)});
      }
      case Report::Kind::exited:
        life.exited = true;
        if (WIFSIGNALED(report.value)) return step(Exited{run, 0, WTERMSIG(report.value)});
        return step(Exited{run, WEXITSTATUS(report.value), 0});
    }
  }

  // Nothing is left of that process; or its keeper was killed, and the process with it.
  void keeper_gone(Run run) {
    const Life life = lives_.at(run);
    transport_.unwatch(life.line);
    ::close(life.line);
    lives_.erase(run);
    if (life.exited) return;
    if (!life.started) step(StartFailed{run, exit_lost_spawner, "it could not be forked"});
    else step(Exited{run, 0, SIGKILL});
  }

  void hear_notices() {
    std::vector<Run> unborn;
    for (const auto& [run, life] : lives_) {
      if (life.keeper == 0) unborn.push_back(run);
    }
    for (const Run run : unborn) hear_keeper(run);
    while (const auto said = notices_.next()) {
      std::optional<Run> run;
      ancestor(said->by, [&](pid_t pid) {
        const auto life = std::find_if(lives_.begin(), lives_.end(), [&](const auto& l) { return l.second.keeper == pid; });
        if (life != lives_.end()) run = life->first;
        return run.has_value();
      });
      if (run) step(noticed(*run, said->text));
    }
  }

  // Nothing can be started any more: stop, so that somebody starts all of it anew.
  void spawner_lost() {
    transport_.unwatch(spawner_.descriptor());
    if (done_) return;
    std::fprintf(stderr, "%s up: the spawner is gone; everything is stopped\n", std::string(program_name).c_str());
    exit_ = exit_lost_spawner;
    step(Shutdown{});
  }

  const ShellOptions& options_;
  Folder folder_;
  Signals signals_{SIGTERM, SIGINT, SIGHUP};
  Notices notices_;
  Spawner& spawner_;
  Transport transport_;
  Credentials credentials_;
  Supervisor core_;
  std::uint64_t broker_peer_ = 0;
  std::map<Run, Life> lives_;
  std::deque<Event> events_;
  bool stepping_ = false;
  std::optional<Done> done_;
  int exit_ = 0;
  Naming naming_ = [](const Address& address) {
    return address.door == Door::broker ? std::string("broker") : "p" + std::to_string(address.peer);
  };
};

}  // namespace

std::string control_endpoint(const std::string& folder) { return "ipc://" + folder + "/control"; }

int run_supervisor(const ShellOptions& options, Spawner& spawner) {
  // What the spawner leaves behind, should it be killed, becomes ours, and goes when we do.
  Children leftovers;
  return Shell(options, spawner).run();
}

}  // namespace pointsman::supervisor
