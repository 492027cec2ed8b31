// One side car: a worker whose work is done by a command. A single thread waits for everything.
#include "workers/sidecar.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>

#include "protocol/names.hpp"
#include "protocol/notice.hpp"
#include "workers/copies.hpp"
#include "workers/craft.hpp"
#include "workers/server.hpp"

namespace pointsman::workers {

void Workshop::say(const std::string& text) const {
  if (options.quiet) return;
  std::fprintf(stderr, "%s worker: %s\n", std::string(program_name).c_str(), text.c_str());
}

namespace {

constexpr int exit_usage = 2, exit_unreachable = 3, exit_refused = 6, exit_wrapper = 125;

// While it lives, SIGTERM, SIGINT and SIGCHLD come by a descriptor only; threads that start meanwhile, such
// as those of the transport, do not get them either.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set_, number);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~Signals() {
    if (descriptor_ >= 0) close(descriptor_);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // In the process that reads it: a descriptor tells its own process's signals.
  int open() {
    descriptor_ = signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
    return descriptor_;
  }
  // The next one; 0: none.
  int next() const {
    signalfd_siginfo info{};
    return read(descriptor_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t set_;
  sigset_t before_;
  int descriptor_ = -1;
};

class Sidecar {
 public:
  Sidecar(const SidecarOptions& options, std::string name, Signals& signals)
      : options_(options), signals_(signals), shop_{options_, processes_, descriptors_, nullptr, std::move(name)} {}

  int run();

 private:
  void make_driver(const std::string& endpoint);
  void follow_server();
  void on_signals();
  void stop(bool now);
  void end_children();
  Instant tick();
  int outcome() const;
  void enrolled();
  void denied(const Denied& denied);

  const SidecarOptions& options_;
  Signals& signals_;
  Descriptors descriptors_;
  Children processes_;
  Transport transport_;
  Workshop shop_;
  std::string instance_ = random_name();
  std::string endpoint_;
  Credentials credentials_;
  std::unique_ptr<Craft> craft_;   // each, filter
  std::optional<Server> server_;
  std::optional<Driver> driver_;
  bool told_ready_ = false;
  std::string told_denied_;
  bool stopping_ = false;
  bool leaving_ = false;           // the server is down, so this registration ends
  Instant stop_by_ = never;
};

int Sidecar::run() {
  credentials_ = read_credentials(options_.key, options_.broker_key, options_.realm);
  transport_.watch(descriptors_.descriptor(), [this] { descriptors_.dispatch(); });
  transport_.watch(signals_.open(), [this] { on_signals(); });
  if (options_.way == Way::server) {
    server_.emplace(shop_);
  } else {
    craft_ = options_.way == Way::each ? make_each(shop_) : make_filter(shop_);
    const std::string bound = transport_.listen(Door::direct, options_.bind, direct_limits(), options_.insecure,
                                                {.own = credentials_.own, .strangers = true});
    make_driver(options_.advertise.empty() ? bound : options_.advertise);
  }
  while (true) {
    const Instant until = std::min(tick(), stop_by_);
    if (driver_ && driver_->done() && !leaving_) break;
    if (!driver_ && stopping_) break;
    if (driver_) driver_->turn(until);
    else transport_.turn(until, [](Incoming&&) {});
    if (now() >= stop_by_) stop(true);
  }
  if (!stopping_ && driver_ && driver_->done()->code == Code::none) {
    shop_.say("the broker told this worker to leave: an operator did so, or its key was revoked");
  }
  end_children();
  return outcome();
}

Instant Sidecar::tick() {
  if (craft_) return craft_->tick(now());
  const Instant next = server_->tick(now());
  follow_server();
  return next;
}

// Registered while the server is up, and only then.
void Sidecar::follow_server() {
  if (driver_ && leaving_ && driver_->done()) {
    shop_.driver = nullptr;
    driver_.reset();
    leaving_ = false;
  }
  if (server_->up() && !driver_ && !stopping_) make_driver(server_->endpoint());
  if (!server_->up() && driver_ && !leaving_ && !stopping_) {
    leaving_ = true;
    driver_->tell(Stop{.now = true});
  }
}

void Sidecar::make_driver(const std::string& endpoint) {
  endpoint_ = endpoint;
  Handlers handlers;
  handlers.enrolled = [this](const Enrolled&) { enrolled(); };
  handlers.denied = [this](const Denied& why) { denied(why); };
  // A server of its own gets no calls from us, whatever comes.
  handlers.serve = [this](Serve&& serve) {
    if (craft_) craft_->serve(std::move(serve));
  };
  handlers.abandoned = [this](const Abandoned& call) {
    if (craft_) craft_->abandoned(call);
  };
  driver_.emplace(transport_,
                  WorkerSettings{.name = shop_.name,
                                 .instance = instance_,
                                 .offers = options_.services,
                                 .slots = options_.slots,
                                 .endpoint = endpoint,
                                 .direct = options_.way == Way::server ? Direct::own : Direct::pointsman,
                                 .lease = options_.lease,
                                 .key = craft_ ? key_text(credentials_) : std::string(),
                                 .attributes = options_.attributes,
                                 .accepts = options_.accepts,
                                 .seed = random_number(),
                                 .patience = options_.patience},
                  workers_listener(options_.broker), std::move(handlers), options_.trace, credentials_);
  shop_.driver = &*driver_;
}

void Sidecar::enrolled() {
  told_denied_.clear();
  if (told_ready_) return;
  told_ready_ = true;
  std::string services;
  for (const Offer& offer : options_.services) services += (services.empty() ? "" : ",") + offer.service;
  std::printf("ready worker=%s endpoint=%s service=%s\n", shop_.name.c_str(), endpoint_.c_str(), services.c_str());
  std::fflush(stdout);
}

void Sidecar::denied(const Denied& why) {
  std::string text = "the broker refuses the registration: " + std::string(word(why.code)) + ": " + why.reason;
  if (why.code == Code::unreachable) text = "the broker cannot be reached: " + why.reason;
  if (!why.remedy.empty()) text += " (" + why.remedy + ")";
  if (text == told_denied_) return;
  told_denied_ = text;
  shop_.say(text);
}

void Sidecar::on_signals() {
  while (const int number = signals_.next()) {
    if (number == SIGCHLD) processes_.reap();
    else stop(stopping_);
  }
}

// First in good order, within the grace; the second time at once.
void Sidecar::stop(bool at_once) {
  stopping_ = true;
  stop_by_ = at_once ? never : now() + options_.grace;
  leaving_ = false;
  if (driver_) driver_->tell(Stop{.now = at_once});
}

// The worker has left. The commands are asked to end, and made to after the grace.
void Sidecar::end_children() {
  stopping_ = false;
  shop_.closing = true;
  if (server_) server_->stop();
  processes_.signal_all(SIGTERM);
  const Instant end = now() + options_.grace;
  // A signal now means: at once.
  while (!processes_.empty() && now() < end && !stopping_) {
    transport_.turn(end, [](Incoming&&) {});
  }
  transport_.unwatch(descriptors_.descriptor());
  processes_.kill_all(std::chrono::seconds(2));
}

int Sidecar::outcome() const {
  if (!driver_ || !driver_->done() || driver_->done()->code == Code::none) return 0;
  const Done& done = *driver_->done();
  shop_.say(std::string(word(done.code)) + ": " + done.reason + (done.remedy.empty() ? "" : " (" + done.remedy + ")"));
  return done.code == Code::unreachable ? exit_unreachable : exit_refused;
}

// What is wrong with the options, on stderr; the exit code, or 0.
int refuse_options(const SidecarOptions& options) {
  const auto wrong = [](const std::string& text, int code) {
    std::fprintf(stderr, "%s worker: %s\n", std::string(program_name).c_str(), text.c_str());
    return code;
  };
  if (options.services.empty()) return wrong("no service: name one with --service", exit_usage);
  if (options.services.size() > limits::services) return wrong("too many services", exit_usage);
  if (options.slots < 1 || options.slots > limits::slots || options.copies < 1) {
    return wrong("slots run from 1 to " + std::to_string(limits::slots) + ", copies from 1", exit_usage);
  }
  if (options.name.size() > limits::name - (options.copies > 1 ? 8 : 0)) return wrong("the name is too long", exit_usage);
  if (options.command.empty()) {
    const bool exists = options.way == Way::server && !options.endpoint.empty();
    return exists ? 0 : wrong("no command: name it behind --", exit_usage);
  }
  bool denied = false;
  if (!path_of(options.command.front(), denied).empty()) return 0;
  return denied ? wrong(options.command.front() + ": it may not be executed", 126)
                : wrong(options.command.front() + ": command not found", 127);
}

}  // namespace

int run_sidecar(const SidecarOptions& options) {
  if (const int code = refuse_options(options)) return code;
  Notice::keep_to_ourselves();
  Signals signals;
  const auto run_one = [&](std::uint64_t number) {
    std::string name = options.name.empty() ? unique_worker_name() : options.name;
    if (options.copies > 1 && !options.name.empty()) name += "-" + std::to_string(number);
    try {
      return Sidecar(options, std::move(name), signals).run();
    } catch (const KeyError& error) {
      std::fprintf(stderr, "%s worker: %s\n", std::string(program_name).c_str(), error.what());
      return exit_usage;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s worker: %s\n", std::string(program_name).c_str(), error.what());
      return exit_wrapper;
    }
  };
  return options.copies == 1 ? run_one(1) : run_copies(options.copies, run_one);
}

}  // namespace pointsman::workers
