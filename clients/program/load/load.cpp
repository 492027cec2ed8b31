// pointsman load: from words to a set-up, or to what is wrong with them; then the run, and its result in all forms.

#include "clients/program/load/load.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "clients/program/duration.hpp"
#include "clients/program/load/comparison.hpp"
#include "clients/program/load/picture.hpp"
#include "clients/program/load/run.hpp"
#include "clients/program/output.hpp"
#include "protocol/names.hpp"
#include "protocol/system.hpp"

namespace pointsman::load {
namespace {

using program::Or;
using program::Problem;
using program::usage;

std::string machine() {
  std::string model = "unknown processor";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    model = line.substr(line.find(':') + 2);
    break;
  }
  utsname name{};
  ::uname(&name);
  return std::to_string(std::thread::hardware_concurrency()) + " x " + model + ", " + name.sysname + " " +
         name.release;
}

std::optional<Kind> kind_of(const std::string& word) {
  if (word == "hand-offs") return Kind::handoffs;
  if (word == "calls") return Kind::calls;
  if (word == "streams") return Kind::streams;
  if (word == "renewals") return Kind::renewals;
  if (word == "registrations") return Kind::registrations;
  return {};
}

// Turns words into values; the first that is none is the problem.
class Words {
 public:
  Nanos time(const std::string& option, const std::string& text) {
    const auto value = parse_time(text);
    if (!value) note(option, text, "is no time; write a number and a unit: 200us, 5ms, 2.5s, 1m");
    return value.value_or(0);
  }
  std::uint64_t size(const std::string& option, const std::string& text) {
    const auto value = program::parse_size(text);
    if (!value || *value > limits::payload_bytes)
      note(option, text, "is no size, or more than 16M; write bytes, or 64K, 1M");
    return value.value_or(0);
  }
  Bound bound(const std::string& option, const std::string& text) {
    const auto value = parse_bound(text);
    if (!value)
      note(option, text, "is no bound; write it like 'p99<5ms', 'p99.9<20ms' or 'max<1s', in quotes");
    return value.value_or(Bound{});
  }
  void note(const std::string& option, const std::string& text, const std::string& what) {
    if (!problem_) problem_ = usage(option + ": \"" + text + "\" " + what, "see: pointsman load --help");
  }
  void contradict(bool wrong, const std::string& what, const std::string& remedy) {
    if (wrong && !problem_) problem_ = usage(what, remedy);
  }
  const std::optional<Problem>& problem() const { return problem_; }

