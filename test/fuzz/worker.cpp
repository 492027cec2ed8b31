// Fuzzes the worker core: any broker, any clients, true, altered and forged tickets, and a program that answers late or never.

#include "workers/core/worker.hpp"

#include <map>
#include <set>

#include "protocol/ticket.hpp"
#include "test/fuzz/invented.hpp"
#include "test/fuzz/list.hpp"
#include "test/fuzz/machine.hpp"
#include "test/fuzz/targets.hpp"

namespace pointsman::fuzz {

namespace {

using std::chrono::seconds;

constexpr std::size_t calls_max = 4;

workers::WorkerSettings settings_of(Input& input) {
  const std::uint8_t kind = input.byte();
  workers::WorkerSettings settings{.name = "w1", .instance = "i1", .endpoint = "tcp://127.0.0.1:1"};
  settings.offers = {{.service = "s1"}, {.service = "s2", .slots = 1}};
  settings.slots = 1 + kind % 3;
  settings.direct = (kind & 4) != 0 ? Direct::own : Direct::pointsman;
  settings.seed = kind;
  if ((kind & 8) != 0) settings.patience = seconds(3);
  if ((kind & 16) != 0) settings.lease = forever;
  settings.calls_max = calls_max;
  settings.used_max = 8;
  settings.events_max = 32;
  settings.keys_max = 3;
  return settings;
}

class WorkerGame {
 public:
  explicit WorkerGame(Input& input) : input_(input), settings_(settings_of(input)), core_(settings_) {}

  void play() {
    step(Elapsed{});
    while (!input_.empty() && !core_.done()) turn();
    settle();
  }

 private:
  void turn() {
    const std::uint8_t what = input_.byte();
    if (what < 0x50) return step(Received{{.door = Door::broker}, from_broker(), {}, {}});
    if (what < 0xa0) return ask();
    if (what < 0xb8) return mint();
    if (what < 0xd8) return clock_.pass(input_, core_.deadline()), step(Elapsed{});
    if (what < 0xf0) return work();
    if (what < 0xf4) return step(Received{input_.bit() ? client() : Address{.door = Door::broker}, invent_any(input_, known_), payload(), {}});
    if (what < 0xf8) return step(Gone{input_.bit() ? Door::direct : Door::broker, client().peer});
    if (what < 0xfa) return step(Garbled{input_.bit() ? client() : Address{.door = Door::broker}, {.code = Code::bad_message, .reason = "r"}, {}});
    if (what < 0xfb) return step(workers::Move{});
    if (what < 0xfc) return step(workers::Progressed{input_.number(8)});
    if (what < 0xfd) return step(workers::Quiesce{});
    if (what < 0xfe) return resize({input_.below(4), 1 + input_.below(3)});
    step(workers::Stop{input_.bit()});
  }

  // Mostly what a broker says that knows this worker; the rest is a lie.
  Message from_broker() {
    Message message = invent_one_of<Registered, Heard, Assign, Assign, Release, Renew, Sync, Probe, Drain, Refused, Left>(input_, known_);
    if (auto* registered = std::get_if<Registered>(&message)) {
      if (registered->worker != "w3") registered->worker = settings_.name;
      registered->key = seal_of(registered->lease);
      registered->attempt %= 16;
    }
    if (auto* assign = std::get_if<Assign>(&message)) {
      for (Assignment& row : assign->sessions) assigned_.insert(row.session);
    }
    known_.note(message);
    return message;
  }

  static Bytes seal_of(std::uint64_t lease) { return ticket_key({std::string(32, 'm')}, lease); }

  void ask() {
    const Address from = client();
    const PublicKey key = key_of_peer(from.peer);
    step(Received{from, invent_one_of<Open, Call, Call, Call, Abandon, Release, Renew, Hello>(input_, known_), payload(), key});
  }

  // Some come by connections that prove a key.
  static PublicKey key_of_peer(std::uint64_t peer) {
    PublicKey key;
    if (peer > 1) key.bytes[0] = static_cast<std::uint8_t>(peer);
    return key;
  }

  // A ticket as the broker would seal it, for anybody and any time.
  void mint() {
    Ticket ticket{.epoch = 1, .session = known_.number(input_, "session", 1, limits::number)};
    ticket.lease = known_.number(input_, "lease", 1, limits::number);
    ticket.holder = holder_of("c" + std::to_string(1 + input_.below(3)));
    ticket.service = service_of("s" + std::to_string(1 + input_.below(3)));
    ticket.issued_ms = invent_time(input_, 0, limits::number, false);
    ticket.ttl_ms = invent_time(input_, 0, limits::day_ms, false);
    ticket.term_ms = invent_time(input_, 0, limits::day_ms, false);
    ticket.key = key_of_peer(1 + input_.below(3));
    const Bytes sealed = seal(ticket, seal_of(ticket.lease));
    minted_[sealed.data] = ticket;
    known_.note_bytes("ticket", sealed);
    known_.note_number("session", ticket.session);
  }

