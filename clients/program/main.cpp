// The command line of `pointsman`: declares every command and option, and turns words into the structs of
// commands.hpp. The one unit that includes CLI11.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "clients/program/commands.hpp"
#include "clients/program/duration.hpp"
#include "clients/program/help.hpp"
#include "clients/program/invocation.hpp"
#include "clients/program/load/load.hpp"
#include "clients/program/nearest.hpp"
#include "clients/program/output.hpp"
#include "clients/program/signals.hpp"
#include "clients/program/uplink/core/registrations.hpp"
#include "clients/program/words.hpp"
#include "protocol/allowed.hpp"
#include "protocol/condition.hpp"
#include "protocol/keyfile.hpp"
#include "protocol/names.hpp"
#include "protocol/preference.hpp"

namespace pointsman::program {
namespace {

// ---------------------------------------------------------------------------------------------------
// Kinds of options that CLI11 does not have

CLI::Option* duration(CLI::App& app, const std::string& names, std::function<void(Milliseconds)> into,
                      const std::string& help, bool endless = false) {
  const auto parse = [names, into = std::move(into), endless](const std::string& text) {
    const auto value = parse_duration(text);
    if (!value || (*value == forever && !endless) || *value > Milliseconds(limits::day_ms)) {
      throw CLI::ValidationError(names, "\"" + text + "\" is no duration; write a number and a unit: 250ms, 5s, 2m" +
                                            (endless ? ", or forever" : ", at most 1d"));
    }
    into(*value);
  };
  return app.add_option_function<std::string>(names, parse, help)->type_name("DURATION");
}

CLI::Option* duration(CLI::App& app, const std::string& names, Milliseconds& into, const std::string& help,
                      bool endless = false) {
  return duration(app, names, [&into](Milliseconds value) { into = value; }, help, endless)->default_str(exact(into));
}

template <class Number>
CLI::Option* number(CLI::App& app, const std::string& names, Number& into, std::uint64_t min, std::uint64_t max,
                    const std::string& help) {
  return app.add_option(names, into, help)->check(CLI::Range(min, max))->type_name("N");
}

// ---------------------------------------------------------------------------------------------------

// Options on a line each, with their defaults; usage as it is where a command stands behind `--`.
class Formatter : public CLI::Formatter {
 public:
  Formatter() { column_width(34); }

  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string text = CLI::Formatter::make_usage(app, std::move(name));
    if (app->get_name() != "worker" && app->get_name() != "run") return text;
    return text.insert(text.find_last_not_of('\n') + 1, " -- CMD ARGS…");
  }

  std::string make_option_name(const CLI::Option* option, bool positional) const override {
    const std::string name = CLI::Formatter::make_option_name(option, positional);
    return name.substr(0, name.find('{'));
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_positional()) return "";
    std::string type = option->get_type_name();
    type = type.substr(0, type.find(':'));
    return type.empty() ? "" : " " + type;
  }

  std::string make_option_usage(const CLI::Option* option) const override {
    const std::string name = option->get_name(true) + (option->get_expected_max() > 1 ? "…" : "");
    return option->get_required() ? name : "[" + name + "]";
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    const std::string& standard = option->get_default_str();
    return option->get_description() + (standard.empty() ? "" : " [" + standard + "]");
  }
};

class CommandLine {
 public:
  CommandLine() {
    app_.formatter(std::make_shared<Formatter>());
    define_broker();
    define_worker();
    define_relay();
    define_uplink();
    define_call();
    define_run();
    define_inspection();
    define_control();
    define_supervision();
    define_keys();
    define_db();
    define_load();
    define_config();
    define_help();
    common(app_);
    app_.set_version_flag("--version", std::string(program_name) + " " + std::string(program_version) + " (protocol " +
                                           std::to_string(protocol_version) + ")");
    app_.require_subcommand(0, 1);
    app_.allow_extras();  // so that an unknown command gets a better answer than the library's
    app_.footer(
        "Try it: `pointsman broker`, then `pointsman worker --service shout -- tr a-z A-Z`,\n"
        "then `pointsman call shout hello`. More: `pointsman help exit-codes`, environment, configuration, "
        "conditions.");
  }

  bool json() const { return invocation_.json; }

  int run(int count, char** words) {
    // What stands behind `--` is a command's own and is not looked at.
    char** const end = words + count;
    char** const dashes = std::find_if(words, end, [](const char* word) { return std::string_view(word) == "--"; });
    has_dashes_ = dashes != end;
    if (has_dashes_) behind_.assign(dashes + 1, end);
    invocation_.json = std::any_of(words, dashes, [](const char* word) { return std::string_view(word) == "--json"; });
    try {
      app_.parse(static_cast<int>(dashes - words), words);
    } catch (const CLI::CallForHelp&) {
      write_out(app_.help() + "\n");
      return status(Exit::done);
    } catch (const CLI::CallForVersion& version) {
      write_out(std::string(version.what()) + "\n");
      return status(Exit::done);
    } catch (const CLI::ParseError& error) {
      return complain(misread(error), invocation_.json);
    }
    if (helps_) return print_help();
    if (!invocation_.action) return complain(unknown_command(), invocation_.json);
    if (has_dashes_ && !takes_command_) {
      return complain(usage("nothing can stand behind `--` here", "see: pointsman " + name() + " --help"), invocation_.json);
    }
    for (const std::size_t i : unweighted_) worker_.services[i].weight = weight_;
    invocation_.name = name();
    return perform(std::move(invocation_));
  }

 private:
  // -------------------------------------------------------------------------------------------------
  // Definitions