 private:
  std::optional<Problem> problem_;
};

std::string plain(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", value);
  return text.data();
}

bool flagged(const program::Context& context, const std::string& name, const std::string& flag) {
  const auto found = context.settings.origin.find(name);
  return found != context.settings.origin.end() && found->second == flag;
}

// The work and where it goes.
void set_work(const LoadCommand& command, const program::Context& context, Words& words, Setup& setup) {
  const bool tenures = setup.kind == Kind::renewals || setup.kind == Kind::registrations;
  const bool library = setup.kind == Kind::calls || setup.kind == Kind::streams;
  const bool foreign = flagged(context, "client.broker", "--broker");
  const bool own_workers = !tenures && (!foreign || !command.workers_at.empty());
  words.contradict(!foreign && (!command.service.empty() || !command.workers_at.empty()),
                   "--service and --workers-at belong to a broker that is there already",
                   "name it with --broker ENDPOINT");
  words.contradict(
      foreign && !tenures && command.service.empty() == command.workers_at.empty(),
      "with --broker, say whom to ask: a service that is offered there, or workers of this load test",
      "add either --service NAME, or --workers-at ENDPOINT, the broker's listener for workers");
  words.contradict(foreign && tenures && command.workers_at.empty(),
                   "registrations and renewals go to the broker's listener for workers",
                   "add --workers-at ENDPOINT");
  words.contradict(foreign && (command.ipc || command.encrypt),
                   "--ipc and --encrypt are for a broker of this load test's own",
                   "leave out --broker, or them");
  words.contradict(foreign && !library && !program::names_one_broker(context.settings.client_broker),
                   "this load goes to one broker, and --broker names a list or a place to look",
                   "name one endpoint; calls and streams can use several brokers");
  words.contradict(command.services > command.workers && own_workers, "there are more services than workers",
                   "raise --workers, or lower --services");
  words.contradict(library && own_workers && command.workers > library_workers_max,
                   "at most " + std::to_string(library_workers_max) +
                       " workers answer calls, each with threads of its own",
                   "lower --workers");
  if (!parse_law(command.time)) {
    words.note("--time", command.time,
               "is no law; write 1ms, exp:1ms, lognormal:1ms:0.5 or bimodal:1ms:50ms:0.02");
  }
  Aim& aim = setup.aim;
  aim.clients = context.settings.client_broker;
  aim.workers = command.workers_at;
  aim.prefix = "load-" + random_name().substr(0, 8) + "-";
  if (!command.service.empty()) {
    aim.services = {command.service};
  } else {
    for (std::uint64_t i = 0; i < command.services; ++i)
      aim.services.push_back(aim.prefix + "s" + std::to_string(i));
  }
  const std::uint64_t standard = tenures   ? std::min<std::uint64_t>(command.clients, 16)
                                 : library ? std::min<std::uint64_t>(command.clients, 4)
                                           : command.clients;
  aim.connections = command.connections > 0 ? command.connections : standard;
  aim.ours = own_workers;
  aim.release = !own_workers;
  aim.session = command.session;
  aim.request_bytes = words.size("--request", command.request);
  const bool streams = setup.kind == Kind::streams;
  aim.parts = command.parts > 0 ? command.parts : streams ? 16 : 1;
  aim.answer_bytes = words.size("--answer", command.answer);
  aim.leases = command.leases;
  aim.wait = std::chrono::milliseconds(words.time("--wait", command.wait) / millisecond);
  aim.limit = std::chrono::milliseconds(words.time("--limit", command.limit) / millisecond);
  if (foreign) {
    aim.key = context.settings.client_key;
    aim.broker_key = context.settings.client_broker_key;
  }

  GroundPlan& ground = setup.ground;
  ground.broker = !foreign;
  ground.ipc = command.ipc;
  ground.encrypt = command.encrypt;
  ground.lease = command.lease;
  words.time("--lease", command.lease);
  for (const std::string& text : command.faults) {
    const auto fault = parse_fault(text);
    if (!fault) {
      words.note(
          "--fault", text,
          "is no fault; write it like '3s kill worker', '3s freeze broker for 500ms', '3s cut worker'");
      continue;
    }
    const bool of_broker = fault->party == Fault::Party::broker;
    words.contradict(fault->verb == Fault::Verb::cut ? foreign
                     : of_broker                     ? foreign
                                                     : !own_workers,
                     "--fault: only what this load test started itself is killed, frozen or cut off",
                     "leave out --broker, or --fault");
    ground.relay |= fault->verb == Fault::Verb::cut;
    ground.faults.push_back(*fault);
  }
  words.contradict(ground.relay && command.ipc, "a connection over a Unix socket cannot be cut off",
                   "leave out --ipc");
  words.contradict(!ground.faults.empty() && (command.repeat > 1 || !command.search.empty()),
                   "faults go with one measured time, and --repeat and --search have several",
                   "leave out one of them");
  words.contradict(command.together && (!own_workers || setup.kind != Kind::handoffs),
                   "--together is for workers that the test brings itself, and for hand-offs",
                   "leave it out; `pointsman relay` gives workers of any kind one connection");
  if (own_workers) {
    const bool faulty = std::any_of(ground.faults.begin(), ground.faults.end(), [](const Fault& fault) {
      return fault.party == Fault::Party::worker && fault.verb != Fault::Verb::cut;
    });
    ground.hosts = std::min<std::uint64_t>(command.hosts > 0 ? command.hosts
                                           : faulty          ? 4U
                                                             : 1U,
                                           command.workers);
    ground.crew = {.prefix = aim.prefix,
                   .together = command.together,
                   .stand_in = setup.kind == Kind::handoffs,
                   .workers = command.workers,
                   .slots = command.slots > 0 ? command.slots
                            : library         ? 16U
                                              : 256U,
                   .services = aim.services,
                   .time = command.time,
                   .seed = command.seed,
                   .key = aim.key,
                   .broker_key = aim.broker_key};
  }
  ground.connections = aim.connections + command.workers + 64;
}

void set_pace(const LoadCommand& command, Words& words, Setup& setup) {
  const bool library = setup.kind == Kind::calls || setup.kind == Kind::streams;
  Pace& pace = setup.pace;
  if (!command.rate.empty()) {
    pace.rate = parse_rate(command.rate);
    if (!pace.rate)
      words.note("--rate", command.rate, "is no rate; write arrivals a second, 5000, or a ramp, 1000..20000");
  }
  if (command.arrivals != "poisson" && command.arrivals != "even") {
    words.note("--arrivals", command.arrivals, "is neither poisson nor even");
  }
  pace.poisson = command.arrivals == "poisson";
  pace.burst = setup.aim.burst = command.burst;
  if (!command.search.empty()) {
    setup.search = words.bound("--search", command.search);
    if (!pace.rate) pace.rate = Rate{1000, 1000};  // where it begins
    words.contradict(command.repeat > 1, "a search repeats as it needs to", "leave out --repeat");
    words.contradict(!command.bound.empty(), "a search has a bound already", "leave out --bound");
  }
  words.contradict(command.burst > 1 && !pace.rate, "--burst is of an open loop", "say --rate, too");
  if (!command.bound.empty()) setup.bound = words.bound("--bound", command.bound);
  setup.result.bound = command.search.empty() ? command.bound : command.search;
  pace.places = command.clients * command.depth;
  pace.most = library ? sessions_max : outstanding_max;
  words.contradict(pace.places > pace.most, "at most " + std::to_string(pace.most) + " sessions at a time",
                   "lower --clients or --depth");
  pace.warmup = words.time("--warmup", command.warmup);
  pace.duration = words.time("--duration", command.duration);
  words.contradict(pace.duration < 100 * millisecond, "--duration is at least 100ms", "raise it");
  words.contradict(pace.duration / millisecond * command.repeat > 3'600'000,
                   "a load test measures an hour at most", "lower --duration or --repeat");
  pace.interval = std::clamp(pace.duration / 50, 100 * millisecond, second);
  pace.patience =
      static_cast<Nanos>(setup.aim.wait.count() + (library ? setup.aim.limit.count() : 0)) * millisecond +
      7 * second;
  pace.seed = command.seed;
  setup.repeat = command.repeat;
}

// How it was measured: what must be the same for two results to be compared.
void set_parameters(const LoadCommand& command, Setup& setup) {
  auto& out = setup.result.parameters;
  const auto add = [&](const char* name, std::string value) { out.emplace_back(name, std::move(value)); };
  const auto number = [&](const char* name, std::uint64_t value) { add(name, std::to_string(value)); };
  const bool library = setup.kind == Kind::calls || setup.kind == Kind::streams;
  const bool tenures = setup.kind == Kind::renewals || setup.kind == Kind::registrations;
  const Aim& aim = setup.aim;
  add("kind", command.kind);
  if (!command.search.empty()) {
    add("loop", "open");
    add("search", command.search);
    add("arrivals", command.arrivals);
    if (command.burst > 1) number("burst", command.burst);
  } else if (setup.pace.rate) {
    add("loop", "open");
    add("rate", setup.pace.rate->from == setup.pace.rate->to
                    ? plain(setup.pace.rate->from)
                    : plain(setup.pace.rate->from) + ".." + plain(setup.pace.rate->to));
    add("arrivals", command.arrivals);
    if (command.burst > 1) number("burst", command.burst);
  } else {
    add("loop", "closed");
    number("at a time", setup.pace.places);
  }
  number("connections", aim.connections);
  if (setup.ground.hosts > 0) {
    number("workers", command.workers);
    number("slots", setup.ground.crew.slots);
    number("hosts", setup.ground.hosts);
    if (command.together) add("workers' connections", "one a host");
    add("time", command.time);
  } else if (!tenures) {
    add("service", command.service);
  }
  if (!tenures) number("services", aim.services.size());
  if (library) {
    number("session", aim.session);
    number("request", aim.request_bytes);
    if (aim.ours) {
      number("answer", aim.answer_bytes);
      number("parts", aim.parts);
    }
  }
  if (setup.kind == Kind::renewals) number("leases", aim.leases);
  if (!tenures) add("wait", shown_time(static_cast<Nanos>(aim.wait.count()) * millisecond));
  add("broker", setup.ground.broker
                    ? std::string("own, ") + (command.ipc ? "ipc" : "tcp") + ", lease " + command.lease
                : aim.clients.empty() ? aim.workers
                                      : aim.clients);
  add("encrypted", command.encrypt || !aim.key.empty() ? "yes" : "no");
  if (!command.faults.empty()) {
    std::string all;
    for (const std::string& fault : command.faults) all += (all.empty() ? "" : "; ") + fault;
    add("faults", all);
  }
  add("warm-up", command.warmup);
  add("duration", command.duration);
}

Or<Setup> set_up(const LoadCommand& command, const program::Context& context) {
  Setup setup;
  const auto kind = kind_of(command.kind);
  if (!kind) {
    return usage("there is no load \"" + command.kind + "\"",
                 "the kinds are hand-offs, calls, streams, renewals and registrations");
  }
  setup.kind = *kind;
  Words words;
  set_work(command, context, words, setup);
  set_pace(command, words, setup);
  if (words.problem()) return *words.problem();
  setup.result.version = std::string(program_version);
  setup.result.machine = machine();
  setup.result.started = unix_microseconds() / 1'000'000;
  set_parameters(command, setup);
  return setup;
}

// A file that cannot be written is found out before the test, not after it.
std::optional<Problem> write_file(const std::string& path, const std::string& text, bool only_try) {
  if (path.empty()) return std::nullopt;
  std::ofstream file(path, only_try ? std::ios::app : std::ios::trunc);
  if (!only_try) file << text;
  file.flush();
  if (file) return std::nullopt;
  return program::wrapper("cannot write " + path, "is its folder there, and may this user write to it?");
}

}  // namespace

