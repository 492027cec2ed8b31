// pointsman watch: what happens at the broker, a line each; with --tiers also at the brokers below.

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "clients/program/commands.hpp"
#include "clients/program/listing.hpp"
#include "clients/program/nearest.hpp"
#include "clients/program/output.hpp"
#include "protocol/codec.hpp"
#include "protocol/finding.hpp"
#include "protocol/json_text.hpp"
#include "protocol/notation.hpp"

namespace pointsman::program {
namespace {

constexpr Milliseconds look_every(1000);         // for brokers below
constexpr std::chrono::seconds again_after(10);  // one that could not be watched is tried anew
constexpr std::size_t watched_max = 64;          // brokers below

Or<std::vector<Happening>> parse_kinds(const std::vector<std::string>& texts) {
  const auto& words = Words<Happening>::list;
  std::vector<Happening> kinds;
  for (const auto& text : texts) {
    const auto found = std::find(words.begin(), words.end(), text);
    if (found == words.end()) {
      std::string all;
      for (const auto known : words) all += (all.empty() ? "" : ", ") + std::string(known);
      return usage("there is no kind \"" + text + "\"" + did_you_mean(text, {words.begin(), words.end()}),
                   "the kinds are " + all);
    }
    kinds.push_back(static_cast<Happening>(found - words.begin()));
  }
  return kinds;
}

// Prints events as they come, from any thread, until there were enough.
class Printer {
 public:
  Printer(const WatchCommand& command, const Context& context) : command_(command), context_(context) {}

  // `at` is the broker where it happened. False: no more is wanted.
  bool event(const std::string& at, const Happened& event) {
    const std::lock_guard lock(mutex_);
    if (done_) return false;
    std::string line = context_.json ? encode(event, Codec::json) : to_line(event);
    if (command_.tiers && context_.json) line.replace(0, 1, R"({"broker":)" + json_quote(at) + ",");
    if (command_.tiers && !context_.json) line.insert(0, at + " ");
    // What the library calls must not throw through it.
    try {
      write_out(line + "\n");
    } catch (...) {
      trouble_ = std::current_exception();
    }
    done_ = trouble_ || ++seen_ == command_.count || context_.elapsed();
    if (done_) over_.notify_all();
    return !done_;
  }

  void missed(const std::string& at, std::uint64_t count) const {
    const std::string where = command_.tiers ? at + ": " : "";
    const std::string what =
        count == 0 ? "the broker started anew; events" : std::to_string(count) + " events";
    write_err(where + what + " were missed\n");
  }

  bool wanted() {
    const std::lock_guard lock(mutex_);
    return !done_ && !context_.elapsed();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  void wait(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    over_.wait_for(lock, most, [this] { return done_; });
  }

  // The status to leave with, when nobody prints any more.
  int outcome() const {
    if (trouble_) std::rethrow_exception(trouble_);
    if (seen_ != command_.count || command_.count == 0)
      return complain(timeout_problem(context_), context_.json);
    return status(Exit::done);
  }

 private:
  const WatchCommand& command_;
  const Context& context_;
  std::mutex mutex_;
  std::condition_variable over_;
  std::uint64_t seen_ = 0;
  bool done_ = false;
  std::exception_ptr trouble_;  // nobody reads, or it cannot be written
};

void watch_one(Client& client, const Watch& what, const std::string& at, Printer& printer) {
  client.watch(
      what, [&](const Happened& event) { return printer.event(at, event); }, [&] { return printer.wanted(); },
      [&](std::uint64_t count) { printer.missed(at, count); });
}

// A broker that is watched, on a thread of its own, for as long as events are wanted.
class Watched {
 public:
  // Throws Error if it can never be reached.
  Watched(const ClientOptions& options, std::size_t depth, const Watch& what, Printer& printer)
      : at(options.broker), tier(depth), client(options), thread_([this, what, &printer] {
          try {
            watch_one(client, what, at, printer);
          } catch (const Error& error) {
            const std::lock_guard lock(mutex_);
            failed_ = error;
          }
        }) {}
  ~Watched() { thread_.join(); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  const std::string at;
  const std::size_t tier;  // 1: the one that was named
  Client client;

  // Why it is not watched any more.
  std::optional<Error> failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Error> failed_;
  std::thread thread_;  // the last one: it uses the others
};

// The broker that was named and those below, as they come and go.
class Fleet {
 public:
  Fleet(ClientOptions options, Watch what, Printer& printer, const Context& context)
      : options_(std::move(options)), what_(std::move(what)), printer_(printer), context_(context) {
    all_.emplace_back(options_, 1, what_, printer_);
  }
  ~Fleet() { printer_.stop(); }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Looks who is there. Throws what ended the watch of the first one.
  void look() {
    if (const auto error = all_.front().failed()) throw *error;
    for (auto one = std::next(all_.begin()); one != all_.end();) {
      const auto error = one->failed();
      if (error) put_off(one->at, error->what());
      one = error ? all_.erase(one) : std::next(one);
    }
    // Those that are found are looked at, too.
    for (Watched& one : all_) {
      if (one.tier == limits::tiers) continue;
      for (const BrokerRow& row : below(one)) join(row, one.tier + 1);
    }
  }

 private:
  // Nobody if it does not tell; if it is gone, its own thread says so.
  std::vector<BrokerRow> below(Watched& one) const {
    try {
      auto gathered = gather(one.client, context_, List{.of = Subject::brokers}, 0);
      if (auto* listing = std::get_if<Listing>(&gathered)) return std::move(listing->brokers);
    } catch (const Error&) {
    }
    return {};
  }

  void join(const BrokerRow& row, std::size_t tier) {
    const auto known = [&](const Watched& one) { return one.at == row.clients; };
    if (row.state != State::alive || !printer_.wanted() || std::any_of(all_.begin(), all_.end(), known))
      return;
    if (const auto found = later_.find(row.clients); found != later_.end() && Clock::now() < found->second)
      return;
    if (all_.size() > watched_max) {
      if (!std::exchange(crowded_, true))
        write_err("not all are watched: there are more than " + std::to_string(watched_max) +
                  " brokers below\n");
      return;
    }
    ClientOptions options = options_;
    options.broker = row.clients;
    if (!row.key.empty()) options.broker_key = row.key;
    try {
      all_.emplace_back(options, tier, what_, printer_);
    } catch (const Error& error) {
      put_off(row.clients, error.what());
    }
  }

  void put_off(const std::string& at, const std::string& why) {
    later_[at] = Clock::now() + again_after;
    write_err(printable_lines(at + ": not watched: " + why + "\n"));
  }

  const ClientOptions options_;
  const Watch what_;
  Printer& printer_;
  const Context& context_;
  std::list<Watched> all_;
  std::map<std::string, Clock::time_point> later_;  // when to try again, by endpoint
  bool crowded_ = false;
};

}  // namespace

int watch_command(const WatchCommand& command, const Context& context) {
  const auto kinds = parse_kinds(command.kinds);
  if (const auto* problem = std::get_if<Problem>(&kinds)) return complain(*problem, context.json);
  const ClientOptions options = client_options(context);
  const Watch what{.service = command.service, .kinds = std::get<std::vector<Happening>>(kinds)};
  Printer printer(command, context);
  if (command.tiers) {
    Fleet fleet(options, what, printer, context);
    for (; printer.wanted(); printer.wait(within(context, look_every))) fleet.look();
  } else {
    Client client(options);
    watch_one(client, what, options.broker, printer);
  }
  return printer.outcome();
}

}  // namespace pointsman::program
