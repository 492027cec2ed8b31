// The client core: what comes in goes to where it belongs; alarms, and the check of all indexes.
#include "clients/core/client.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "protocol/must.hpp"

namespace pointsman::clients {

namespace {
constexpr std::size_t id_max = 48;  // leaves room for the suffix of its successors
}

ClientCore::ClientCore(ClientSettings settings)
    : settings_(std::move(settings)),
      brokers_(settings_),
      below_(settings_, brokers_),
      links_(settings_),
      linked_(settings_),
      asks_(settings_, brokers_),
      farewells_(settings_, brokers_, links_) {
  MUST(!settings_.name.empty() && settings_.name.size() <= limits::name);
  MUST(settings_.window > 0 && settings_.pulses > 0);
}

void ClientCore::step(Instant now, Event event, Actions& out) {
  now_ = std::max(now_, now);
  out_ = &out;
  std::visit([this](auto& e) { on(std::move(e)); }, event);
  ring();
  out_ = nullptr;
}

Instant ClientCore::deadline() const {
  return std::min({alarms_.first(), asks_.deadline(), farewells_.deadline(), links_.deadline(), below_.deadline()});
}

bool ClientCore::idle() const {
  return sessions_.empty() && asks_.size() == 0 && farewells_.size() == 0;
}

SessionState* ClientCore::find(std::uint64_t handle) {
  const auto found = sessions_.find(handle);
  return found == sessions_.end() ? nullptr : &found->second;
}

// The session in hand that a broker gave this number.
std::optional<std::uint64_t> ClientCore::granted_by(std::uint64_t broker, std::uint64_t session) const {
  const auto [begin, end] = by_session_.equal_range(session);
  const auto found =
      std::find_if(begin, end, [&](const auto& entry) { return sessions_.at(entry.second).broker == broker; });
  return found == end ? std::nullopt : std::optional(found->second);
}

// The one of this number at the worker behind a link.
std::optional<std::uint64_t> ClientCore::served_on(std::uint64_t link, std::uint64_t session) const {
  const auto [begin, end] = by_session_.equal_range(session);
  const auto found =
      std::find_if(begin, end, [&](const auto& entry) { return sessions_.at(entry.second).link == link; });
  return found == end ? std::nullopt : std::optional(found->second);
}

void ClientCore::on(Received event) {
  if (event.from.door == Door::direct) {
    return receive_direct(event.from.peer, std::move(event.message), std::move(event.payload));
  }
  const std::uint64_t broker = event.from.peer;
  if (!brokers_.known(broker)) return;  // one below that was left
  brokers_.at(broker).heard();
  if (auto* happened = std::get_if<Happened>(&event.message)) {
    out_->emplace_back(News{std::move(*happened)});
    return;
  }
  if (receive_broker(broker, event.message)) return;
  if (asks_.receive(now_, event.message, *out_)) return;
  if (farewells_.receive(now_, broker, event.message, *out_)) return;
  // A grant for nobody: its request was given up, and the broker has not heard of that yet.
  const auto* stray = std::get_if<Granted>(&event.message);
  if (stray != nullptr && !granted_by(broker, stray->session) && !by_pass_.contains({broker, stray->session})) {
    farewells_.release(now_, broker, stray->session, 0, *out_);
  }
}

// The walk over all sessions is worth it: a connection is lost less often than anything else happens.
void ClientCore::on(Gone event) {
  if (event.door == Door::direct) return relink(event.peer);
  if (!brokers_.known(event.peer)) return;
  brokers_.at(event.peer).lost(now_, *out_);
  if (brokers_.is_home(event.peer)) brokers_.leave_home(now_);
  std::vector<std::uint64_t> below;
  for (auto& [handle, session] : sessions_) {
    if (session.stage != Stage::asking || session.broker != event.peer) continue;
    if (!session.passes.empty()) {
      below.push_back(handle);
      continue;
    }
    if (turn(session)) {
      farewells_.cancel(now_, event.peer, session.id, *out_);  // its line keeps the place for a while
      send_request(session);
      arm(handle, session);
      continue;
    }
    // Who comes back may be another broker, in whose line nobody waits: repeated until it answers.
    session.queued.reset();
    session.sent = 0;
    session.ask_due = std::min(session.ask_due, now_ + brokers_.jitter(session.broker, settings_.repeat));
    arm(handle, session);
  }
  for (const std::uint64_t handle : below) {
    leave_silent(handle, sessions_.at(handle), "the connection to the broker below was lost");
  }
}

void ClientCore::on(Acquire event) {
  MUST(!event.id.empty() && event.id.size() <= id_max);
  MUST(!sessions_.contains(event.handle));
  const std::uint64_t handle = event.handle;
  if (sessions_.size() >= settings_.sessions_max) {
    Refused refused{.about = std::string(Request::op), .code = Code::limit_reached, .id = event.id};
    refused.reason = "this client has too many sessions at a time (sessions_max)";
    refused.remedy = "release some first";
    out_->emplace_back(NotAcquired{handle, std::move(refused)});
    return;
  }
  event.wait = within_a_day(event.wait);
  event.term = within_a_day(event.term);
  SessionState& session = sessions_[handle];
  session.wait_until = now_ + event.wait;
  session.asked = std::move(event);
  request(handle, session);
}

void ClientCore::on(CancelAcquire event) {
  on(ReleaseSession{event.handle});
}

void ClientCore::on(ReleaseSession event) {
  SessionState* session = find(event.handle);
  if (session == nullptr) return;  // it ended by itself, which its user may not have heard yet
  if (session->stage == Stage::holding) {
    farewells_.release(now_, session->broker, session->granted.session,
                       session->shown > 0 ? session->link : 0, *out_);
  } else if (session->stage == Stage::asking) {
    if (session->broker != nobody) farewells_.cancel(now_, session->broker, session->id, *out_);
  }
  if (session->grants > 0) return end(event.handle, Ending::released, Code::none, "released by its client");
  Refused refused{.about = std::string(Request::op), .code = Code::cancelled, .id = session->id};
  refused.reason = "cancelled by its client";
  not_acquired(event.handle, std::move(refused));
}

void ClientCore::on(RenewSession event) {
  SessionState* session = find(event.handle);
  if (session == nullptr) return;
  if (event.term.count() > 0) session->asked.term = within_a_day(event.term);
  if (session->stage != Stage::holding) return;
  if (session->link != 0 && session->show && session->missed < settings_.pulses) pulse(*session);  // opens it
  Renew renew{.session = session->granted.session, .client = settings_.name, .term_ms = session->asked.term};
  if (session->link != 0) {
    send_direct(*session, std::move(renew));
  } else {
    brokers_.send(now_, session->broker, std::move(renew), false, *out_);
  }
  arm(event.handle, *session);
}

void ClientCore::on(Ask event) {
  asks_.ask(now_, std::move(event), *out_);
}

// Who waited for one to be there asks now.
void ClientCore::on(BrokersAre event) {
  brokers_.set(std::move(event.numbers), std::move(event.names));
  asks_.found(now_, *out_);
  for (auto& [handle, session] : sessions_) {
    if (session.stage != Stage::asking || session.broker != nobody || !turn(session)) continue;
    send_request(session);
    arm(handle, session);
  }
}

void ClientCore::on(Barred event) {
  if (!brokers_.known(event.broker)) return;
  brokers_.at(event.broker).barred();
  std::vector<std::uint64_t> handles;
  for (auto& [handle, session] : sessions_) {
    if (session.stage == Stage::holding || session.broker != event.broker) continue;
    if (session.stage == Stage::asking && turn(session)) {
      send_request(session);
      arm(handle, session);
    } else {
      handles.push_back(handle);
    }
  }
  for (const std::uint64_t handle : handles) {
    SessionState& session = sessions_.at(handle);
    if (!session.passes.empty()) {
      leave_silent(handle, session, event.reason);
      continue;
    }
    if (back_in_line(handle, session)) continue;
    Refused refused{.about = std::string(Request::op), .code = Code::unreachable, .id = sessions_.at(handle).id};
    refused.reason = event.reason;
    refused.remedy = event.remedy;
    not_acquired(handle, std::move(refused));
  }
  if (!brokers_.is_home(event.broker)) return;
  brokers_.leave_home(now_);
  if (brokers_.is_home(event.broker)) asks_.fail(Code::unreachable, event.reason, event.remedy, *out_);
}

void ClientCore::on(Close) {
  std::vector<std::uint64_t> handles;
  for (const auto& [handle, session] : sessions_) handles.push_back(handle);
  for (const std::uint64_t handle : handles) on(ReleaseSession{handle});
  asks_.fail(Code::cancelled, "this client was closed", {}, *out_);
}

void ClientCore::ring() {
  asks_.tend(now_, *out_);
  farewells_.tend(now_, *out_);
  while (const auto key = alarms_.take(now_)) {
    if (key->call != 0) {
      tend_call(key->handle, key->call);
    } else {
      SessionState& session = sessions_.at(key->handle);
      session.due = never;
      tend(key->handle, session);
    }
  }
  links_.tend(now_, *out_);
  below_.tend(now_, *out_);
}

void ClientCore::tend(std::uint64_t handle, SessionState& session) {
  tend_passes(session);
  if (session.stage == Stage::holding) {
    tend_session(handle, session);
  } else {
    tend_request(handle, session);
  }
}

// An alarm that rings too early finds nothing to do and is set again; so moments that move away with every
// message cost nothing.
void ClientCore::arm(std::uint64_t handle, SessionState& session) {
  Instant due = session.pulse_due;
  if (session.stage != Stage::holding) {
    due = std::min({session.ask_due, session.overflow_due, give_up(session)});
  } else if (session.link == 0) {
    due = std::min(due, session.term_until);
  } else if (session.stalled_until > now_) {
    due = std::min(due, session.stalled_until);
  }
  due = std::min(due, passes_due(session));
  if (due >= session.due) return;
  session.due = due;
  alarms_.set({handle, 0}, due);
}

void ClientCore::check() const {
  below_.check();
  links_.check();
  linked_.check();
  asks_.check();
  farewells_.check();
  MUST(sessions_.size() <= settings_.sessions_max);
  std::size_t held = 0;
  std::size_t passes = 0;
  std::size_t passes_held = 0;
  std::size_t calls = 0;
  std::size_t bytes = 0;
  for (const auto& [handle, session] : sessions_) {
    MUST(by_id_.at(session.id) == handle);
    MUST(session.due != never && alarms_.of({handle, 0}) == session.due);
    if (session.stage == Stage::holding) {
      ++held;
      MUST(granted_by(session.broker, session.granted.session) == handle);
      const auto holders = session.link == 0 ? std::vector<Holder>{} : links_.holders(session.link);
      MUST(session.link == 0 ||
           std::count(holders.begin(), holders.end(), Holder{Holder::Kind::session, handle}) == 1);
      MUST(session.missed <= settings_.pulses || session.link == 0);
      MUST(session.in_flight() <= settings_.window);
    } else {
      MUST(session.link == 0 && session.in_flight() == 0);
    }
    MUST(session.passes.size() < limits::tiers && session.passed_over.size() <= limits::exclude);
    MUST(session.passes.empty() || session.passes.back().below == session.broker);
    passes += session.passes.size();
    for (const Pass& pass : session.passes) {
      if (pass.session == 0) continue;
      ++passes_held;
      MUST(by_pass_.at({pass.broker, pass.session}) == handle);
    }
    MUST(session.calls.size() <= settings_.calls_max);
    calls += session.calls.size();
    for (const auto& [number, call] : session.calls) {
      MUST(call.sent != session.unsent.contains(number));
      MUST(alarms_.of({handle, number}) == call.limit);
      bytes += bytes_of(call.payload);
    }
  }
  MUST(bytes == payload_ && bytes <= settings_.payload_max);
  MUST(by_id_.size() == sessions_.size());
  MUST(by_session_.size() == held);
  MUST(by_pass_.size() == passes_held && below_.users() == passes);
  MUST(alarms_.size() == sessions_.size() + calls);
}

}  // namespace pointsman::clients
