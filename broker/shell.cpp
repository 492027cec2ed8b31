// Binds, drives, stops. Sockets are drained before the core hears that time passed, so that a renewal that
// has arrived counts before a lease is judged.

#include "broker/shell.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "broker/audit_log.hpp"
#include "broker/beacons.hpp"
#include "broker/bounds.hpp"
#include "broker/core/broker.hpp"
#include "broker/database/follower.hpp"
#include "broker/keyring.hpp"
#include "broker/membership/member.hpp"
#include "broker/newcomers.hpp"
#include "broker/selftest.hpp"
#include "protocol/notice.hpp"
#include "protocol/signals.hpp"
#include "protocol/trace.hpp"
#include "protocol/transport.hpp"

namespace pointsman::broker {

namespace {

constexpr Duration weigh_every = std::chrono::milliseconds(100);
constexpr int drain_turns = 64;                                  // turns in a row before time gets its say
constexpr Duration look_every = std::chrono::milliseconds(500);  // at the file of allowed keys
constexpr Duration refusals_every = std::chrono::seconds(1);     // are counted, and the first few told
constexpr int refusals_told = 10;
constexpr Duration note_every = std::chrono::seconds(1);  // what workers did, for the history
constexpr std::size_t noted_at_once = 1000;
constexpr std::size_t traced_max = 10'000;  // peers that a trace tells apart

class Shell {
 public:
  explicit Shell(const ShellOptions& options) : options_(options), core_(core_options(options)) {
    ::signal(SIGPIPE, SIG_IGN);
    if (!options.key.empty()) lock(options);
    if (!options.database.empty()) follow(options);
    TransportLimits links = links_of(options);
    links.backlog = Newcomers::backlog();
    clients_ = transport_.listen(Door::clients, options.clients, links, options.insecure,
                                 {.own = own_, .roles = {Role::client, Role::peer, Role::admin}});
    workers_ = transport_.listen(Door::workers, options.workers, links, options.insecure,
                                 {.own = own_, .roles = {Role::worker, Role::peer}});
    if (own_) {
      for (const std::string& endpoint : {clients_, workers_})
        strangers_.push_back(test_lock(endpoint, own_->key));
      tested_ = entries();
    }
    transport_.watch(signals_.descriptor(), [this] { signalled(); });
    newcomers_.emplace(transport_, options.connections_max);
    transport_.on_newcomers([this] {
      if (!newcomers_->held()) look_for_room();
    });
    if (!options.group.empty()) announce();
    if (!options.membership.empty()) enter();
  }

  void run() {
    weigh();  // so that also the first `status` has it all
    notice_.ready("clients " + clients_ + ", workers " + workers_);
    // Who watches over it has heard so just now, and tells it in its own name.
    if (!options_.quiet && !notice_.wanted()) {
      const std::string key = own_ ? " key=" + to_z85(own_->key) : "";
      std::printf("ready clients=%s workers=%s%s\n", clients_.c_str(), workers_.c_str(), key.c_str());
      std::fflush(stdout);
    }
    const MemoryBound bound = memory_bound(options_);
    say("memory is bounded by " + in_bytes(bound.total()) + ": " + in_bytes(bound.records) + " of records, " +
        in_bytes(bound.links) + " of links" +
        (bound.total() < bound.sum() ? ", but it stops before, at twice memory_max" : "") +
        "; see pointsman broker --bounds");
    while (!over()) {
      const auto take = [this](Incoming&& incoming) { taken(std::move(incoming)); };
      bool more = transport_.turn(
          std::min({core_.deadline(), stop_at_, look_at_, weigh_at_, newcomers_->due(), notice_.due(),
                    beacons_ ? beacons_->due() : never, member_ ? member_->due() : never}),
          take);
      for (int i = 0; more && i < drain_turns; ++i) more = transport_.turn(Instant{}, take);
      if (look_at_ <= now()) look(false);
      if (weigh_at_ <= now()) weigh();
      if (database_ && database_->has_news()) learn();
      if (newcomers_->due() <= now()) look_for_room();
      if (beacons_ && beacons_->due() <= now()) beacons_->tick();
      if (member_ && member_->due() <= now()) member_->tick();
      if (core_.deadline() <= now()) step(Elapsed{});
      notice_.tick(now());
    }
    while (database_ && note()) {
    }
  }

