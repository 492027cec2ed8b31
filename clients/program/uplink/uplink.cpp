// One thread, one transport for all registrations: a driver each, of which a bounded number exist.
#include "clients/program/uplink/uplink.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <list>
#include <memory>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <variant>

#include "clients/program/output.hpp"
#include "clients/program/uplink/below.hpp"
#include "clients/program/uplink/core/registrations.hpp"
#include "protocol/names.hpp"
#include "protocol/notice.hpp"
#include "protocol/signals.hpp"
#include "protocol/system.hpp"
#include "workers/driver.hpp"

namespace pointsman::uplink {

namespace {

using program::Exit;
using program::Problem;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

// One registration with one broker above.
struct Member {
  std::string name;
  std::unique_ptr<workers::Driver> driver;
  bool enrolled = false;
  bool leaving = false;
};

// One broker above.
struct Above {
  std::string sources;
  std::string instance;  // of its own: should two lead to one broker, the second is refused there
  Registrations registrations;
  std::list<Member> members;
  std::string told;  // the last trouble with it
};

class Uplink {
 public:
  explicit Uplink(const UplinkOptions& options)
      : options_(options),
        below_(
            transport_, options.below, options.endpoint, options.every,
            [this](const Census& census) { seen(census); }, [this](const Error& error) { lost(error); }) {
    for (const std::string& sources : options.above) {
      above_.push_back(
          {.sources = sources, .instance = random_name(), .registrations = Registrations(options.name)});
    }
    transport_.watch(signals_.descriptor(), [this] {
      while (signals_.next()) stop();
    });
    if (options.patience > Duration{0}) patient_until_ = now() + options.patience;
  }
  ~Uplink() { transport_.unwatch(signals_.descriptor()); }
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;

  std::optional<Problem> run() {
    while (!over()) {
      transport_.turn(due(), [this](Incoming&& incoming) { take(std::move(incoming)); });
      if (!stopping_) below_.tend();
      for (Above& above : above_) tend(above);
      if (problem_ && !stopping_) stop();
      if (stopping_) continue;
      if (!ready_) look_whether_ready();
      notice_.tick(now());
    }
    return problem_;
  }

 private:
  bool over() const {
    return hurried_ || (stopping_ && std::all_of(above_.begin(), above_.end(),
                                                 [](const Above& above) { return above.members.empty(); }));
  }

  Instant due() const {
    Instant first = std::min(patient_until_, notice_.due());
    if (!stopping_) first = std::min(first, below_.deadline());
    for (const Above& above : above_) {
      for (const Member& member : above.members) first = std::min(first, member.driver->deadline());
    }
    return first;
  }

  // All that comes is of one driver's connection.
  void take(Incoming&& incoming) {
    const std::uint64_t peer = peer_of(incoming);
    const auto known = by_peer_.find(peer);
    if (known != by_peer_.end() && known->second->driver->peer() == peer) {
      return known->second->driver->take(std::move(incoming));
    }
    for (Above& above : above_) {
      for (Member& member : above.members) {
        if (member.driver->peer() != peer) continue;
        forget(member);  // the connection that it had before
        by_peer_[peer] = &member;
        return member.driver->take(std::move(incoming));
      }
    }
  }

  void forget(const Member& member) {
    std::erase_if(by_peer_, [&](const auto& known) { return known.second == &member; });
  }

  void tend(Above& above) {
    for (auto at = above.members.begin(); at != above.members.end();) {
      Member& member = *at;
      member.driver->tend();
      const auto& done = member.driver->done();
      if (!done) {
        ++at;
        continue;
      }
      if (member.leaving)
        above.registrations.left(member.name);
      else
        ended(above, member, *done);
      forget(member);
      at = above.members.erase(at);
    }
  }

  // Without having been told to.
  void ended(Above& above, const Member& member, const workers::Done& done) {
    above.registrations.sent_away(member.name);
    if (done.code == Code::none) return say(above.sources + " told " + member.name + " to leave");
    fail({.exit = done.code == Code::unreachable ? Exit::unreachable : Exit::refused,
          .code = std::string(word(done.code)),
          .message = above.sources + " refuses " + member.name + ": " + done.reason,
          .remedy = done.remedy});
  }

  void seen(const Census& census) {
    if (stopping_) return;
    if (std::exchange(is_lost_, false)) say("the broker below answers again");
    trouble_below_.clear();
    seen_ = true;
    for (Above& above : above_) {
      apply(above, census);
      if (const std::size_t more = above.registrations.left_out(); more > left_out_) {
        say("the workers below are too many, or of too many kinds, for " + std::to_string(limits::registrations_above) +
            " registrations: " + std::to_string(more) +
            " are left out; leave out attributes that only one has, have workers offer the same services, or "
            "have more brokers");
        left_out_ = more;
      }
    }
  }

  void lost(const Error& error) {
    if (stopping_) return;
    trouble_below_ = error.what();
    if (!std::exchange(is_lost_, true)) {
      say("the broker below does not answer: " + trouble_below_ +
          (seen_ ? "; nobody is sent there meanwhile" : ""));
    }
    for (Above& above : above_) apply(above, Census());
  }

  void apply(Above& above, const Census& census) {
    const auto passes = [&](const std::string& name) {
      return member(above, name)->driver->core().sessions();
    };
    for (Step& step : above.registrations.look(census, passes)) {
      std::visit([&](auto& what) { act(above, what); }, step);
    }
  }

