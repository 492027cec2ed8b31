// Fuzzes the client core: any broker, any workers, and a program that asks, calls and lets go as it likes.

#include "clients/core/client.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "test/fuzz/invented.hpp"
#include "test/fuzz/list.hpp"
#include "test/fuzz/machine.hpp"
#include "test/fuzz/targets.hpp"

namespace pointsman::fuzz {

namespace {

constexpr std::size_t sessions_max = 4;
constexpr std::size_t calls_max = 4;

clients::ClientSettings settings_of(Input& input) {
  clients::ClientSettings settings{.name = "c1"};
  settings.seed = input.byte();
  if (settings.seed % 2 == 1) settings.overflow = std::chrono::seconds(1);
  settings.sessions_max = sessions_max;
  settings.calls_max = calls_max;
  settings.window = 2;
  settings.payload_max = 64;
  settings.asks_max = 3;
  settings.farewells_max = 4;
  settings.links_max = 2;
  settings.renewals_max = 3;
  settings.pulses = 2;
  return settings;
}

class ClientGame {
 public:
  explicit ClientGame(Input& input) : input_(input), core_(settings_of(input)) {}

  void play() {
    while (!input_.empty()) turn();
    settle();
  }

 private:
  struct Handle {
    bool acquired = false;
    std::set<std::uint64_t> calls;
  };

  void turn() {
    const std::uint8_t what = input_.byte();
    if (what < 0x28) return acquire();
    if (what < 0x70) return step(Received{{.door = Door::broker, .peer = broker(what)}, from_broker(), {}, {}});
    if (what < 0xa0) return step(Received{{.door = Door::direct, .peer = link()}, from_worker(), payload(), {}});
    if (what < 0xc0) return clock_.pass(input_, core_.deadline()), step(Elapsed{});
    if (what < 0xd8) return invoke();
    if (what < 0xdc) return step(clients::AbandonCall{handle(), 1 + input_.below(16)});
    if (what < 0xe0) return step(clients::RenewSession{handle(), any_time()});
    if (what < 0xe8) return step(clients::ReleaseSession{handle()});
    if (what < 0xea) return step(clients::CancelAcquire{handle()});
    if (what < 0xf0) return ask();
    if (what < 0xf8) return gone();
    if (what < 0xfc) return step(Received{{.door = input_.bit() ? Door::broker : Door::direct, .peer = link()}, invent_any(input_, known_), payload(), {}});
    if (what < 0xfe) return step(Garbled{{.door = Door::broker}, {.code = Code::bad_message, .reason = "r"}, {}});
    step(clients::Close{});
  }

  void acquire() {
    clients::Acquire event{.handle = ++last_handle_, .id = "q" + std::to_string(last_handle_)};
    event.service = invent_text(input_, "service", 1, limits::name);
    event.wait = any_time();
    const std::uint8_t kind = input_.byte();
    event.reassign = kind & 3;
    event.apart = (kind & 12) == 12;
    event.absent = (kind & 16) != 0;
    event.priority = kind % 10;
    if ((kind & 32) != 0) event.term = any_time();
    handles_[event.handle];
    step(std::move(event));
  }

  void invoke() {
    const std::uint64_t of = handle();
    clients::Invoke event{.handle = of, .number = ++last_call_[of], .payload = payload()};
    event.limit = any_time();
    const auto found = handles_.find(of);
    if (found != handles_.end()) found->second.calls.insert(event.number);
    else stray_ = {of, event.number};
    step(std::move(event));
    MUST(!stray_);
  }

  void ask() {
    clients::Ask event{.token = ++last_token_};
    event.question = invent_one_of<List, Explain, Drain, Configure, Watch, Status, Hello>(input_, known_);
    asked_.insert(event.token);
    step(std::move(event));
  }

  void gone() {
    if (input_.bit()) return step(Gone{Door::broker, broker(input_.byte())});
    const std::uint64_t which = link();
    links_.erase(which);  // who hears of a loss has no connection any more
    step(Gone{Door::direct, which});
  }

  // Mostly about a request that was made, in the words of a broker.
  Message from_broker() {
    Message message = invent_one_of<Granted, Granted, Granted, Refused, Queued, Lost, Renewed, Released, Cancelled, Listing,
                                    Explained, Drained, Configured, Watching, Happened, Stats, Welcome>(input_, known_);
    const std::uint8_t which = input_.byte();
    std::visit(
        [&](auto& m) {
          if constexpr (requires { m.id; }) {
            if (!requests_.empty() && which < 0xf0) m.id = requests_[requests_.size() - 1 - which % requests_.size()];
          }
        },
        message);
    known_.note(message);
    return message;
  }

  Message from_worker() {
    return invent_one_of<Opened, Reply, Reply, Reply, Failed, Refused, Released, Renewed>(input_, known_);
  }

  // A program may say what it likes.
  Milliseconds any_time() {
    const std::uint8_t how = input_.byte();
    if (how == 0xff) return Milliseconds::max();
    if (how == 0xfe) return Milliseconds::min();
    return invent_time(input_, 0, limits::year_ms, true);
  }