  // Every command knows these, so that they may stand anywhere.
  void common(CLI::App& app) {
    app.add_option("--broker", invocation_.broker,
                   "The broker: its clients' listener, for `worker` and `relay` its workers'; or several, see `pointsman "
                   "help brokers`")
        ->type_name("ENDPOINT")
        ->group("Common options");
    app.add_option("--key", invocation_.key, "File of one's own key pair: encrypts")
        ->type_name("FILE")
        ->group("Common options");
    app.add_option("--broker-key", invocation_.broker_key, "The broker's public key, or a file that has it; goes with --key")
        ->type_name("KEY")
        ->group("Common options");
    app.add_option("--realm", invocation_.realm,
                   "File of a realm's key: brokers that are found by `auto` must have it, too")
        ->type_name("FILE")
        ->group("Common options");
    app.add_option("--timeout", invocation_.timeout, "Give up when all of it takes longer (exit code 124)")
        ->type_name("DURATION")
        ->group("Common options");
    app.add_option("--config", invocation_.config, "Configuration file")->type_name("FILE")->group("Common options");
    app.add_flag("--json", invocation_.json, "Data and errors as JSON")->group("Common options");
    app.add_flag("--trace", invocation_.trace, "Show every message on stderr")->group("Common options");
  }

  CLI::App& command(CLI::App& parent, const std::string& name, const std::string& description,
                    const std::string& examples, std::function<int(const Context&)> action) {
    CLI::App& sub = *parent.add_subcommand(name, description);
    sub.footer("Examples:\n" + examples);
    common(sub);
    sub.final_callback([this, action = std::move(action)] { invocation_.action = action; });
    return sub;
  }

  CLI::App& command(const std::string& name, const std::string& description, const std::string& examples,
                    std::function<int(const Context&)> action) {
    return command(app_, name, description, examples, std::move(action));
  }

  void define_broker() {
    auto& sub = command("broker", "Run the broker: it hands clients to workers",
                        "  pointsman broker\n"
                        "  pointsman broker --clients tcp://127.0.0.1:6000 --workers ipc:///run/workers --lease 5s\n"
                        "  pointsman broker --connections-max 500 --bounds",
                        [this](const Context& context) { return broker_command(broker_options_, context); });
    Settings defaults;
    for (const auto& key : setting_keys()) {
      if (!key.name.starts_with("broker.") || key.name == "broker.key" || key.name == "broker.realm")
        continue;  // common options
      std::string option = "--" + std::string(key.name.substr(7));
      std::replace(option.begin(), option.end(), '_', '-');
      const Slot slot = key.slot(defaults);
      const auto give = [this, key = std::string(key.name), option](const std::string& text) {
        invocation_.flags.push_back({key, option, text});
      };
      const std::string help(key.help);
      if (std::holds_alternative<bool*>(slot)) {
        sub.add_flag_function(option + ",!--no-" + option.substr(2),
                              [give](std::int64_t times) { give(times > 0 ? "true" : "false"); }, help);
      } else {
        sub.add_option_function<std::string>(option, give, help)->default_str(shown(slot))->type_name("VALUE");
      }
    }
    sub.add_flag("--quiet", broker_options_.quiet, "say nothing");
    sub.add_flag("--bounds", broker_options_.bounds, "show every limit and the memory that they allow, and stop");
  }

  void define_worker() {
    auto& sub = command(
        "worker", "Make any program a worker",
        "  pointsman worker --service shout -- tr a-z A-Z\n"
        "  pointsman worker --service zip:2 --slots 4 -n 2 --time-limit 30s -- gzip -c\n"
        "  pointsman worker --service train --attribute gpu=h200 --attribute mem=64G "
        "--accepts 'team in {a, b}' -- ./train",
        [this](const Context& context) {
          worker_.command = behind_;
          worker_.way = filter_ ? workers::Way::filter : server_ ? workers::Way::server : workers::Way::each;
          return worker_command(worker_, context);
        });
    takes_command_of(sub);
    sub.add_option_function<std::vector<std::string>>(
           "--service", [this](const std::vector<std::string>& texts) { offer(texts); },
           "What it offers; may be repeated")
        ->type_name("NAME[:WEIGHT[:SLOTS]]")
        ->take_all();
    number(sub, "--slots", worker_.slots, 1, limits::slots, "Sessions at a time, of each copy");
    number(sub, "--weight", weight_, 1, limits::weight, "Its share, for services that do not say their own");
    number(sub, "-n,--copies", worker_.copies, 1, 1000, "That many workers, with names of their own");
    sub.add_option("--name", worker_.name, "Unique at the broker; made up without it");
    attributes(sub, "worker.attributes");
    condition<Condition>(sub, "--accepts", worker_.accepts,
                         "Only clients whose attributes are so: `pointsman help conditions`");
    auto* each =
        sub.add_flag("--each", each_, "A process for each request: stdin to stdout (this is the default)");
    auto* filter =
        sub.add_flag("--filter", filter_, "One process a slot: a line to each request, a line back");
    auto* server =
        sub.add_flag("--server", server_, "The command serves clients by itself, at $POINTSMAN_BIND");
    each->excludes(filter)->excludes(server);
    filter->excludes(server);
    sub.add_option("--endpoint", worker_.endpoint, "With --server: where it is already")->type_name("URL");
    sub.add_option("--bind", worker_.bind, "Where clients come")->type_name("ENDPOINT")->capture_default_str();
    sub.add_option("--advertise", worker_.advertise, "What clients are told instead")->type_name("ENDPOINT");
    sub.add_flag("--insecure", worker_.insecure, "Allow an address that other machines can reach; nothing is encrypted");
    duration(sub, "--lease", worker_.lease, "Without a sign of life for so long, it is given up; 0: as the broker says",
             true);
    duration(sub, "--time-limit", worker_.time_limit, "Of one request; 0: as the client says");
    sub.add_option_function<std::string>("--output-limit", [this](const std::string& text) { output_limit(text); },
                                         "Of one answer")
        ->type_name("SIZE")
        ->default_str("16M");
    duration(sub, "--grace", worker_.grace, "Between SIGTERM and SIGKILL for the command");
    sub.add_flag("--quiet", worker_.quiet, "Say nothing");
  }

  void define_relay() {
    auto& sub = command("relay", "Give the workers of a machine one connection to the broker",
                        "  pointsman relay --listen ipc:///run/pointsman/workers --broker tcp://10.0.0.1:5571\n"
                        "  pointsman worker --broker ipc:///run/pointsman/workers --service zip -- gzip -c",
                        [this](const Context& context) { return relay_command(relay_, context); });
    sub.add_option("--listen", relay_.listen, "Where workers come: ipc, or tcp on a loopback address")
        ->type_name("ENDPOINT")
        ->required();
    sub.add_flag("--quiet", relay_.quiet, "Say nothing");
  }

