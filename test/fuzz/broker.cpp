// Fuzzes the broker core: any messages from any peers at any times, in any order.

#include "broker/core/broker.hpp"

#include <algorithm>
#include <memory>
#include <set>

#include "protocol/codec.hpp"
#include "test/fuzz/invented.hpp"
#include "test/fuzz/list.hpp"
#include "test/fuzz/machine.hpp"
#include "test/fuzz/targets.hpp"

namespace pointsman::fuzz {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t workers_max = 6;
constexpr std::size_t services_max = 4;
constexpr std::size_t waiting_max = 12;
constexpr std::size_t sessions_max = 12;
constexpr std::size_t remembered_max = 8;
constexpr std::size_t watchers_max = 2;
// What one event may cause: everybody who waits, works or is served hears of it, and each watcher of each of these.
constexpr std::size_t answers_max = 6 * (workers_max + waiting_max + sessions_max + 2) * (1 + watchers_max);

broker::Options options_of(Input& input) {
  broker::Options options;
  const std::uint8_t kind = input.byte();
  options.epoch = 1'000'000;
  options.seed = kind;
  options.master = {std::string(32, 'm')};
  options.workers_max = workers_max;
  options.services_max = services_max;
  options.waiting_max = waiting_max;
  options.sessions_max = sessions_max;
  options.remembered_max = remembered_max;
  options.watchers_max = watchers_max;
  options.classes_max = 4;
  options.demands_max = 5;
  options.known_max = 4;
  if ((kind & 1) != 0) options.lease_forever = false;
  options.service.policy = static_cast<Policy>(kind % Words<Policy>::list.size());
  options.service.queue_max = waiting_max / 2;
  if ((kind & 2) != 0) options.service.slow_start = seconds(3);
  if ((kind & 4) != 0) options.service.hang = seconds(2);
  if ((kind & 8) != 0) options.service.aging = Duration{0};
  if ((kind & 16) != 0) options.services["s1"] = options.service;
  options.audit = (kind & 32) != 0;
  return options;
}

class BrokerGame {
 public:
  explicit BrokerGame(Input& input) : BrokerGame(input, options_of(input)) {}
  BrokerGame(Input& input, const broker::Options& options)
      : input_(input), audited_(options.audit), broker_(options) {}

  void play() {
    while (!input_.empty()) turn();
    settle();
  }

 private:
  void turn() {
    const std::uint8_t what = input_.byte();
    if (what < 0x60) return hear(address(Door::workers), from_worker());
    if (what < 0xc0) return hear(address(Door::clients), from_client());
    if (what < 0xe8) return clock_.pass(input_, broker_.deadline()), step(Elapsed{});
    if (what < 0xf0) return hear(address(input_.bit() ? Door::workers : Door::clients), invent_any(input_, known_));
    if (what < 0xf6) return step(garbled());
    if (what < 0xf9) return gone();
    if (what < 0xfb) return step(broker::Learned{records()});
    if (what < 0xfe) return step(broker::Allowed{allowed()});
    if (what < 0xff) {
      if (input_.bit()) return step(broker::Outside{.unread = input_.byte()});
      return step(broker::Memory{.resident = input_.byte(), .most = input_.byte(), .bound = 300});
    }
    const std::uint8_t rarely = input_.byte();
    if (rarely == 0xff) return step(broker::Shutdown{});
    if (rarely >= 0xe0 && rarely < 0xf0) {
      return step(broker::Recalled{{{.worker = input_.bit() ? "a" : "b",
                                     .jobs = input_.byte(),
                                     .busy = Milliseconds(std::uint64_t{input_.byte()} << input_.below(40)),
                                     .failures = std::uint64_t{input_.byte()} << input_.below(40)}}});
    }
    if (rarely >= 0xf0) step(broker::GrantUntil{.until = rarely > 0xf8 ? never : Instant{}});
  }

  void hear(const Address& from, Message message) { step(Received{from, std::move(message), {}, key_of_peer(from.peer)}); }

  // Every other connection proves a key, the same one in each of its lives.
  static PublicKey key_of_peer(std::uint64_t peer) {
    PublicKey key;
    if (peer % 4 < 2) key.bytes[0] = static_cast<std::uint8_t>(1 + peer % 8);
    return key;
  }

  Message from_worker() {
    return invent_one_of<Register, Heartbeat, Report, Holding, Report, Heartbeat, Leave, Hello>(input_, known_);
  }
  Message from_client() {
    return invent_one_of<Request, Request, Request, Release, Renew, Cancel, List, Explain, Drain, Configure, Watch, Status>(
        input_, known_);
  }

  // A few connections to each listener. One that is gone never comes back: its successor has another number.
  Address address(Door door) {
    const std::size_t line = input_.below(4);
    const std::uint64_t peer = lives_[door == Door::workers][line] * 8 + line * 2 + (door == Door::workers ? 1 : 0) + 1;
    Address from{door, (line & 1) != 0 ? Codec::json : Codec::msgpack, peer, {}};
    if (line == 2) from.envelope = std::string("\1x\0", 3);
    heard_.insert(peer);
    return from;
  }

