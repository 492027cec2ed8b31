// Fuzzes the supervisor core: processes that start, lie, hang and die as they like, any broker, and people who ask.

#include "broker/supervisor/core/supervisor.hpp"

#include <csignal>
#include <map>

#include "test/fuzz/invented.hpp"
#include "test/fuzz/list.hpp"
#include "test/fuzz/machine.hpp"
#include "test/fuzz/targets.hpp"

namespace pointsman::fuzz {

namespace {

using std::chrono::seconds;

supervisor::Options options_of(Input& input) {
  const std::uint8_t kind = input.byte();
  supervisor::Options options;
  options.seed = kind;
  options.groups = {{.name = "zip", .kind = ProcessKind::worker, .service = "s1", .min = kind % 3U, .max = 3},
                    {.name = "png", .kind = ProcessKind::worker, .service = "s2", .watchdog = Duration{0}},
                    {.name = "other", .notifies = false}};
  if ((kind & 4) != 0) options.groups.push_back({.name = "broker", .kind = ProcessKind::broker});
  options.obituaries_max = 4;
  options.healthy = seconds(5);
  return options;
}

class SupervisorGame {
 public:
  explicit SupervisorGame(Input& input) : input_(input), options_(options_of(input)), core_(options_) {
    for (const auto& group : options_.groups) most_ += group.max;
  }

  void play() {
    step(Elapsed{});
    while (!input_.empty() && !core_.done()) turn();
    settle();
  }

 private:
  enum class Life : std::uint8_t { starting, running, doomed };

  void turn() {
    const std::uint8_t what = input_.byte();
    if (what < 0x50) return progress();
    if (what < 0x80) return notice();
    if (what < 0xa0) return clock_.pass(input_, core_.deadline()), step(Elapsed{});
    if (what < 0xc8) return step(Received{{.door = Door::broker}, from_broker(), {}, {}});
    if (what < 0xe8) return step(Received{person(), invent_one_of<Ps, Roll, Roll, Hello>(input_, known_), {}, {}});
    if (what < 0xf0) return step(Received{input_.bit() ? person() : Address{.door = Door::broker}, invent_any(input_, known_), {}, {}});
    if (what < 0xf4) return step(supervisor::Measured{run(), input_.number(6)});
    if (what < 0xf8) return step(Gone{input_.bit() ? Door::broker : Door::supervisor, person().peer});
    if (what < 0xfc) return step(Garbled{person(), {.code = Code::bad_message, .reason = "r"}, {}});
    if (input_.byte() > 0xf0) step(supervisor::Shutdown{});
  }

  Address person() { return {.door = Door::supervisor, .peer = 1 + input_.below(3)}; }

  Message from_broker() {
    Message message = invent_one_of<Listing, Listing, Drained, Refused>(input_, known_);
    if (auto* listing = std::get_if<Listing>(&message); listing && input_.bit()) listing->of = Subject::services;
    return message;
  }

  // One that lives, mostly.
  supervisor::Run run() {
    const std::uint8_t which = input_.byte();
    if (lives_.empty() || which >= 0xf0) return which;
    auto at = lives_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(which % lives_.size()));
    return at->first;
  }

  // What a driver owes: each Start has one beginning, each beginning one end.
  void progress() {
    const supervisor::Run which = run();
    const auto found = lives_.find(which);
    if (found == lives_.end()) return;
    if (found->second == Life::starting && input_.below(8) != 0) {
      found->second = Life::running;
      return step(supervisor::Started{which, 1000 + which});
    }
    const bool starting = found->second == Life::starting;
    lives_.erase(found);
    if (starting) return step(supervisor::StartFailed{which, input_.bit() ? 127 : 125, "it cannot"});
    const std::uint8_t how = input_.byte();
    step(supervisor::Exited{which, (how & 1) != 0 ? how : 0, (how & 2) != 0 ? SIGKILL : 0});
  }