  void define_uplink() {
    auto& sub = command(
        "uplink", "Register a broker with those above it as their worker, so that their clients are sent to it",
        "  pointsman uplink --broker tcp://10.0.0.2:5570 --above tcp://10.0.0.1:5571\n"
        "  pointsman uplink --name lab --above tcp://10.0.0.1:5571 --above tcp://10.0.1.1:5571 --endpoint tcp://10.0.0.2:5570\n"
        "--above may be repeated: the broker is registered with each of them. It is a listener for workers, or several of which one\n"
        "is taken, see `pointsman help brokers`. Workers that offer the same and say the same of themselves are one registration for\n"
        "each " +
            std::to_string(limits::slots) + " of their slots; of more than " + std::to_string(limits::registrations_above) +
            " the rest is left out. Encrypted, the key needs the role peer at all of these brokers.",
        [this](const Context& context) { return uplink_command(uplink_, context); });
    sub.add_option("--above", uplink_.above, "The workers' listener of a broker above; may be repeated")
        ->type_name("ENDPOINT")
        ->required()
        ->take_all();
    sub.add_option("--above-key", uplink_.above_key, "The public key of brokers above, or a file that has it")->type_name("KEY");
    sub.add_option("--name", uplink_.name, "Of the registrations; else the address of the broker below")->type_name("NAME");
    sub.add_option("--endpoint", uplink_.endpoint, "Where clients from above reach the broker below; else as --broker says")
        ->type_name("ENDPOINT");
    sub.add_option("--workers-endpoint", uplink_.workers_endpoint,
                   "Where workers reach the broker below, for those that look for one above (lookup:)")
        ->type_name("ENDPOINT");
    duration(sub, "--every", uplink_.every, "Between two looks at its workers, or longer: it takes 5 % of the time at most");
    sub.add_flag("--quiet", uplink_.quiet, "Say nothing");
  }

  // What a party says of itself.
  void attributes(CLI::App& sub, const std::string& setting) {
    sub.add_option_function<std::vector<std::string>>(
           "--attribute",
           [this, setting](const std::vector<std::string>& texts) {
             Attributes read;
             for (const auto& text : texts) {
               if (std::string problem = add_attribute(text, read); !problem.empty()) {
                 said(usage(problem, "an attribute is NAME=NUMBER, NAME=TEXT or NAME={TEXT, TEXT}"));
               }
             }
             invocation_.flags.push_back({setting, "--attribute", shown(read)});
           },
           "What it says of itself, for conditions; may be repeated")
        ->type_name("NAME=VALUE")
        ->take_all();
  }

  // A condition or a preference, which is read here already, so that a mistake is shown where it is.
  template <class Kind>
  void condition(CLI::App& sub, const std::string& name, std::string& to, const std::string& help) {
    sub.add_option_function<std::string>(
           name,
           [&to, name](const std::string& text) {
             const auto parsed = Kind::parse(text);
             if (const auto* mistake = std::get_if<Mistake>(&parsed)) {
               said(usage(name + " cannot be read:\n" + pointed_out(text, *mistake) + "\n" + in_words(text, *mistake),
                          mistake->remedy));
             }
             to = text;
           },
           help)
        ->type_name(std::is_same_v<Kind, Condition> ? "CONDITION" : "PREFERENCE");
  }

  void wishes(CLI::App& sub, Wishes& wishes) {
    condition<Condition>(sub, "--when", wishes.when,
                         "Only a worker whose attributes are so: `pointsman help conditions`");
    condition<Preference>(sub, "--prefer", wishes.prefer,
                          "Which of those: a condition, +NAME or -NAME; several with ;");
    attributes(sub, "client.attributes");
    sub.add_option_function<std::string>(
           "--overflow",
           [this](const std::string& text) { invocation_.flags.push_back({"client.overflow", "--overflow", text}); },
           "A request that waits at one of several brokers for longer goes to the next one; else it stays")
        ->type_name("DURATION");
  }

  void define_call() {
    auto& sub = command(
        "call", "Send requests to a worker and print the answers",
        "  pointsman call shout hello\n"
        "  pointsman call zip @a.txt @b.txt --separate --json\n"
        "  pointsman call shout -n 1000 -c 8 hello >/dev/null\n"
        "  pointsman call train --when 'gpu == h200 and mem >= 64G' --prefer 'region == eu; +mem' @job",
        [this](const Context& context) {
          call_.requests.insert(call_.requests.end(), behind_.begin(), behind_.end());
          return call_command(call_, context);
        });
    takes_command_of(sub);
    sub.add_option("SERVICE", call_.service, "Who is asked")->required();
    sub.add_option("REQUEST", call_.requests, "A text, @FILE, or - for stdin; a request each, none: an empty one");
    number(sub, "-n,--repeat", call_.repeat, 1, 10'000'000, "All requests so many times");
    number(sub, "-c,--sessions", call_.sessions, 1, 1000, "Over so many sessions at a time");
    duration(sub, "--wait", call_.wait, "For a free worker");
    duration(sub, "--limit", call_.limit, "For each answer");
    number(sub, "--priority", call_.priority, 0, limits::priority, "Higher goes first");
    sub.add_flag("--absent", call_.absent, "Wait also while nobody offers the service, or no worker matches");
    wishes(sub, call_.wishes);
    sub.add_flag("--fresh", call_.fresh, "A session for each request, instead of one for many");
    sub.add_flag("--separate", call_.separate, "Each answer on a line of its own; with --json a document each");
    sub.add_flag("--stream", call_.stream, "Print parts of an answer as they come");
  }

  void define_run() {
    auto& sub = command("run", "Run a command that talks to a worker, and take the worker back when it ends",
                        "  pointsman run page -- sh -c 'curl -s http://${POINTSMAN_ENDPOINT#*://}/'\n"
                        "  pointsman run db --wait 1m --term 10s -- ./import.sh",
                        [this](const Context& context) {
                          run_.command = behind_;
                          return run_command(run_, context);
                        });
    takes_command_of(sub);
    sub.add_option("SERVICE", run_.service, "Whose worker")->required();
    duration(sub, "--wait", run_.wait, "For a free worker");
    duration(sub, "--term", run_.term, "Of the session, renewed while CMD runs; 0: as the broker says");
    number(sub, "--priority", run_.priority, 0, limits::priority, "Higher goes first");
    sub.add_flag("--absent", run_.absent, "Wait also while nobody offers the service, or no worker matches");
    wishes(sub, run_.wishes);
  }