  std::uint64_t handle() {
    const std::uint8_t which = input_.byte();
    if (handles_.empty() || which >= 0xf0) return 1 + which % 8;
    auto at = handles_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(which % handles_.size()));
    return at->first;
  }

  std::uint64_t link() {
    const std::uint8_t which = input_.byte();
    if (links_.empty() || which >= 0xf8) return 1 + which % 8;
    auto at = links_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(which % links_.size()));
    return *at;
  }

  // The one that there is, or one that a pass leads to.
  std::uint64_t broker(std::uint8_t which) const {
    return below_.empty() || which % 4 != 3 ? 0 : *std::next(below_.begin(), which % static_cast<std::ptrdiff_t>(below_.size()));
  }

  Payload payload() {
    const std::size_t choice = input_.byte();
    return Payload(choice == 0xff ? limits::payload_frames + 1 : choice % 3, Frame(std::string(choice & 0x3f, 'p')));
  }

  void step(clients::Event event) {
    const bool alone = std::holds_alternative<Elapsed>(event);
    tell(clock_.now(), "", event);
    clients::Actions actions;
    core_.step(clock_.now(), std::move(event), actions);
    for (const clients::Action& action : actions) tell(clock_.now(), "    ", action);
    core_.check();
    MUST(actions.size() <= 60 + (sessions_max + 1) * (calls_max + 1) * 6);
    for (const clients::Action& action : actions) std::visit([this](const auto& a) { said(a); }, action);
    clock_.stepped(core_.deadline(), alone);
  }

  void said(const Send& send) {
    MUST(send.to.door != Door::broker || send.to.peer < limits::brokers || below_.contains(send.to.peer));
    MUST(send.to.door == Door::broker || (send.to.door == Door::direct && links_.contains(send.to.peer)));
    travels(send);
    known_.note(send.message);
    if (const auto* request = std::get_if<Request>(&send.message)) {
      if (requests_.empty() || requests_.back() != request->id) requests_.push_back(request->id);
      if (requests_.size() > 8) requests_.pop_front();
    }
  }
  void said(const clients::Connect& a) {
    MUST(a.link > last_link_);
    last_link_ = a.link;
    links_.insert(a.link);
  }
  void said(const clients::Disconnect& a) { links_.erase(a.link); }
  void said(const clients::Reconnect& a) { MUST(a.broker < limits::brokers || below_.contains(a.broker)); }
  void said(const clients::ReachBroker& a) { MUST(a.broker > limits::brokers && below_.insert(a.broker).second); }
  void said(const clients::LeaveBroker& a) { MUST(below_.erase(a.broker) == 1); }
  void said(const clients::Waiting& a) { MUST(handles_.contains(a.handle)); }
  void said(const clients::Acquired& a) {
    Handle& handle = handles_.at(a.handle);
    MUST(handle.acquired == (a.reassigned > 0));
    handle.acquired = true;
  }
  void said(const clients::NotAcquired& a) {
    const auto found = handles_.find(a.handle);
    MUST(found != handles_.end() && !found->second.acquired && found->second.calls.empty());
    handles_.erase(found);
  }
  void said(const clients::SessionEnded& a) {
    const auto found = handles_.find(a.handle);
    MUST(found != handles_.end() && found->second.acquired && found->second.calls.empty());
    handles_.erase(found);
  }
  void said(const clients::Part& a) {
    const auto found = handles_.find(a.handle);
    MUST(found != handles_.end() && found->second.calls.contains(a.number));
    if (!a.more) found->second.calls.erase(a.number);
  }
  void said(const clients::CallFailed& a) {
    if (stray_ == std::pair{a.handle, a.number}) return stray_.reset();
    const auto found = handles_.find(a.handle);
    MUST(found != handles_.end() && found->second.calls.erase(a.number) == 1);
  }
  void said(const clients::Answer& a) { MUST(asked_.erase(a.token) == 1); }
  void said(const clients::News&) {}

  // Told to close it ends everything at once, and comes to rest, whether anybody answers or not.
  void settle() {
    step(clients::Close{});
    MUST(handles_.empty() && asked_.empty());
    for (int turns = 0; core_.deadline() != never; ++turns) {
      MUST(turns < 500);
      clock_.to(core_.deadline());
      step(Elapsed{});
    }
    MUST(core_.idle() && core_.links() == 0 && links_.empty());
  }

  Input& input_;
  Clock clock_;
  Known known_;
  clients::ClientCore core_;
  std::map<std::uint64_t, Handle> handles_;                 // that have not ended
  std::map<std::uint64_t, std::uint64_t> last_call_;        // by handle
  std::optional<std::pair<std::uint64_t, std::uint64_t>> stray_;  // a call of a session that has ended
  std::set<std::uint64_t> asked_;
  std::set<std::uint64_t> below_;                           // brokers that passes lead to
  std::set<std::uint64_t> links_;                           // that are connected
  std::deque<std::string> requests_;                        // newest ids
  std::uint64_t last_handle_ = 0;
  std::uint64_t last_token_ = 0;
  std::uint64_t last_link_ = 0;
};

}  // namespace

void run_client(std::string_view bytes) {
  Input input(bytes);
  ClientGame(input).play();
}

std::vector<std::string> client_seeds() { return random_seeds(202, 400); }

}  // namespace pointsman::fuzz