  void notice() {
    const std::uint8_t what = input_.byte();
    supervisor::Noticed event{.run = run(), .ready = (what & 1) != 0, .alive = (what & 2) != 0, .stopping = (what & 12) == 12};
    if ((what & 16) != 0) event.status = invent_text(input_, "reason", 0, limits::text);
    if ((what & 32) != 0) event.worker = invent_text(input_, "worker", 1, limits::name);
    if ((what & 64) != 0) event.instance = invent_text(input_, "instance", 1, limits::name);
    const auto found = lives_.find(event.run);
    if (found != lives_.end() && found->second == Life::starting) return;  // nobody speaks before it runs
    step(std::move(event));
  }

  void step(supervisor::Event event) {
    const bool alone = std::holds_alternative<Elapsed>(event);
    tell(clock_.now(), "", event);
    supervisor::Actions actions;
    core_.step(clock_.now(), std::move(event), actions);
    for (const supervisor::Action& action : actions) tell(clock_.now(), "    ", action);
    core_.check();
    MUST(actions.size() <= 40 + 8 * (lives_.size() + most_));
    for (const supervisor::Action& action : actions) {
      MUST(!done_);
      std::visit([this](const auto& a) { said(a); }, action);
    }
    MUST(done_ == core_.done());
    if (!done_) clock_.stepped(core_.deadline(), alone);
  }

  void said(const Send& send) {
    MUST(send.to.door == Door::broker || send.to.door == Door::supervisor);
    travels(send);
    known_.note(send.message);
  }
  void said(const supervisor::Start& a) {
    MUST(!stopping_ && a.run > last_run_ && a.group < options_.groups.size() && !a.process.empty());
    last_run_ = a.run;
    MUST(lives_.emplace(a.run, Life::starting).second);
    // While a service is rolled there may be twice as many.
    MUST(lives_.size() <= 2 * most_);
  }
  void said(const supervisor::Signal& a) { MUST(lives_.contains(a.run)); }
  void said(const supervisor::KillTree& a) {
    MUST(lives_.contains(a.run));
    lives_.at(a.run) = Life::doomed;
  }
  void said(const supervisor::Reconnect&) {}
  void said(const supervisor::Ready&) {
    MUST(!ready_);
    ready_ = true;
  }
  void said(const supervisor::Say& a) { MUST(!a.text.empty()); }
  void said(const supervisor::Summary& a) { MUST(!a.text.empty()); }
  void said(const supervisor::Done&) {
    MUST(lives_.empty());
    done_ = true;
  }

  // Told to stop it stops, even if only SIGKILL moves anything.
  void settle() {
    for (auto& [which, life] : lives_) {
      if (life != Life::starting) continue;
      life = Life::running;
      starting_.push_back(which);
    }
    for (const supervisor::Run which : starting_) step(supervisor::Started{which, which});
    if (!core_.done()) step(supervisor::Shutdown{});
    stopping_ = true;
    for (int turns = 0; !core_.done(); ++turns) {
      MUST(turns < 300);
      for (auto at = lives_.begin(); at != lives_.end();) {
        if (at->second != Life::doomed) {
          ++at;
          continue;
        }
        const supervisor::Run which = at->first;
        lives_.erase(at);
        step(supervisor::Exited{which, 0, SIGKILL});
        at = lives_.begin();
      }
      if (core_.done()) break;
      MUST(core_.deadline() != never);
      clock_.to(core_.deadline());
      step(Elapsed{});
    }
  }

  Input& input_;
  Clock clock_;
  Known known_;
  supervisor::Options options_;
  supervisor::Supervisor core_;
  std::map<supervisor::Run, Life> lives_;
  std::vector<supervisor::Run> starting_;
  supervisor::Run last_run_ = 0;
  std::size_t most_ = 0;
  bool ready_ = false;
  bool stopping_ = false;
  bool done_ = false;
};

}  // namespace

void run_supervisor(std::string_view bytes) {
  Input input(bytes);
  SupervisorGame(input).play();
}

std::vector<std::string> supervisor_seeds() { return random_seeds(203, 400); }

}  // namespace pointsman::fuzz
