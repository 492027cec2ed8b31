// One pass a rule: each is a small machine over the merged history.
#include "test/faults/checker.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <sstream>

namespace pointsman::faults {
namespace {

using Time = std::int64_t;
constexpr Time end_of_time = std::numeric_limits<Time>::max();
constexpr Time lag = 500'000;  // of the watch, and of clients, behind what they tell

// A time in which something was not as it should be.
struct Span {
  Time from = 0;
  Time to = end_of_time;
};

// What the ground said of the run as a whole.
struct Run {
  explicit Run(const History& history);

  // How long a party stood still within the span.
  Time stood_still(const std::string& who, Time from, Time to) const;
  // Whether a fault had touched one of these at `at`, or shortly before.
  bool touched(const std::set<std::string>& ones, Time at, Time after) const;
  bool killed(const std::string& who, Time from) const;

  Time lease = 10'000'000;
  Time margin = 3'000'000;     // an outcome may come this much after the wait
  Time listening = 1'000'000;  // from a start to listening
  std::map<std::string, std::vector<Span>> faults;  // by party or link
  std::map<std::string, std::vector<Span>> stops;
  std::map<std::string, std::vector<Time>> kills;
  Time end = 0;
};

void open_span(std::map<std::string, std::vector<Span>>& spans, const Entry& entry) {
  for (const auto& one : entry.list("of")) spans[one].push_back({.from = entry.at});
}

void close_span(std::map<std::string, std::vector<Span>>& spans, const Entry& entry) {
  for (const auto& one : entry.list("of")) {
    for (Span& span : spans[one]) span.to = std::min(span.to, entry.at);
  }
}

Run::Run(const History& history) {
  for (const Entry& entry : history) {
    end = entry.at;
    if (entry.what == "terms") {
      lease = static_cast<Time>(entry.number("lease_ms")) * 1000;
      if (entry.number("margin_ms") > 0) margin = static_cast<Time>(entry.number("margin_ms")) * 1000;
      if (entry.number("listening_ms") > 0) listening = static_cast<Time>(entry.number("listening_ms")) * 1000;
    }
    if (entry.what == "fault") open_span(faults, entry);
    if (entry.what == "healed") close_span(faults, entry);
    if (entry.what == "killed") {
      for (const auto& one : entry.list("of")) {
        kills[one].push_back(entry.at);
        faults[one].push_back({entry.at, entry.at});
      }
    }
    if (entry.what == "stopped") open_span(stops, entry), open_span(faults, entry);
    if (entry.what == "continued") close_span(stops, entry), close_span(faults, entry);
  }
}

Time Run::stood_still(const std::string& who, Time from, Time to) const {
  Time sum = 0;
  if (const auto found = stops.find(who); found != stops.end()) {
    for (const Span& span : found->second) sum += std::max<Time>(0, std::min(to, span.to) - std::max(from, span.from));
  }
  return sum;
}

bool Run::touched(const std::set<std::string>& ones, Time at, Time after) const {
  return std::any_of(ones.begin(), ones.end(), [&](const std::string& one) {
    const auto found = faults.find(one);
    return found != faults.end() && std::any_of(found->second.begin(), found->second.end(), [&](const Span& span) {
      return span.from <= at + lag && (span.to == end_of_time || at <= span.to + after);
    });
  });
}

bool Run::killed(const std::string& who, Time from) const {
  const auto found = kills.find(who);
  return found != kills.end() &&
         std::any_of(found->second.begin(), found->second.end(), [&](Time at) { return at >= from; });
}

// Where violations go.
class Blame {
 public:
  explicit Blame(Verdict& verdict) : verdict_(verdict) {}
  void operator()(const std::string& rule, const Entry& entry, const std::string& what) {
    constexpr std::size_t most = 200;
    if (verdict_.violations.size() < most) {
      verdict_.violations.push_back({rule, std::to_string(entry.at) + " " + entry.who + ": " + what});
    }
  }