  void act(Above& above, Join& join) {
    Member& member = above.members.emplace_back(Member{.name = join.name, .driver = {}});
    const std::string what = joined(join.of.services) + ", slots " + std::to_string(join.slots);
    workers::Handlers handlers;
    handlers.serve = [](workers::Serve&&) {};  // nobody comes here
    handlers.abandoned = [](const workers::Abandoned&) {};
    handlers.enrolled = [this, &above, &member, what](const workers::Enrolled&) {
      above.told.clear();
      if (!std::exchange(member.enrolled, true))
        say(member.name + " is registered with " + above.sources + ": " + what);
    };
    handlers.denied = [this, &above](const workers::Denied& why) { denied(above, why); };
    handlers.heard = [this, &above](const Received& received) {
      const auto* registered = std::get_if<Registered>(&received.message);
      if (registered && registered->epoch == below_.epoch()) above_itself(above);
    };
    workers::WorkerSettings settings{.name = join.name,
                                     .instance = above.instance,
                                     .offers = {},
                                     .slots = join.slots,
                                     .endpoint = options_.endpoint,
                                     .direct = Direct::broker,
                                     .key = options_.key,
                                     .attributes = join.of.attributes,
                                     .accepts = join.of.accepts,
                                     .workers = options_.workers,
                                     .seed = random_number()};
    for (const std::string& service : join.of.services)
      settings.offers.push_back({.service = service, .weight = join.weight});
    try {
      member.driver =
          std::make_unique<workers::Driver>(transport_, std::move(settings), above.sources,
                                            std::move(handlers), options_.trace, options_.credentials, mute_);
    } catch (const std::runtime_error& error) {  // it cannot be connected to, now; the next look tries again
      denied(above, {.code = Code::unreachable, .reason = error.what(), .remedy = {}});
      above.members.pop_back();
      above.registrations.left(join.name);
    }
  }

  void act(Above& above, const Change& change) {
    member(above, change.name)->driver->tell(workers::Resize{.slots = change.slots, .weight = change.weight});
  }

  void act(Above& above, const Leave& leave) {
    Member& one = *member(above, leave.name);
    one.leaving = true;
    one.driver->tell(workers::Stop{});
    say(leave.name + " leaves " + above.sources + ": the broker below has no such workers any more");
  }

  // The one that stands under this name; there is one for every name that the registrations say.
  static Member* member(Above& above, const std::string& name) {
    const auto found = std::find_if(above.members.begin(), above.members.end(),
                                    [&](const Member& one) { return !one.leaving && one.name == name; });
    MUST(found != above.members.end());
    return &*found;
  }

  void denied(Above& above, const workers::Denied& why) {
    std::string text =
        (why.code == Code::unreachable ? " cannot be reached: "
                                       : " refuses the registration: " + std::string(word(why.code)) + ": ") +
        why.reason + (why.remedy.empty() ? "" : " (" + why.remedy + ")");
    if (std::exchange(above.told, text) != text) say(above.sources + text);
  }

  void above_itself(const Above& above) {
    fail(program::usage("the broker at " + above.sources + " is the one at " + options_.below.broker,
                        "--above names the workers' listener of another broker than --broker does"));
  }

  // Why it has to stop, which it does when what came has been taken.
  void fail(Problem problem) {
    if (!problem_) problem_ = std::move(problem);
  }

  // Clients of passes lose nothing by it: what they have below does not end with them. The second time at once.
  void stop() {
    hurried_ = stopping_;
    if (std::exchange(stopping_, true)) return;
    patient_until_ = never;
    notice_.stopping();
    for (Above& above : above_) {
      for (Member& member : above.members) {
        member.leaving = true;
        member.driver->tell(workers::Stop{.now = true});
      }
    }
  }

  void look_whether_ready() {
    const auto stands = [](const Above& above) {
      return above.told.empty() && std::all_of(above.members.begin(), above.members.end(),
                                               [](const Member& member) { return member.enrolled; });
    };
    if (seen_ && std::all_of(above_.begin(), above_.end(), stands)) return become_ready();
    if (patient_until_ > now()) return;
    const auto silent = std::find_if_not(above_.begin(), above_.end(), stands);
    fail({.exit = Exit::unreachable,
          .code = "unreachable",
          .message = !seen_ ? "the broker below, " + options_.below.broker + ", has not answered" +
                                  (trouble_below_.empty() ? "" : ": " + trouble_below_)
                            : silent->sources + (silent->told.empty() ? " has not answered" : silent->told),
          .remedy = !seen_
                        ? "start it, or name its listener for clients with --broker"
                        : "start a broker there, or name another one's listener for workers with --above"});
  }

  void become_ready() {
    ready_ = true;
    patient_until_ = never;
    notice_.ready("registered as " + options_.name);
    if (options_.quiet) return;
    std::printf("ready uplink=%s endpoint=%s\n", options_.name.c_str(), options_.endpoint.c_str());
    std::fflush(stdout);
  }

  void say(const std::string& text) const {
    if (options_.quiet) return;
    program::write_err((options_.trace ? "# " : std::string(program_name) + " uplink: ") + text + "\n");
  }

  const UplinkOptions& options_;
  Notice& notice_ = Notice::of_process();
  Notice mute_;  // for the registrations, which come and go: they are not the process
  Signals signals_{SIGTERM, SIGINT};
  Transport transport_;
  std::list<Above> above_;  // before what tells them
  std::unordered_map<std::uint64_t, Member*> by_peer_;  // the connections that something came by, one a member
  Below below_;
  bool seen_ = false;     // the broker below has answered
  bool is_lost_ = false;  // and does not any more
  std::string trouble_below_;
  std::size_t left_out_ = 0;  // registrations, as was said
  bool ready_ = false;
  bool stopping_ = false;
  bool hurried_ = false;
  Instant patient_until_ = never;
  std::optional<Problem> problem_;
};

}  // namespace

std::optional<Problem> run_uplink(const UplinkOptions& options) {
  Notice::keep_to_ourselves();  // from here on a Notice of one's own has nobody to tell
  return Uplink(options).run();
}

}  // namespace pointsman::uplink