  // Some of the keys that connections prove, with rights and quotas; and one that may look at everything.
  std::shared_ptr<const AllowedKeys> allowed() {
    std::vector<Allowance> list;
    for (std::uint8_t i = 1; i <= 8; ++i) {
      const std::uint8_t how = input_.byte();
      if (how < 0x20) continue;
      Allowance& who = list.emplace_back();
      who.key.bytes[0] = i;
      who.name = "k" + std::to_string(i);
      if ((how & 1) != 0) who.roles.add(Role::client);
      if ((how & 2) != 0) who.roles.add(Role::worker);
      if ((how & 12) == 12) who.roles.add(Role::admin);
      if ((how & 16) != 0) who.asks = who.offers = {"s1"};
      if (how >= 0xe0) who.standing = Standing::revoked;
      if (how < 0x80) continue;
      who.sessions = input_.below(3);
      who.waiting = input_.below(3);
      who.workers = input_.below(3);
      who.rate = input_.below(3);
      who.burst = who.rate;
    }
    list.push_back({.key = key_of_admin(), .name = "admin", .roles = {Role::admin}});
    return std::make_shared<const AllowedKeys>(std::move(list));
  }
  static PublicKey key_of_admin() {
    PublicKey key;
    key.bytes.fill(0xff);
    return key;
  }

  // What a database says of those who come here; often that it knows nothing.
  std::vector<broker::Known> records() {
    std::vector<broker::Known> all(input_.below(4));
    for (broker::Known& one : all) {
      one.about = static_cast<broker::About>(input_.below(Words<broker::About>::list.size()));
      PublicKey key;
      key.bytes[0] = static_cast<std::uint8_t>(1 + input_.below(8));
      one.name = one.about == broker::About::key      ? to_z85(key)
                 : one.about == broker::About::worker ? invent_text(input_, "worker", 1, limits::name)
                                                      : invent_text(input_, "client", 0, limits::name);
      const std::uint8_t how = input_.byte();
      if ((how & 1) != 0) one.tenant = "t";
      if ((how & 2) != 0) static_cast<void>(one.attributes.add("gpu", std::string("h200")));
      if ((how & 4) != 0) static_cast<void>(one.attributes.add("mem", static_cast<double>(how)));
      if ((how & 8) != 0) one.priority = 3;
      if ((how & 16) != 0) one.priority_max = 5;
      if ((how & 32) != 0) one.asks = one.offers = {"s1"};
      if ((how & 64) != 0) one.sessions = one.waiting = 1 + input_.below(3);
    }
    return all;
  }

  Garbled garbled() {
    Garbled event{address(input_.bit() ? Door::workers : Door::clients), {}, {}};
    event.fault.code = static_cast<Code>(input_.below(Words<Code>::list.size()));
    event.fault.reason = invent_text(input_, "reason", 1, limits::text);
    event.fault.op = invent_text(input_, "about", 0, limits::name);
    event.fault.id = invent_text(input_, "id", 0, limits::name);
    event.fault.session = known_.number(input_, "session", 0, limits::number);
    return event;
  }

  void gone() {
    const Door door = input_.bit() ? Door::workers : Door::clients;
    const Address who = address(door);
    ++lives_[door == Door::workers][(who.peer - 1) % 8 / 2];
    step(Gone{door, who.peer});
    heard_.erase(who.peer);
  }

  void step(broker::Event event) {
    const bool alone = std::holds_alternative<Elapsed>(event);
    tell(clock_.now(), "", event);
    broker::Actions actions;
    broker_.step(clock_.now(), std::move(event), actions);
    for (const broker::Action& action : actions) tell(clock_.now(), "    ", action);
    broker_.check();
    MUST(actions.size() <= answers_max);
    for (const broker::Action& action : actions) {
      if (std::holds_alternative<broker::Audit>(action)) {
        MUST(audited_);
        continue;
      }
      const Send& send = std::get<Send>(action);
      MUST(heard_.contains(send.to.peer) || departed(send.to.peer));
      MUST(((send.to.peer - 1) & 1) == (send.to.door == Door::workers ? 1U : 0U));
      MUST(send.payload.empty());
      travels(send);
      known_.note(send.message);
    }
    clock_.stepped(broker_.deadline(), alone);
  }

  // Connections that are gone may be written to until their party is judged; that is lost.
  bool departed(std::uint64_t peer) const {
    const std::size_t place = (peer - 1) % 8;
    return (peer - 1) / 8 < lives_[place & 1][place / 2];
  }

  // Left alone, a broker comes to rest: nobody waits, nothing lapses, and it need not be woken.
  void settle() {
    for (int turns = 0; broker_.deadline() != never; ++turns) {
      MUST(turns < 1000);
      // Who waits for a day is looked after every second of it: an hour at a time is enough here.
      clock_.to(turns % 4 == 3 ? clock_.now() + std::chrono::hours(1) : broker_.deadline());
      step(Elapsed{});
    }
    MUST(rows(Subject::waiting) == 0);
    MUST(rows(Subject::workers) <= workers_max);
    MUST(rows(Subject::sessions) <= sessions_max);
    MUST(rows(Subject::services) <= services_max);
  }

  std::size_t rows(Subject of) {
    heard_.insert(1000);
    broker::Actions actions;
    broker_.step(clock_.now(), Received{{.door = Door::clients, .peer = 1000}, List{.of = of, .limit = limits::rows}, {}, key_of_admin()},
                 actions);
    const auto sent = std::find_if(actions.begin(), actions.end(), [](const auto& a) { return std::holds_alternative<Send>(a); });
    MUST(sent != actions.end());
    const auto& listing = std::get<Listing>(std::get<Send>(*sent).message);
    return listing.services.size() + listing.workers.size() + listing.sessions.size() + listing.waiting.size();
  }

  Input& input_;
  Clock clock_;
  Known known_;
  bool audited_;
  broker::Broker broker_;
  std::uint64_t lives_[2][4]{};  // by listener and line
  std::set<std::uint64_t> heard_;
};

}  // namespace

void run_broker(std::string_view bytes) {
  Input input(bytes);
  BrokerGame(input).play();
}

std::vector<std::string> broker_seeds() { return random_seeds(200, 400); }

}  // namespace pointsman::fuzz