 private:
  static Options core_options(const ShellOptions& options) {
    Options core = options.core;
    core.epoch = unix_microseconds();
    core.seed = random_number();
    core.master = random_key();
    core.audit = !options.audit.empty();
    return core;
  }

  // Keys: from files, and before anything listens.
  void lock(const ShellOptions& options) {
    hide_memory();
    own_ = read_key_pair(options.key);
    keyring_.emplace(options.allowed, unix_microseconds() / 1'000'000);
    step(Allowed{keyring_->keys()});
    transport_.allow(keyring_->keys());
    transport_.on_turned([this](const Turned& who) { turned(who); });
    look_at_ = now() + look_every;
  }

  // What is known counts before anybody comes.
  void follow(const ShellOptions& options) {
    database_.emplace(options.database, options.core.known_max, options.history_max,
                      [this] { transport_.wake(); });
    learn();
  }

  void learn() {
    Follower::News news = database_->take();
    database_troubles_ = news.troubles;
    database_away_ = news.away ? 1 : 0;
    database_unreadable_ = news.unreadable;
    for (const std::string& text : news.said) say(text);
    step(Learned{std::move(news.records)});
    if (!news.pasts.empty()) step(Recalled{std::move(news.pasts)});
    count();
  }

  // What workers did, some of them at a time: when all are to be noted at once, nobody waits for the last of them. Whether
  // there were any.
  bool note() {
    std::vector<Deeds> some = core_.take_deeds(noted_at_once);
    if (some.size() < noted_at_once) note_at_ = now() + note_every;
    if (some.empty()) return false;
    database_->note(std::move(some));
    return true;
  }

  void announce() {
    beacons_.emplace(
        transport_,
        BeaconOptions{.group = options_.group,
                      .clients = clients_,
                      .workers = workers_,
                      .key = own_ ? own_->key : PublicKey{},
                      .epoch = core_.epoch(),
                      .realm = options_.realm.empty() ? Bytes{} : read_realm_key(options_.realm)},
        [this](std::string_view service, std::string_view when) { return core_.offers(service, when); },
        [this](const std::string& text) { say(text); });
  }

  // Into a list of brokers. Until it is there it grants nothing.
  void enter() {
    const auto permitted = [this](const Permit& permit) {
      step(GrantUntil{options_.grants_alone ? never : permit.until, permit.revision});
    };
    permitted(Permit{Instant{}});
    auto list = finder::parse_etcd(options_.membership);
    if (const auto* fault = std::get_if<finder::SourceFault>(&list)) throw TransportError(fault->problem);
    BrokerRow row{.clients = options_.endpoint.empty() ? clients_ : options_.endpoint,
                  .workers = options_.workers_endpoint.empty() ? workers_ : options_.workers_endpoint,
                  .key = own_ ? to_z85(own_->key) : std::string()};
    row.broker = options_.name.empty() ? row.clients.substr(row.clients.find("://") + 3) : options_.name;
    if (row.broker.size() > limits::name)
      throw TransportError("the name \"" + row.broker + "\" is longer than " + std::to_string(limits::name) +
                           " bytes; choose a shorter one with --name");
    member_.emplace(transport_, std::get<finder::EtcdList>(std::move(list)), std::move(row),
                    options_.membership_ttl, permitted, [this](const std::string& text) { say(text); });
  }

  // At the file of allowed keys. `anyway`: reads it even if it looks as it did.
  void look(bool anyway) {
    look_at_ = now() + look_every;
    const Keyring::News news = keyring_->look(unix_microseconds() / 1'000'000, anyway);
    if (!news.problem.empty()) say(news.problem + " (the keys that were allowed before stay so)");
    if (!news.changed) return;
    step(Allowed{keyring_->keys()});
    transport_.allow(keyring_->keys());
    say("allowed keys: " + std::to_string(keyring_->keys()->list().size()) + " are in force now");
  }

  void look_for_room() {
    if (!newcomers_->look(now())) return;
    say(newcomers_->held() ? "full: with " + std::to_string(newcomers_->most()) +
                                 " descriptors open newcomers have to wait; raise `ulimit -n` or connections_max"
                           : "newcomers are let in again");
  }

  // Of both listeners.
  EntryCounts entries() const {
    EntryCounts sum = transport_.entries(Door::clients);
    const EntryCounts workers = transport_.entries(Door::workers);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += workers[i];
    return sum;
  }

