// Explaining: why a request, a worker, a session or a service is as it is, and what would have to change.
#include <algorithm>

#include "broker/core/broker.hpp"

namespace pointsman::broker {

namespace {

Milliseconds in_ms(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration); }

// Candidates that an explanation names one by one.
constexpr std::size_t candidates_max = 100;

std::string plural(std::uint64_t count, std::string_view thing) {
  return std::to_string(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

bool excludes(std::span<const std::string> exclude, const Text& worker) {
  return std::find(exclude.begin(), exclude.end(), worker.view()) != exclude.end();
}

}  // namespace

std::string Broker::why_not(const Worker& worker) const {
  if (worker.silent) return "its lease ran out without a heartbeat";
  if (worker.unanswered) return "a client could not reach it, and it did not answer since";
  if (worker.hung) return "it holds sessions but shows no progress";
  if (worker.draining)
    return worker.mode == DrainMode::leave ? "it is draining and will leave" : "it is draining";
  if (worker.probing) return "a client could not reach it; it is asked for a sign of life";
  if (worker.used >= worker.slots) return "all of its " + plural(worker.slots, "slot") + " are in use";
  return "";
}

// Says so if a worker and a request do not suit each other.
bool Broker::mismatch(const Worker& worker, const Demand& demand, CandidateRow& row) {
  const Profile& profile = *worker.profile;
  if (demand.when && !demand.when->holds(profile.attributes)) {
    row.why = "it does not match: " + demand.when->why_not(profile.attributes);
    row.remedy = "ask for something else, or start a worker that matches";
  } else if (profile.accepts && !profile.accepts->holds(demand.attributes)) {
    row.why = "it does not accept the client: " + profile.accepts->why_not(demand.attributes);
    row.remedy = "ask with such attributes, or start a worker that accepts any";
  } else {
    return false;
  }
  return true;
}

// As it is for a request that waits, or for any.
CandidateRow Broker::candidate(const Seat& seat, const Asked* asked) const {
  const Worker& worker = *seat.worker;
  CandidateRow row{.worker = worker.name, .why = why_not(worker)};
  if (asked && excludes(asked->exclude(), worker.name)) {
    row.why = "the request excludes it";
    row.remedy = "ask without exclude";
  } else if (asked && mismatch(worker, *asked->demand, row)) {
    return row;
  } else if (worker.suspect() || worker.probing) {
    row.remedy = "see to the worker; any message of it brings it back";
  } else if (worker.draining) {
    row.remedy = "pointsman drain --resume " + worker.name.str();
  } else if (worker.used >= worker.slots) {
    row.remedy = "wait for a session to end, or start more workers";
  } else if (seat.used >= seat.room) {
    row.why = seat.room < seat.slots ? "slow start: " + plural(seat.room, "slot") + " of " +
                                           std::to_string(seat.slots) + " so far, all in use"
                                     : "its " + plural(seat.room, "slot") + " for this service are in use";
    row.remedy = "wait for a session to end";
  }
  row.free = row.why.empty();
  if (row.free)
    row.why = std::to_string(seat.room - seat.used) + " of " + plural(seat.room, "slot") + " free";
  return row;
}

void Broker::candidates(const Service& service, const Asked* asked, Explained& out) const {
  for (const Seat* seat : service.seats) {
    if (out.candidates.size() == candidates_max) break;
    out.candidates.push_back(candidate(*seat, asked));
  }
  out.more = service.seats.size() - out.candidates.size();
}

void Broker::on(const Address& from, const Explain& message) {
  Explained out;
  const auto unknown = [&](Code code, const std::string& what) {
    refuse(from, Explain::op, code, what, "see: pointsman ls",
           {.id = message.id, .session = message.session});
  };
  if (!message.id.empty()) {
    const Asked* found = explained_request(message);
    if (!found) {
      return unknown(Code::unknown_request, "no request \"" + message.id + "\" of client \"" +
                                                message.client + "\" waits, is granted, or ended lately");
    }
    explain_request(*found, out);
  } else if (message.session != 0) {
    const Session* found = find_session(message.session);
    const auto mine = [&](const Session& one) {
      return one.client->owner == principal_ || one.worker()->owner == principal_;
    };
    if (!found || (scope_ != Scope::all && !mine(*found))) {
      return unknown(Code::unknown_session,
                     "session " + std::to_string(message.session) + " is over or not known");
    }
    const Session& session = *found;
    out.subject = "session " + std::to_string(session.id);
    out.verdict = std::string(session.open ? "open" : "reserved, nobody has come yet") + " at " +
                  session.worker()->name.str() + " for client \"" + session.client->name.str() +
                  "\", granted " + std::to_string(in_ms(now_ - session.granted).count()) + " ms ago";
    if (session.asked) out.because.push_back(reasoning_of(*session.asked));
  } else if (!message.worker.empty()) {
    const auto found = workers_by_name_.find(message.worker);
    if (found == workers_by_name_.end() || (scope_ != Scope::all && found->second->owner != principal_)) {
      return unknown(Code::unknown_worker, "no worker \"" + message.worker + "\" is registered");
    }
    explain_worker(*found->second, out);
  } else if (!message.service.empty()) {
    const Service* service = find_service(message.service);
    if (!service || !sees(*service))
      return unknown(Code::unknown_service, "nobody offers \"" + message.service + "\"");
    explain_service(*service, out);
  } else {
    return refuse(from, Explain::op, Code::bad_message, "explain what? Give id, session, worker or service",
                  {});
  }
  send(from, std::move(out));
}

// One of the key's own; for an admin, one of anybody's: the keys are asked in turn.
const Asked* Broker::explained_request(const Explain& message) const {
  if (const Asked* own = find_request(*principal_, message.client, message.id)) return own;
  if (scope_ != Scope::all || !keys_) return nullptr;
  for (const Allowance& one : keys_->list()) {
    const auto who = principals_.find(one.key);
    if (who == principals_.end()) continue;
    if (const Asked* found = find_request(*who->second, message.client, message.id)) return found;
  }
  return nullptr;
}

// How the worker of a request was chosen.
std::string Broker::reasoning_of(const Asked& asked) {
  if (asked.adopted) return "its worker held it before this broker knew";
  return std::string(word(asked.policy)) + " chose it among " + std::to_string(asked.candidates) +
         " with a free slot" + (asked.conditional ? " that matched" : "") +
         (asked.linked ? "; its client was connected to it, and none was better" : "");
}

void Broker::explain_request(const Asked& asked, Explained& out) const {
  out.subject = "request " + asked.id.str() + " for " + asked.service_name.str();
  switch (asked.stage) {
    case Asked::Stage::waiting: {
      const std::uint64_t at = position(asked);
      Demand& demand = *asked.demand;
      const Service& service = asked.service();
      out.verdict = "waiting for " + std::to_string(in_ms(now_ - asked.arrived).count()) + " ms, position " +
                    std::to_string(at) + " of " + std::to_string(rivals(service, demand)) +
                    ", times out in " + std::to_string(in_ms(asked.until - now_).count()) + " ms";
      if (demand.matches == 0 && service.matching.classes() > 0) {
        out.because.push_back("no worker matches: " + service.matching.why_none(demand));
        out.remedy = "ask for something else, or start a worker that matches";
      } else if (demand.matches < service.matching.classes()) {
        std::uint64_t workers = 0;
        service.matching.each_class(
            [&](const Class& one) { workers += demand.matching.contains(one.index) ? one.seats : 0; });
        out.because.push_back(std::to_string(workers) + " of " + plural(service.seats.size(), "worker") +
                              " match, with " + plural(slots_for(service, demand), "slot") +
                              " of those that are available");
      }
      explain_service(service, out);
      if (out.remedy.empty())
        out.remedy = "wait for a session to end at a worker that matches, or start more of them";
      out.candidates.clear();
      candidates(service, &asked, out);
      return;
    }
    case Asked::Stage::granted:
      out.verdict = "granted " + asked.session->worker()->name.str() + " as session " +
                    std::to_string(asked.session_id) + " after " + std::to_string(asked.waited.count()) +
                    " ms";
      out.because.push_back(reasoning_of(asked));
      return;
    case Asked::Stage::ended:
      out.verdict = "over: " + std::string(word(asked.ending));
      if (asked.adopted || asked.candidates > 0) out.because.push_back(reasoning_of(asked));
      out.remedy = "ask with a new id";
      return;
  }
}

void Broker::explain_worker(const Worker& worker, Explained& out) const {
  out.subject = "worker " + worker.name.str();
  const std::string why = why_not(worker);
  out.verdict = why.empty() ? "takes sessions: " + std::to_string(worker.slots - worker.used) + " of " +
                                  plural(worker.slots, "slot") + " free"
                            : "gets no sessions now: " + why;
  for (const Seat& seat : worker.seats) {
    const CandidateRow row = candidate(seat, nullptr);
    out.because.push_back(seat.service->name + ": " + row.why);
    if (out.remedy.empty()) out.remedy = row.remedy;
  }
  const Profile& profile = *worker.profile;
  if (!profile.attributes.empty()) out.because.push_back("its attributes: " + shown(profile.attributes));
  if (profile.accepts)
    out.because.push_back("it accepts clients of which this is true: " + profile.accepts->text());
}

void Broker::explain_service(const Service& service, Explained& out) const {
  if (out.subject.empty()) out.subject = "service " + service.name;
  const bool waits = service.chooser.size() == 0;
  if (out.verdict.empty()) {
    out.verdict = waits ? "a request would wait behind " + std::to_string(service.waiting) + " others"
                        : "a request would be granted at once: " + plural(service.chooser.size(), "worker") +
                              " with a free slot";
  }
  out.because.push_back(plural(service.seats.size(), "worker") + ", " + std::to_string(service.used) +
                        " sessions on " + plural(service.slots, "slot") + " of those that are available");
  if (service.matching.classes() > 1) {
    out.because.push_back("its workers have " + std::to_string(service.matching.classes()) +
                          " different sets of attributes and conditions on clients");
  }
  if (waits && out.remedy.empty()) {
    out.remedy = service.seats.empty()
                     ? "start a worker: pointsman worker --service " + service.name + " -- COMMAND"
                 : service.slots == 0 ? "bring a worker back, or start one"
                                      : "wait for a session to end, or start more workers";
  }
  candidates(service, nullptr, out);
}

}  // namespace pointsman::broker