int load_command(LoadCommand command, const program::Context& context) {
  auto setup = set_up(command, context);
  if (const auto* problem = std::get_if<Problem>(&setup)) return program::complain(*problem, context.json);
  for (const std::string& path : {command.output, command.csv, command.svg}) {
    if (const auto problem = write_file(path, "", true)) return program::complain(*problem, context.json);
  }
  Signals signals{SIGINT, SIGTERM, SIGHUP};
  const Result result = run(std::get<Setup>(std::move(setup)), signals, context.deadline);
  const std::string json = json_of(result);
  for (const auto& [path, text] : {std::pair(command.output, json), std::pair(command.csv, csv_of(result)),
                                   std::pair(command.svg, picture_of(result))}) {
    if (const auto problem = write_file(path, text, false)) return program::complain(*problem, context.json);
  }
  program::write_out(context.json ? json : table_of(result));
  if (!result.good()) return status(program::Exit::failed);
  if (result.cut_short && context.elapsed())
    return program::complain(program::timeout_problem(context), context.json);
  return result.missed ? missed : status(program::Exit::done);
}

int compare_command(const CompareCommand& command, const program::Context& context) {
  std::array<Result, 2> results;
  const std::array<std::string, 2> paths{command.a, command.b};
  for (std::size_t i = 0; i < 2; ++i) {
    std::stringstream text;
    std::ifstream file(paths[i]);
    text << file.rdbuf();
    if (!file)
      return program::complain(
          usage("cannot read " + paths[i], "name two files that `pointsman load --output FILE` wrote"),
          context.json);
    auto result = result_from(text.str());
    if (const auto* problem = std::get_if<std::string>(&result)) {
      return program::complain(
          usage(paths[i] + ": " + *problem, "name two files that `pointsman load --output FILE` wrote"),
          context.json);
    }
    results[i] = std::get<Result>(std::move(result));
  }
  if (const auto differences = unlike(results[0], results[1]); !differences.empty()) {
    std::string all;
    for (const std::string& difference : differences) all += "\n  " + difference;
    return program::complain(
        usage("these were not measured alike, so a difference would say nothing; they differ in" + all,
              "measure both with the same options"),
        context.json);
  }
  const Comparison comparison = compare(results[0], results[1]);
  program::write_out(context.json ? json_of(comparison) : told(comparison, results[0], results[1]));
  return status(program::Exit::done);
}

int host_command(const std::vector<std::string>& words, const program::Context& context) {
  HostCommand command;
  if (!from_words(words, command)) {
    return program::complain(
        usage("`pointsman load-host` is started by `pointsman load`", "see: pointsman load --help"),
        context.json);
  }
  return run_host(command);
}

}  // namespace pointsman::load