  // Tells the core what happened outside, for `status`.
  void count() {
    Outside seen{.unread = transport_.dropped(),
                 .audit_lost = audit_.lost(),
                 .database_troubles = database_troubles_,
                 .database_away = database_away_,
                 .database_unreadable = database_unreadable_};
    if (!workers_.empty()) seen.entries = entries();
    if (beacons_) seen.questions_ignored = beacons_->ignored();
    for (std::size_t i = 0; i < tested_.size(); ++i) seen.entries[i] -= tested_[i];
    if (seen == outside_) return;
    outside_ = seen;
    step(seen);
  }

  // Looks how much memory the process has. At twice the limit refusing newcomers has not helped: somebody who comes
  // after us starts with little, and direct sessions do not notice.
  void weigh() {
    weigh_at_ = now() + weigh_every;
    const std::uint64_t resident = resident_bytes();
    step(Memory{.resident = resident, .most = options_.memory_max, .bound = memory_bound(options_).total()});
    count();
    if (database_ && database_->takes_deeds() && note_at_ <= now()) note();
    if (options_.memory_max == 0 || resident / 2 <= options_.memory_max) return;
    throw TransportError("the broker has " + in_bytes(resident) + " of memory, twice memory_max (" +
                         in_bytes(options_.memory_max) + "), and stops; start it again");
  }

  // Somebody was not let in. Of many only a few are told.
  void turned(const Turned& who) {
    if (std::find(strangers_.begin(), strangers_.end(), who.key) != strangers_.end()) return;
    if (now() >= refusals_until_) {
      if (refusals_ > refusals_told)
        say("turned away: " + std::to_string(refusals_ - refusals_told) + " more");
      refusals_ = 0;
      refusals_until_ = now() + refusals_every;
    }
    if (++refusals_ > refusals_told) return;
    const Allowance* known = keyring_->keys()->find(who.key);
    say("turned away at the " + std::string(who.door == Door::clients ? "clients'" : "workers'") +
        " listener" + (known != nullptr ? ": " + known->name : "") +
        (who.key.none() ? "" : ": key " + to_z85(who.key)) +
        (who.address.empty() ? "" : " from " + who.address) + ": " + explain(who.entry));
  }

  void say(const std::string& text) const {
    if (!options_.quiet) print((options_.trace ? "# " : "pointsman broker: ") + text);
  }

  void signalled() {
    while (const auto came = signals_.next()) {
      if (came->signal != SIGHUP) {
        stop_asked();
      } else if (keyring_) {
        look(true);
      }
    }
  }

  // The first signal: who waits is told, and has `drain` to hear it. The second: now.
  void stop_asked() {
    const bool again = stop_at_ != never;
    stop_at_ = again ? now() : now() + options_.drain;
    if (again) return;
    notice_.stopping();
    step(Shutdown{});
    if (member_) member_->depart();
  }

  bool over() const {
    const bool idle = transport_.idle() && (!member_ || member_->departed());
    return stop_at_ != never && (idle || now() >= stop_at_);
  }

  void taken(Incoming&& incoming) {
    if (options_.trace) trace(incoming);
    std::visit([this](auto&& event) { step(std::move(event)); }, std::move(incoming));
  }

  void step(Event event) {
    core_.step(now(), std::move(event), actions_);
    for (const Action& action : actions_) {
      if (const auto* record = std::get_if<Audit>(&action)) {
        audit_.write(*record);
        continue;
      }
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
  AuditLog audit_{options_.audit, options_.audit_bytes};
  Signals signals_{SIGTERM, SIGINT, SIGHUP};
  Transport transport_{static_cast<int>(options_.io_threads)};
  Broker core_;
  Actions actions_;  // reused
  std::string clients_;
  std::string workers_;
  Instant stop_at_ = never;
  Instant weigh_at_{};
  Instant note_at_{};
  std::optional<Newcomers> newcomers_;
  std::optional<Beacons> beacons_;  // nothing: nobody is answered
  std::optional<Member> member_;    // nothing: it is in no list
  std::uint64_t database_troubles_ = 0, database_away_ = 0, database_unreadable_ = 0;
  std::optional<Follower> database_;  // wakes the transport

  SharedKeyPair own_;  // null: nothing is encrypted
  std::optional<Keyring> keyring_;
  Instant look_at_ = never;
  std::vector<PublicKey> strangers_;  // of the self-test
  EntryCounts tested_{};              // what it was answered
  Outside outside_;                   // as the core was told
  int refusals_ = 0;                  // since a second ago
  Instant refusals_until_{};

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