  void define_inspection() {
    auto& ls = command("ls", "List services, workers, sessions, waiting requests or brokers below",
                       "  pointsman ls workers --service zip\n"
                       "  pointsman ls sessions --json",
                       [this](const Context& context) { return list_command(list_, context); });
    ls.add_option("WHAT", list_.subject, "services, workers, sessions, waiting or brokers")->capture_default_str();
    ls.add_option("--service", list_.service, "Only of this service")->type_name("NAME");
    number(ls, "--limit", list_.limit, 0, 1'000'000, "Rows at most; 0: all");

    command("top", "Show services and workers, each second anew on a terminal",
            "  pointsman top\n"
            "  pointsman top --json",
            [](const Context& context) { return top_command(context); });

    auto& explain =
        command("explain", "Say why: of a request, also at brokers below, a session, a worker or a service",
                "  pointsman explain service zip\n"
                "  pointsman explain 6f1c --client ann",
                [this](const Context& context) { return explain_command(explain_, context); });
    explain.add_option_function<std::vector<std::string>>(
               "WHAT", [this](const std::vector<std::string>& words) { said(explain_subject(words, explain_)); },
               "A request's id; or session, worker, service and which")
        ->expected(1, 2)
        ->type_name("[KIND] ID");
    explain.add_option("--client", explain_.client, "Whose request; looked up without it")->type_name("NAME");
    number(explain, "--session", explain_.session, 1, limits::number, "Of this session");
    explain.add_option("--worker", explain_.worker, "Of this worker")->type_name("NAME");
    explain.add_option("--service", explain_.service, "Of this service")->type_name("NAME");

    auto& watch = command("watch", "Print what happens at the broker, a line each",
                          "  pointsman watch --service zip\n"
                          "  pointsman watch --kind granted --kind closed -n 10 --json",
                          [this](const Context& context) { return watch_command(watch_, context); });
    watch.add_option("--service", watch_.service, "Only of this service")->type_name("NAME");
    watch.add_option("--kind", watch_.kinds, "Only of this kind; may be repeated")->type_name("KIND")->take_all();
    number(watch, "-n,--count", watch_.count, 1, limits::number, "End after so many");
    watch.add_flag("--tiers", watch_.tiers,
                   "Also at the brokers below, as they come and go; each line says where");

    command("status", "Show the broker's counters",
            "  pointsman status\n"
            "  pointsman status --json --broker tcp://127.0.0.1:6000",
            [](const Context& context) { return status_command(context); });

    auto& discover = command(
        "discover", "Show the brokers of a group on the local networks; they are found by `--broker auto`",
        "  pointsman discover\n"
        "  pointsman discover --group lab --realm realm.key --trace",
        [this](const Context& context) { return discover_command(discover_, context); });
    discover.add_option("--group", discover_.group, "As the brokers say with --group")
        ->type_name("NAME")
        ->capture_default_str();
    discover.add_option("--service", discover_.service, "Only brokers where it is offered")
        ->type_name("NAME");
    condition<Condition>(discover, "--when", discover_.when, "Only where a worker of --service meets this condition");
    duration(discover, "--wait", discover_.wait, "For answers");
  }