 private:
  Verdict& verdict_;
};

// R1: outcomes.
void check_requests(const History& history, const Run& run, Verdict& verdict, Blame& blame) {
  struct Ask {
    Entry entry;
    int outcomes = 0;
  };
  std::map<std::pair<std::string, std::uint64_t>, Ask> asks;
  for (const Entry& entry : history) {
    const std::pair key{entry.who, entry.number("ask")};
    const std::string name = "request " + std::to_string(key.second);
    if (entry.what == "asked") {
      ++verdict.tally.asked;
      if (asks.contains(key)) blame("R1", entry, name + " was asked twice");
      asks[key].entry = entry;
    }
    if (entry.what != "granted" && entry.what != "refused") continue;
    ++(entry.what == "granted" ? verdict.tally.granted : verdict.tally.refused);
    const auto found = asks.find(key);
    if (found == asks.end()) {
      blame("R1", entry, name + " was " + entry.what + " but never asked");
      continue;
    }
    if (++found->second.outcomes > 1) blame("R1", entry, name + " has a second outcome: " + entry.what);
    const Time asked = found->second.entry.at;
    const Time deadline = asked + static_cast<Time>(found->second.entry.number("wait_ms")) * 1000 + run.margin +
                          run.stood_still(entry.who, asked, entry.at);
    if (entry.at > deadline) {
      blame("R1", entry, name + " ended " + std::to_string((entry.at - deadline) / 1000) + " ms after its deadline");
    }
  }
  for (const auto& [key, ask] : asks) {
    if (ask.outcomes > 0) continue;
    if (run.killed(key.first, ask.entry.at)) {
      ++verdict.tally.excused;
      continue;
    }
    ++verdict.tally.lost;
    blame("R1", ask.entry, "request " + std::to_string(key.second) + " never ended");
  }
}

// R1 and R3: whose session it is.
void check_sessions(const History& history, Verdict& verdict, Blame& blame) {
  struct Grant {
    std::set<std::string> workers, clients, ids;
  };
  std::map<std::uint64_t, Grant> grants;
  bool watched = false, gaps = false;
  for (const Entry& entry : history) {
    const std::uint64_t session = entry.number("session");
    if (entry.what == "granted") {
      grants[session].workers.insert(entry.text("worker"));
      grants[session].clients.insert(entry.who);
      grants[session].ids.insert(entry.text("id"));
    }
    if (entry.what == "gap") gaps = true;
    if (entry.what != "watch") continue;
    watched = true;
    if (entry.text("kind") != "granted") continue;
    grants[session].workers.insert(entry.text("worker"));
    grants[session].clients.insert(entry.text("client"));
    grants[session].ids.insert(entry.text("id"));
  }
  struct Opening {
    std::string worker, client;
  };
  std::map<std::uint64_t, Opening> openings;
  std::map<std::pair<std::string, std::string>, std::uint64_t> served_ids;  // client and id -> session
  std::set<std::tuple<std::uint64_t, std::uint64_t>> calls;
  for (const Entry& entry : history) {
    const std::uint64_t session = entry.number("session");
    const std::string name = "session " + std::to_string(session);
    if (entry.what == "served") {
      ++verdict.tally.served;
      if (!calls.insert({session, entry.number("number")}).second) {
        blame("R3", entry, name + ": call " + entry.text("number") + " is served twice");
      }
      if (!openings.contains(session)) blame("R3", entry, name + " is served but was not opened");
    }
    if (entry.what != "opened") continue;
    ++verdict.tally.opened;
    const std::string client = entry.text("client");
    const auto [known, first] = openings.try_emplace(session, Opening{entry.who, client});
    if (!first) {
      ++verdict.tally.opened_twice;
      blame("R3", entry, name + " is opened again, by " + client + "; before by " + known->second.client + " at " +
                             known->second.worker);
    }
    const auto grant = grants.find(session);
    if (grant == grants.end()) {
      if (watched && !gaps) blame("R3", entry, name + " is opened, but was never granted");
      continue;
    }
    if (!grant->second.workers.contains(entry.who)) blame("R3", entry, name + " was granted at another worker");
    if (!grant->second.clients.contains(client)) blame("R3", entry, name + " was granted to another client than " + client);
    for (const std::string& id : grant->second.ids) {
      const auto [other, fresh] = served_ids.try_emplace({client, id}, session);
      if (!fresh && other->second != session) {
        blame("R1", entry, "request " + id + " is served twice: by sessions " + std::to_string(other->second) + " and " +
                               std::to_string(session));
      }
    }
  }
}

// R3: slots. R5: what a worker may do under its lease.
void check_workers(const History& history, const Run& run, Verdict& verdict, Blame& blame) {
  struct Worker {
    std::uint64_t slots = 0;
    std::set<std::uint64_t> open;
    Time term = 0;                        // 0: no lease
    std::map<std::uint64_t, Time> asked;  // registrations by attempt: when sent
    Time until = 0;                       // what the broker has confirmed
    std::map<std::uint64_t, Time> beats;  // when sent
    std::vector<std::pair<Time, Time>> confirmed;  // when, until when
  };
  std::map<std::string, Worker> workers;
  for (const Entry& entry : history) {
    if (entry.what == "started") {
      workers[entry.who] = {.slots = entry.number("slots")};
      continue;
    }
    const auto found = workers.find(entry.who);
    if (entry.what == "watch") {
      const auto of = workers.find(entry.text("worker"));
      const std::string detail = entry.text("detail");
      if (of == workers.end() || detail.find("lease_ran_out") == std::string::npos) continue;
      ++verdict.tally.leases_ended;
      // Only what the worker had in hand well before the watch told of it: that word has a way of its own.
      for (const auto& [when, until] : of->second.confirmed) {
        if (when + lag <= entry.at && entry.at < until) {
          blame("R5", entry, entry.text("worker") + " is " + entry.text("kind") + " " +
                                 std::to_string((until - entry.at) / 1000) + " ms before its lease ends");
          break;
        }
      }
      continue;
    }
    if (found == workers.end()) continue;
    Worker& worker = found->second;
    const std::uint64_t session = entry.number("session");
    if (entry.what == "enrolling") worker.asked[entry.number("attempt")] = entry.at;
    if (entry.what == "enrolled") {
      worker.term = static_cast<Time>(entry.number("term_ms")) * 1000;
      // Of a lease that was asked for nobody knows when only the renewal counts.
      const auto asked = worker.asked.find(entry.number("attempt"));
      worker.until = asked == worker.asked.end() ? 0 : asked->second + worker.term;
      worker.beats.clear();
      worker.confirmed.emplace_back(entry.at, worker.until);
    }
    if (entry.what == "beat") worker.beats[entry.number("beat")] = entry.at;
    if (entry.what == "heard") {
      const auto beat = worker.beats.find(entry.number("beat"));
      if (beat != worker.beats.end()) {
        worker.until = beat->second + worker.term;
        worker.confirmed.emplace_back(entry.at, worker.until);
        worker.beats.erase(worker.beats.begin(), std::next(beat));
      }
    }
    if (entry.what == "opened") {
      // A worker that stood still between looking at its lease and writing this down is not to blame.
      if (worker.term > 0 && entry.at >= worker.until + run.stood_still(entry.who, worker.until, entry.at) + lag / 10) {
        blame("R5", entry, "opens session " + std::to_string(session) + " " +
                               std::to_string((entry.at - worker.until) / 1000) + " ms after its lease");
      }
      worker.open.insert(session);
      if (worker.open.size() > worker.slots) {
        blame("R3", entry, "holds " + std::to_string(worker.open.size()) + " sessions with " +
                               std::to_string(worker.slots) + " slots");
      }
    }
    if (entry.what == "closed") worker.open.erase(session);
  }
}

// R2 and R6, from the broker's own account of itself, as far as the watch saw it without a gap.
void check_grants(const History& history, Verdict& verdict, Blame& blame) {
  std::map<std::string, std::uint64_t> slots;
  std::map<std::uint64_t, std::uint64_t> priority_of;  // not known: only plain requests are compared
  std::set<std::string> outside;                       // not in standing
  std::map<std::string, std::set<std::uint64_t>> used;
  std::map<std::uint64_t, std::string> at;
  std::map<std::string, std::uint64_t> queued;        // client and id -> event
  std::map<std::string, std::uint64_t> last_granted;  // by service: event of queueing of the youngest that was granted
  std::set<std::string> ranked;                       // clients that use priorities
  for (const Entry& entry : history) {
    if (entry.what == "started") slots[entry.who] = entry.number("slots");
    if (entry.what == "asked" && entry.number("priority") > 0) ranked.insert(entry.who);
    if (entry.what == "gap") {
      outside.clear();
      used.clear();
      at.clear();
      queued.clear();
      last_granted.clear();
    }
    if (entry.what != "watch") continue;
    const std::string kind = entry.text("kind"), worker = entry.text("worker"), client = entry.text("client");
    const std::uint64_t session = entry.number("session"), number = entry.number("number");
    const std::string request = client + "/" + entry.text("id");
    if (kind == "registered" || kind == "restored" || kind == "resumed") outside.erase(worker);
    if (kind == "suspected" || kind == "expired" || kind == "left" || kind == "draining") outside.insert(worker);
    if (kind == "queued") queued[request] = number;
    if (kind == "refused") queued.erase(request);
    if (kind == "opened" && at.try_emplace(session, worker).second) used[worker].insert(session);
    if (kind == "closed") {
      used[at.contains(session) ? at[session] : worker].erase(session);
      at.erase(session);
    }
    if (kind != "granted") continue;
    ++verdict.tally.grants_seen;
    const std::string name = "session " + std::to_string(session);
    if (outside.contains(worker)) blame("R2", entry, name + " is granted at " + worker + ", which is not in standing");
    if (slots.contains(worker) && used[worker].size() >= slots[worker]) {
      blame("R2", entry, name + " is granted at " + worker + ", whose " + std::to_string(slots[worker]) +
                             " slots are taken");
    }
    used[worker].insert(session);
    at[session] = worker;
    const auto waited = queued.find(request);
    if (waited == queued.end() || ranked.contains(client)) continue;
    std::uint64_t& youngest = last_granted[entry.text("service")];
    if (waited->second < youngest) {
      blame("R6", entry, "request " + entry.text("id") + " came at event " + std::to_string(waited->second) +
                             " and is granted after one that came at " + std::to_string(youngest));
    }
    youngest = std::max(youngest, waited->second);
    queued.erase(waited);
  }
}

// R4: listings that were taken in a calm.
void check_counts(const History& history, const Run& run, Verdict& verdict, Blame& blame) {
  struct Held {
    std::string worker;
    Span open;
  };
  std::map<std::uint64_t, Held> sessions;
  for (const Entry& entry : history) {
    const std::uint64_t session = entry.number("session");
    if (entry.what == "opened") sessions[session] = {entry.who, {.from = entry.at}};
    if (entry.what == "closed" && sessions.contains(session)) sessions[session].open.to = entry.at;
    if (entry.what == "started") {  // another instance: what the one before held is gone
      for (auto& [number, held] : sessions) {
        if (held.worker == entry.who && held.open.to == end_of_time) held.open.to = held.open.from;
      }
    }
  }
  std::optional<Time> calm;
  const Time two_renewals = 2 * run.lease / 3;
  for (const Entry& entry : history) {
    if (entry.what == "calm") calm = entry.at;
    if (entry.what == "fault" || entry.what == "killed" || entry.what == "stopped") calm.reset();
    if (entry.what != "listed" || !calm || entry.at < *calm + two_renewals) continue;
    ++verdict.tally.compared;
    const std::string worker = entry.text("worker");
    std::set<std::uint64_t> listed;
    for (const auto& one : entry.list("open")) listed.insert(std::stoull(one));
    for (const auto& [number, held] : sessions) {
      if (held.worker != worker) continue;
      const std::string name = "session " + std::to_string(number);
      if (held.open.from < entry.at - two_renewals && held.open.to > entry.at && !listed.contains(number)) {
        blame("R4", entry, name + " is open at " + worker + " but not listed");
      }
      if (held.open.to < entry.at - two_renewals && listed.contains(number)) {
        blame("R4", entry, name + " is over at " + worker + " but listed");
      }
    }
    for (const std::uint64_t number : listed) {
      const auto found = sessions.find(number);
      if (found == sessions.end()) blame("R4", entry, "session " + std::to_string(number) + " is listed but nobody opened it");
      else if (found->second.worker != worker) blame("R4", entry, "session " + std::to_string(number) + " is listed at another worker");
    }
  }
}

// R8 and R9.
void check_broker(const History& history, const Run& run, Verdict& verdict, Blame& blame) {
  std::map<std::string, Time> starting;
  std::map<std::uint64_t, std::string> worker_of;
  std::set<std::uint64_t> broken;
  for (const Entry& entry : history) {
    if (entry.what == "granted") worker_of[entry.number("session")] = entry.text("worker");
    if (entry.what == "answered") ++verdict.tally.answered;
    if (entry.what == "answered" && entry.number("wrong") > 0) {
      blame("R9", entry, "session " + entry.text("session") + " gives an answer to another call");
    }
    if (entry.what == "fault" || entry.what == "killed" || entry.what == "stopped") ++verdict.tally.faults;
    if (entry.what == "rss" && entry.number("bytes") > entry.number("bound")) {
      blame("R8", entry, entry.text("of") + " holds " + entry.text("bytes") + " bytes; its bound is " + entry.text("bound"));
    }
    if (entry.what == "starting") starting[entry.text("of")] = entry.at;
    if (entry.what == "ready" && starting.contains(entry.text("of"))) {
      const Time took = entry.at - starting[entry.text("of")];
      if (took > run.listening) {
        blame("R9", entry, entry.text("of") + " listens only " + std::to_string(took / 1000) + " ms after its start");
      }
    }
    if (entry.what != "failed") continue;
    ++verdict.tally.failed;
    const std::string worker = worker_of[entry.number("session")];
    // A client needs its time to give a worker up, and a worker to let a dead client go.
    const Time after = run.lease + run.margin;
    const std::set<std::string> links{entry.who, worker, entry.who + "-" + worker, worker + "-" + entry.who};
    if (run.touched(links, entry.at, after) || broken.contains(entry.number("session"))) continue;
    broken.insert(entry.number("session"));
    ++verdict.tally.broken;
    blame("R9", entry, "session " + entry.text("session") + " at " + worker + " breaks (" + entry.text("code") +
                           ") without a fault to either end");
  }
}

}  // namespace

bool Verdict::broke(const std::string& rule) const {
  return std::any_of(violations.begin(), violations.end(), [&](const Violation& v) { return v.rule == rule; });
}

Verdict check(const History& history) {
  Verdict verdict;
  Blame blame(verdict);
  const Run run(history);
  check_requests(history, run, verdict, blame);
  check_sessions(history, verdict, blame);
  check_workers(history, run, verdict, blame);
  check_grants(history, verdict, blame);
  check_counts(history, run, verdict, blame);
  check_broker(history, run, verdict, blame);
  return verdict;
}

std::string text(const Tally& tally) {
  std::ostringstream out;
  out << "asked=" << tally.asked << " granted=" << tally.granted << " refused=" << tally.refused
      << " excused=" << tally.excused << " lost=" << tally.lost << " opened=" << tally.opened
      << " opened_twice=" << tally.opened_twice << " served=" << tally.served << " answered=" << tally.answered
      << " failed=" << tally.failed << " broken=" << tally.broken << " grants_seen=" << tally.grants_seen
      << " leases_ended=" << tally.leases_ended << " compared=" << tally.compared << " faults=" << tally.faults;
  return out.str();
}

}  // namespace pointsman::faults