  // The program, mostly about a call that it really works on.
  void work() {
    std::uint64_t session = known_.number(input_, "session", 1, limits::number);
    std::uint64_t number = 1;
    if (!running_.empty()) {
      auto at = running_.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(input_.below(running_.size())));
      std::tie(session, number) = *at;
    }
    const std::uint8_t how = input_.byte();
    if ((how & 3) == 0) return step(workers::Answered{session, number, payload(), true});
    const auto call = running_.find(session);
    if (call != running_.end() && call->second == number) running_.erase(call);
    if ((how & 3) == 1) {
      return step(workers::FailedCall{session, number, Code::failed, invent_text(input_, "reason", 0, 2000), how, std::string(how * 64U, 'd')});
    }
    step(workers::Answered{session, number, payload(), false});
  }

  void resize(const workers::Resize& event) {
    if (event.slots > 0) settings_.slots = event.slots;
    step(event);
  }

  Address client() {
    const std::uint64_t peer = 1 + input_.below(3);
    return {Door::direct, peer == 3 ? Codec::json : Codec::msgpack, peer, {}};
  }

  Payload payload() {
    const std::size_t frames = input_.below(4);
    return Payload(frames, Frame("p"));
  }

  void step(workers::Event event) {
    const bool alone = std::holds_alternative<Elapsed>(event);
    const std::size_t before = core_.sessions();
    shown_ = ticket_in(event);
    if (const auto* received = std::get_if<Received>(&event)) shown_by_ = received->key;
    tell(clock_.now(), "", event);
    workers::Actions actions;
    core_.step(clock_.now(), std::move(event), actions);
    for (const workers::Action& action : actions) tell(clock_.now(), "    ", action);
    core_.check();
    // Each session's calls may end, with the session; an assignment may begin a few; the rest is about the lease.
    MUST(actions.size() <= 80 + (before + core_.sessions()) * (calls_max + 8));
    for (const workers::Action& action : actions) {
      MUST(!done_);
      std::visit([this](const auto& a) { said(a); }, action);
    }
    MUST(done_ == core_.done());
    if (!done_) clock_.stepped(core_.deadline(), alone);
  }

  static Bytes ticket_in(const workers::Event& event) {
    const auto* received = std::get_if<Received>(&event);
    if (!received) return {};
    if (const auto* open = std::get_if<Open>(&received->message)) return open->ticket;
    if (const auto* call = std::get_if<Call>(&received->message)) return call->ticket;
    return {};
  }

  void said(const Send& send) {
    MUST(send.to.door == Door::broker || (send.to.door == Door::direct && send.to.peer >= 1 && send.to.peer <= 3));
    travels(send);
    known_.note(send.message);
  }
  void said(const workers::Enrolled& a) { MUST(a.lease != 0); }
  void said(const workers::Denied&) {}
  void said(const workers::Reconnect&) {}
  void said(const workers::Departed&) {}
  void said(const workers::Done&) { done_ = true; }
  void said(const workers::SessionBegan& a) {
    if (settings_.direct == Direct::pointsman || !assigned_.contains(a.session)) {
      const auto minted = minted_.find(shown_.data);
      MUST(minted != minted_.end() && minted->second.session == a.session);
      MUST(minted->second.key == shown_by_ && minted->second.holder == holder_of(a.client));
    }
    MUST(open_.insert(a.session).second);
    if (settings_.direct == Direct::pointsman) MUST(open_.size() <= settings_.slots);
  }
  void said(const workers::SessionOver& a) {
    MUST(open_.erase(a.session) == 1);
    MUST(!running_.contains(a.session));
  }
  void said(const workers::Serve& a) {
    MUST(open_.contains(a.session));
    MUST(running_.emplace(a.session, a.number).second);
  }
  void said(const workers::Abandoned& a) {
    const auto call = running_.find(a.session);
    MUST(call != running_.end() && call->second == a.number);
  }

  // Told to stop it stops, whether anybody answers or not.
  void settle() {
    if (!core_.done()) step(workers::Stop{true});
    for (int turns = 0; !core_.done(); ++turns) {
      MUST(turns < 100 && core_.deadline() != never);
      clock_.to(core_.deadline());
      step(Elapsed{});
    }
  }

  Input& input_;
  Clock clock_;
  Known known_;
  workers::WorkerSettings settings_;
  workers::WorkerCore core_;
  std::map<std::string, Ticket> minted_;           // by their sealed form
  std::set<std::uint64_t> assigned_;
  std::set<std::uint64_t> open_;
  std::map<std::uint64_t, std::uint64_t> running_;          // session, call
  Bytes shown_;        // the ticket of the current step, and the key of who shows it
  PublicKey shown_by_;
  bool done_ = false;
};

}  // namespace

void run_worker(std::string_view bytes) {
  Input input(bytes);
  WorkerGame(input).play();
}

std::vector<std::string> worker_seeds() { return random_seeds(201, 400); }

}  // namespace pointsman::fuzz