  void define_control() {
    auto& drain = command("drain", "Give a worker no new sessions, or take that back",
                          "  pointsman drain zip-1 --wait 1m\n"
                          "  pointsman drain zip-1 --resume",
                          [this](const Context& context) { return drain_command(drain_, context); });
    drain.add_option("WORKER", drain_.worker, "Its name")->required();
    const auto mode = [&](const std::string& option, DrainMode value, const std::string& help) {
      return drain.add_flag_callback(option, [this, value] { drain_.mode = value; }, help);
    };
    auto* resume = mode("--resume", DrainMode::resume, "Give it sessions again");
    auto* leave = mode("--leave", DrainMode::leave, "Let it leave when it holds no session");
    auto* forget = mode("--forget", DrainMode::forget, "Strike it off the list at once, with its sessions");
    resume->excludes(leave)->excludes(forget);
    leave->excludes(forget);
    duration(drain, "--wait", drain_.wait, "Until it holds no session; exit code 5 if it still does", true);

    auto& service = command("service", "Show or change the settings of a service",
                            "  pointsman service zip\n"
                            "  pointsman service zip --policy least-busy --queue-max 100 --aging 0",
                            [this](const Context& context) { return service_command(service_, context); });
    service.add_option("SERVICE", service_.service, "Its name")->required();
    service.add_option("--policy", service_.policy, "Which worker is next: weighted-round-robin, least-connections, "
                                                    "least-busy, shortest-expected-delay, least-recent, two-choices or random")
        ->type_name("POLICY");
    service.add_option("--queue-max", service_.queue_max, "Requests that may wait")
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000}))
        ->type_name("N");
    duration(service, "--slow-start", [this](Milliseconds value) { service_.slow_start = value; },
             "Over which a newcomer's slots grow; 0: at once");
    duration(service, "--aging", [this](Milliseconds value) { service_.aging = value; },
             "What a step of priority is worth in waiting; 0: nothing");
    duration(service, "--hang", [this](Milliseconds value) { service_.hang = value; },
             "Sessions without progress for so long: suspect; 0: never");
  }

  // Of these the file is the first thing that matters; without another it is the one in this folder.
  CLI::App& supervised(const std::string& name, const std::string& description, const std::string& examples,
                       std::function<int(const Context&)> action) {
    auto& sub = command(name, description, examples, action);
    sub.final_callback([this, action = std::move(action)] {
      const char* named = std::getenv("POINTSMAN_CONFIG");
      if (invocation_.config.empty() && (named == nullptr || *named == '\0')) invocation_.config = "pointsman.toml";
      invocation_.action = action;
    });
    return sub;
  }

  void define_supervision() {
    auto& up = supervised("up", "Run a broker and workers from one file, and restart whichever fails",
                          "  pointsman up\n"
                          "  pointsman up /etc/pointsman.toml",
                          [this](const Context& context) { return up_command(up_, context); });
    up.add_option("FILE", invocation_.config, "The configuration file [pointsman.toml]");
    up.add_flag("--quiet", up_.quiet, "Say nothing");

    auto& ps = supervised("ps", "List the processes that `pointsman up` runs",
                          "  pointsman ps\n"
                          "  pointsman ps /etc/pointsman.toml --json",
                          [](const Context& context) { return ps_command(context); });
    ps.add_option("FILE", invocation_.config, "That `pointsman up` was given [pointsman.toml]");

    auto& roll = supervised("roll", "Replace the processes of a service, new ones first, without a failed request",
                            "  pointsman roll zip\n"
                            "  pointsman roll zip --at-once 2 --config /etc/pointsman.toml",
                            [this](const Context& context) { return roll_command(roll_, context); });
    roll.add_option("SERVICE", roll_.service, "Or the name of a [[process]]")->required();
    number(roll, "--at-once", roll_.at_once, 1, limits::processes, "So many at a time");
  }

  void define_keys() {
    auto& keys = *app_.add_subcommand("keys", "Make keys, and say whose key may come to a broker");
    keys.require_subcommand(0, 1);
    keys.footer("Examples:\n"
                "  pointsman keys make broker.key\n"
                "  pointsman keys make alice.key\n"
                "  pointsman keys allow --allowed allowed.keys alice alice.key.pub --role client\n"
                "  pointsman broker --key broker.key --allowed allowed.keys\n"
                "  pointsman call shout hello --key alice.key --broker-key broker.key.pub");
    auto& make = command(keys, "make", "Make a key pair: FILE for its owner, FILE.pub for everybody",
                         "  pointsman keys make ~/.config/pointsman.key\n"
                         "  pointsman keys make --realm /etc/pointsman/realm.key",
                         [this](const Context& context) { return keys_make_command(keys_, context); });
    make.add_option("FILE", keys_.file,
                    "Where; nothing is overwritten. With --realm FILE instead: the key of a realm");
    auto& show = command(keys, "show", "Print the public key of a file",
                         "  pointsman keys show broker.key\n"
                         "  pointsman keys show alice.key.pub --json",
                         [this](const Context& context) { return keys_show_command(keys_, context); });
    show.add_option("FILE", keys_.file, "A key pair, or a public key")->required();
    auto& allow = command(keys, "allow", "Let a key come; a running broker hears of it within a second",
                          "  pointsman keys allow --allowed allowed.keys alice alice.key.pub --role client --asks zip,img.*\n"
                          "  pointsman keys allow --allowed allowed.keys farm KEY --role worker --workers 100 --until 2027-01-31",
                          [this](const Context& context) { return keys_allow_command(keys_, context); });
    allowed_file(allow);
    allow.add_option("NAME", keys_.name, "For people: in listings and logs")->required();
    allow.add_option("KEY", keys_.key, "The public key, or a file that has it; what it was allowed before is replaced")
        ->required();
    allow.add_option("--role", keys_.roles, "client, worker, peer or admin; may be repeated")->delimiter(',')->type_name(
        "ROLE");
    allow.add_option("--asks", keys_.asks, "Services that it may ask for: names, or beginnings with a *; all without it")
        ->delimiter(',')
        ->type_name("NAME");
    allow.add_option("--offers", keys_.offers, "Services that it may offer; all without it")->delimiter(',')->type_name(
        "NAME");
    allow.add_option("--until", keys_.until, "Its last day, or moment, in UTC: 2027-01-31, 2027-01-31T12:00:00Z")
        ->type_name("DAY");
    quota(allow, "sessions", "At a time");
    quota(allow, "waiting", "Requests that wait, at a time");
    quota(allow, "workers", "Registered at a time");
    quota(allow, "connections", "To each listener, at a time");
    quota(allow, "rate", "Requests a second");
    quota(allow, "burst", "Requests at once, after a pause");
    auto& revoke = command(keys, "revoke", "Take a key's rights away, at once and on connections that stand",
                           "  pointsman keys revoke --allowed allowed.keys alice",
                           [this](const Context& context) { return keys_revoke_command(keys_, context); });
    allowed_file(revoke);
    revoke.add_option("WHO", keys_.name, "Its name, or the key")->required();
    auto& list = command(keys, "list", "List the keys of a file of allowed keys",
                         "  pointsman keys list --allowed allowed.keys\n"
                         "  pointsman keys list --json",
                         [this](const Context& context) { return keys_list_command(keys_, context); });
    allowed_file(list);
    keys.allow_extras();  // as below
  }

  void allowed_file(CLI::App& sub) {
    const auto give = [this](const std::string& text) {
      invocation_.flags.push_back({"broker.allowed", "--allowed", text});
    };
    sub.add_option_function<std::string>("--allowed", give, "File of allowed keys; else `allowed` in [broker] of the "
                                                            "configuration file")
        ->type_name("FILE");
  }

  void quota(CLI::App& sub, const std::string& name, const std::string& help) {
    const auto give = [this, name](const std::uint64_t& value) { keys_.quotas.emplace_back(name, value); };
    sub.add_option_function<std::uint64_t>("--" + name, give, help)
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{limits::allowance}))
        ->type_name("N");
  }

  void define_db() {
    auto& db = *app_.add_subcommand("db", "Show and edit what a broker knows of workers, clients and keys");
    db.require_subcommand(0, 1);
    db.footer(
        "Examples:\n"
        "  pointsman db set --database known.db worker zip-1 --attribute rack=b --attribute mem=64G\n"
        "  pointsman db set --database known.db client ann --tenant lab --priority-max 3 --waiting 5\n"
        "  pointsman broker --database known.db\n"
        "  pointsman db list --database postgresql://ops@db.lab/pointsman     # shared by several brokers\n"
        "  pointsman call zip --when 'rack == b' @a.txt\n"
        "A running broker hears of a change within a moment. Where keys are configured, records of keys count, else those of\n"
        "names. A password of a server belongs into ~/.pgpass, PGPASSWORD or the configuration file. Exit codes: 1: `check` found\n"
        "what is wrong; 2: a mistake, or the database is another program's or version's; 4: there is no such record; 125: the\n"
        "database cannot be read or written, and nothing was changed.");
    auto& list = db_command(db, "list", "List all records",
                            "  pointsman db list --database known.db\n"
                            "  pointsman db list worker --json",
                            db_list_command);
    list.add_option("ABOUT", db_.about, "Only of these: worker, client or key")->check(about());
    auto& show = db_command(db, "show", "Show one record", "  pointsman db show --database known.db worker zip-1 --json", db_show_command);
    whom(show);
    auto& history = db_command(db, "history", "List what workers have done, as brokers have noted it, also those that are gone",
                               "  pointsman db history --database known.db\n"
                               "  pointsman db history zip-1 --json        # each of its instances",
                               db_history_command);
    history.add_option("WORKER", db_.name, "Only this one");
    auto& set = db_command(db, "set", "Put something down; what is not named stays as it is",
                           "  pointsman db set --database known.db worker zip-1 --attribute 'region={eu, us}' --offers zip\n"
                           "  pointsman db set key alice.key.pub --tenant lab --priority 2 --sessions 10 --asks zip,img.*",
                           db_set_command);
    whom(set);
    set.add_option("--attribute", db_.attributes, "For conditions; goes before what a party says of itself; may be repeated")
        ->type_name("NAME=VALUE")
        ->take_all();
    auto& unset = db_command(db, "unset", "Forget some of a record",
                             "  pointsman db unset --database known.db worker zip-1 --attribute region --offers", db_unset_command);
    whom(unset);
    unset.add_option("--attribute", db_.attributes, "Its name; may be repeated")->type_name("NAME")->take_all();
    for (const auto& [field, help] : std::array<std::pair<const char*, const char*>, 7>{
             {{"tenant", "Whose it is: the attribute `tenant`, that nobody can say of itself"},
              {"priority", "Of requests that say none"},
              {"priority_max", "Higher ones are cut to it"},
              {"sessions", "Of a client, at a time; 0: any number"},
              {"waiting", "Requests of a client that wait, at a time; 0: any number"},
              {"asks", "Services that a client may ask for: names, or beginnings with a *"},
              {"offers", "Services that a worker may offer"}}}) {
      std::string option = "--" + std::string(field);
      std::replace(option.begin(), option.end(), '_', '-');
      const auto give = [this, name = std::string(field)](const std::string& text) { db_.fields.emplace_back(name, text); };
      set.add_option_function<std::string>(option, give, help)->type_name("VALUE");
      unset.add_flag_callback(option, [give] { give(""); }, help);
    }
    auto& remove = db_command(db, "remove", "Remove a record", "  pointsman db remove --database known.db worker zip-1", db_remove_command);
    whom(remove);
    auto& exported = db_command(db, "export", "Print all records, a line each",
                                "  pointsman db export --database known.db known.txt\n"
                                "  pointsman db export --database known.db | grep ^worker",
                                db_export_command);
    exported.add_option("FILE", db_.file, "Where; nothing is overwritten");
    auto& import = db_command(db, "import", "Read records as `export` writes them: all, or none if one is wrong",
                              "  pointsman db import --database known.db known.txt\n"
                              "  echo 'client ann tenant=lab waiting=5 : team=a' | pointsman db import --database known.db -",
                              db_import_command);
    import.add_option("FILE", db_.file, "- for stdin")->required();
    import.add_flag("--replace", db_.replace, "Remove all others");
    auto& backup = db_command(db, "backup", "Copy the database as it is at this moment; brokers and editors go on",
                              "  pointsman db backup --database known.db known-2027-01-31.db", db_backup_command);
    backup.add_option("FILE", db_.file, "Where; nothing is overwritten")->required();
    db_command(db, "check", "Say what is wrong with the database",
               "  pointsman db check --database known.db\n"
               "  pointsman db check --json",
               db_check_command);
    db.allow_extras();  // as below
  }

  CLI::App& db_command(CLI::App& db, const std::string& name, const std::string& description, const std::string& examples,
                       int (*action)(const DbCommand&, const Context&)) {
    auto& sub = command(db, name, description, examples, [this, action](const Context& context) { return action(db_, context); });
    const auto give = [this](const std::string& setting, const std::string& flag) {
      return [this, setting, flag](const std::string& text) { invocation_.flags.push_back({setting, flag, text}); };
    };
    sub.add_option_function<std::string>("--database", give("broker.database", "--database"),
                                         "A path, or postgresql://HOST/NAME; else `database` in [broker] of the configuration file")
        ->type_name("PLACE");
    sub.add_option_function<std::string>("--allowed", give("broker.allowed", "--allowed"),
                                         "File of allowed keys, for the names of keys; else `allowed` in [broker]")
        ->type_name("FILE");
    return sub;
  }

  static CLI::Validator about() { return CLI::IsMember(std::vector<std::string>{"worker", "client", "key"}); }

  void whom(CLI::App& sub) {
    sub.add_option("ABOUT", db_.about, "worker, client or key")->required()->check(about())->type_name("ABOUT");
    sub.add_option("NAME", db_.name, "Its name; of a key: the key, a file that has it, or its name in the file of allowed keys")
        ->required();
  }

  void define_load() {
    auto& load = command("load", "Put load on a broker and its workers, measure it, and check that nothing was lost",
                         "  pointsman load                                   # hand-offs, by a broker and workers of its own\n"
                         "  pointsman load calls --session 10 --workers 8 --time exp:1ms\n"
                         "  pointsman load --rate 5000 --bound 'p99<5ms' --duration 30s --svg latency.svg\n"
                         "  pointsman load --search 'p99<5ms' --output best.json\n"
                         "  pointsman load calls --rate 500 --fault '2s kill worker' --fault '4s restart broker' --lease 1s\n"
                         "  pointsman load streams --parts 64 --answer 64K --clients 4\n"
                         "  pointsman load renewals --leases 10000 --rate 1000\n"
                         "  pointsman load calls --broker tcp://10.0.0.7:5570 --service zip --rate 100\n"
                         "  pointsman load compare before.json after.json\n"
                         "Without --rate or --search the loop is closed: --clients times --depth are under way. With them it is\n"
                         "open: latency counts from when a request was due. Exit code 1: what was counted does not agree;\n"
                         "7: the bound was missed. See: pointsman help exit-codes",
                         {});
    load.require_subcommand(0, 1);
    load.final_callback([this, &load] {
      if (load.got_subcommand("compare")) return;
      invocation_.action = [this](const Context& context) { return load::load_command(load_, context); };
    });
    const auto text = [&](const std::string& name, std::string& into, const std::string& type, const std::string& help) {
      auto* option = load.add_option(name, into, help)->type_name(type);
      if (!into.empty()) option->default_str(into);
    };
    const auto count = [&](const std::string& name, std::uint64_t& into, std::uint64_t least, std::uint64_t most,
                           const std::string& help) {
      auto* option = number(load, name, into, least, most, help);
      if (into > 0) option->default_str(std::to_string(into));
    };
    load.add_option("KIND", load_.kind, "hand-offs, calls, streams, renewals or registrations")->capture_default_str();
    count("--clients", load_.clients, 1, 100'000, "That ask at a time, in a closed loop");
    count("--depth", load_.depth, 1, 10'000, "Requests of each at a time");
    text("--rate", load_.rate, "RATE", "Open loop: arrivals a second, or a ramp: 1000..20000");
    text("--arrivals", load_.arrivals, "HOW", "Of an open loop: poisson or even");
    count("--burst", load_.burst, 1, 100'000, "Of an open loop: that arrive at the same moment; of renewals, by one connection");
    text("--search", load_.search, "BOUND", "Find the highest rate that holds a bound, like 'p99<5ms'; begins at --rate");
    text("--bound", load_.bound, "BOUND", "Exit code 7 if it is missed");
    text("--warmup", load_.warmup, "TIME", "Not measured, before");
    text("--duration", load_.duration, "TIME", "Measured");
    count("--repeat", load_.repeat, 1, 1000, "Measure so many times, for `load compare`");
    count("--seed", load_.seed, 0, limits::number, "Of arrivals and service times");
    count("--connections", load_.connections, 1, 10'000, "To the broker; else one for each client, 4 for calls, 16 for leases");
    count("--workers", load_.workers, 1, 10'000, "Of its own");
    count("--slots", load_.slots, 1, limits::slots, "Of each; else 256 for hand-offs, 16 for calls");
    count("--services", load_.services, 1, 1000, "That its own workers offer, in turn");
    count("--hosts", load_.hosts, 1, 64, "Processes of its own workers; else 1, with faults of workers 4");
    load.add_flag("--together", load_.together, "Those of a host share one connection, as behind a relay; hand-offs only");
    text("--time", load_.time, "LAW", "Of service: 1ms, exp:1ms, lognormal:1ms:0.5 or bimodal:1ms:50ms:0.02");
    count("--session", load_.session, 1, 1'000'000, "Calls of a session");
    text("--request", load_.request, "SIZE", "Of a call");
    text("--answer", load_.answer, "SIZE", "Of each part of an answer");
    count("--parts", load_.parts, 1, 10'000, "Of an answer; else 1, 16 for streams");
    count("--leases", load_.leases, 1, 100'000, "Of renewals");
    text("--wait", load_.wait, "TIME", "In the queue for a worker");
    text("--limit", load_.limit, "TIME", "For each answer to a call");
    text("--service", load_.service, "NAME", "With --broker: ask for this, of workers that are there");
    text("--workers-at", load_.workers_at, "ENDPOINT", "With --broker: bring workers of its own to this listener");
    load.add_flag("--ipc", load_.ipc, "Its own broker listens on Unix sockets");
    load.add_flag("--encrypt", load_.encrypt, "Its own broker and all others have keys");
    text("--lease", load_.lease, "TIME", "At its own broker");
    load.add_option("--fault", load_.faults, "Like '3s kill worker for 2s': kill, restart, freeze or cut; worker or broker; "
                                             "may be repeated")
        ->type_name("FAULT")
        ->take_all();
    text("--output", load_.output, "FILE", "The whole result as JSON, for `load compare`");
    text("--csv", load_.csv, "FILE", "A line for each interval");
    text("--svg", load_.svg, "FILE", "A picture: latency over time and by percentile");

    auto& compare = command(load, "compare", "Say whether two results differ, and by how much",
                            "  pointsman load compare before.json after.json\n"
                            "  pointsman load compare before.json after.json --json",
                            [this](const Context& context) { return load::compare_command(compare_, context); });
    compare.add_option("A", compare_.a, "What `pointsman load --output` wrote")->required();
    compare.add_option("B", compare_.b, "Another, measured alike")->required();

    auto& host = command("load-host", "", "", [this](const Context& context) { return load::host_command(behind_, context); });
    host.group("");  // not for people: `load` starts it
    takes_command_of(host);
  }

  void define_config() {
    auto& config = *app_.add_subcommand("config", "Check a configuration file, or show what is in force");
    config.require_subcommand(0, 1);
    config.footer("Examples:\n"
                  "  pointsman config check pointsman.toml\n"
                  "  pointsman config show --json");
    auto& check = command(config, "check", "Read a configuration file and name every mistake in it",
                          "  pointsman config check pointsman.toml\n"
                          "  pointsman config check /etc/pointsman.toml --json",
                          [](const Context& context) { return config_check_command(context); });
    check.add_option("FILE", invocation_.config, "The file")->required();
    command(config, "show", "Show every setting, its value and where that comes from",
            "  pointsman config show\n"
            "  pointsman config show --config pointsman.toml --json",
            [](const Context& context) { return config_show_command(context); });
    config.allow_extras();  // as below
  }

  void define_help() {
    auto& help = *app_.add_subcommand("help",
                                      "Show the help of a command, or a topic: exit-codes, environment, "
                                      "configuration, brokers, conditions");
    help.add_option("TOPIC", topic_, "A command or a topic");
    help.footer("Examples:\n  pointsman help call\n  pointsman help exit-codes");
    help.final_callback([this] { invocation_.action = [this](const Context&) { return print_help(); }; });
  }

  void takes_command_of(CLI::App& sub) {
    sub.preparse_callback([this](std::size_t) { takes_command_ = true; });
  }

  // -------------------------------------------------------------------------------------------------
  // Texts with a structure of their own

  static void said(const std::optional<Problem>& problem) {
    if (problem) throw CLI::ValidationError(problem->message + "; " + problem->remedy);
  }

  void offer(const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
      auto parsed = parse_offer(text);
      if (const auto* problem = std::get_if<Problem>(&parsed)) said(*problem);
      worker_.services.push_back(std::get<Offer>(std::move(parsed)));
      if (text.find(':') == std::string::npos) unweighted_.push_back(worker_.services.size() - 1);
    }
  }

  void output_limit(const std::string& text) {
    const auto bytes = parse_size(text);
    if (!bytes || *bytes == 0 || *bytes > limits::payload_bytes) {
      throw CLI::ValidationError("--output-limit", "\"" + text + "\" is no size up to 16M; " + std::string(size_remedy));
    }
    worker_.output_bytes = *bytes;
  }

  // -------------------------------------------------------------------------------------------------
  // What to do

  std::string name() const {
    std::string words;
    for (const CLI::App* at = &app_; !at->get_subcommands().empty();) {
      at = at->get_subcommands().front();
      words += (words.empty() ? "" : " ") + at->get_name();
    }
    return words;
  }

  const CLI::App& chosen() const {
    const CLI::App* at = &app_;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    return *at;
  }

  // CLI11's complaint, or a better one where there is one.
  Problem misread(const CLI::ParseError& error) const {
    const CLI::App& sub = chosen();
    const std::string command = name();
    const std::string remedy = "see: pointsman " + (command.empty() ? "" : command + " ") + "--help";
    if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr) return usage(error.what(), remedy);
    const auto rest = sub.remaining();
    const std::string word = rest.empty() ? std::string() : rest.front();
    if (takes_command_ && command != "call" && !has_dashes_) {
      return usage("\"" + word + "\" is not understood; if it is the command to run, put `--` in front of it",
                   "like this: pointsman " + command + (command == "run" ? " SERVICE" : " --service NAME") + " -- " +
                       (word.starts_with('-') ? "CMD" : word) + " …");
    }
    return usage("there is no " + std::string(word.starts_with('-') ? "option \"" : "use for \"") + word + "\"" +
                     did_you_mean(word, options_of(sub)),
                 remedy);
  }

  static std::vector<std::string_view> options_of(const CLI::App& app) {
    static std::deque<std::string> names;
    std::vector<std::string_view> known;
    for (const CLI::Option* option : app.get_options()) {
      for (const auto& name : option->get_lnames()) known.push_back(names.emplace_back("--" + name));
    }
    return known;
  }

  static bool shown_to_people(const CLI::App* sub) { return !sub->get_group().empty(); }

  Problem unknown_command() const {
    const CLI::App& app = chosen();
    const auto rest = app.remaining();
    std::vector<std::string_view> known;
    for (const CLI::App* sub : app.get_subcommands(shown_to_people)) {
      known.push_back(sub->get_name());
    }
    std::string all;
    for (const auto word : known) all += (all.empty() ? "" : ", ") + std::string(word);
    if (rest.empty()) return usage("say what to do", "the commands are " + all + "; see: pointsman --help");
    const std::string& word = rest.front();
    if (word.starts_with('-')) return usage("there is no option \"" + word + "\"", "see: pointsman --help");
    return usage("there is no command \"" + word + "\"" + did_you_mean(word, known), "the commands are " + all);
  }

  int print_help() {
    if (topic_.empty()) {
      write_out(app_.help() + "\n");
      return status(Exit::done);
    }
    if (const auto text = help_topic(topic_)) {
      write_out(*text);
      return status(Exit::done);
    }
    auto known = help_topics();
    for (CLI::App* sub : app_.get_subcommands(shown_to_people)) {
      if (sub->get_name() == topic_) {
        write_out(sub->help(std::string(program_name)) + "\n");
        return status(Exit::done);
      }
      known.push_back(sub->get_name());
    }
    return complain(
        usage("there is no help on \"" + topic_ + "\"" + did_you_mean(topic_, known),
              "see: pointsman --help, and pointsman help exit-codes, environment, configuration, brokers, conditions"),
        invocation_.json);
  }

  CLI::App app_{"Hands every client a worker, then gets out of the way", std::string(program_name)};
  Invocation invocation_;
  std::vector<std::string> behind_;  // `--`
  bool has_dashes_ = false;
  bool takes_command_ = false;
  bool helps_ = false;

  BrokerCommand broker_options_;
  RelayCommand relay_;
  UplinkCommand uplink_;
  workers::SidecarOptions worker_;
  std::uint64_t weight_ = 1;
  std::vector<std::size_t> unweighted_;  // services whose weight is --weight
  bool each_ = false;
  bool filter_ = false;
  bool server_ = false;
  CallCommand call_;
  RunCommand run_;
  ListCommand list_;
  ExplainCommand explain_;
  DiscoverCommand discover_;
  DrainCommand drain_;
  WatchCommand watch_;
  UpCommand up_;
  RollCommand roll_;
  ServiceCommand service_;
  KeysCommand keys_;
  DbCommand db_;
  load::LoadCommand load_;
  load::CompareCommand compare_;
  std::string topic_;
};

int guarded(int count, char** words) {
  CommandLine line;
  try {
    return line.run(count, words);
  } catch (const OutputClosed&) {
    die_of(SIGPIPE);
  } catch (const Interrupted& interrupted) {
    die_of(interrupted.signal);
  } catch (const Error& error) {
    return complain(problem_of(error), line.json());
  } catch (const KeyError& error) {
    return complain(usage(error.what()), line.json());
  } catch (const std::exception& error) {
    return complain(wrapper(error.what()), line.json());
  }
}

}  // namespace
}  // namespace pointsman::program

int main(int count, char** words) { return pointsman::program::guarded(count, words); }
