// Going down and up the tiers: a pass leads to the broker below, which is asked; when it is no use, the one above is
// asked for another.

#include <algorithm>
#include <utility>

#include "clients/core/client.hpp"
#include "protocol/must.hpp"

namespace pointsman::clients {

void ClientCore::follow(std::uint64_t handle, SessionState& session, const Granted& message) {
  const bool circle = std::any_of(session.passes.begin(), session.passes.end(),
                                  [&](const Pass& pass) { return pass.endpoint == message.endpoint; });
  if (circle || session.passes.size() + 1 == limits::tiers) {
    farewells_.release(now_, session.broker, message.session, 0, *out_);
    Refused refused{.about = std::string(Request::op), .code = Code::loop, .id = session.id};
    refused.reason = circle ? "brokers lead in a circle, by way of " + message.endpoint
                            : "brokers lead through more than " + std::to_string(limits::tiers) + " tiers";
    refused.remedy = "see with `pointsman ls workers` at each who is registered above whom";
    return not_acquired(handle, std::move(refused));
  }
  Pass pass{.broker = session.broker, .session = message.session, .worker = message.worker, .endpoint = message.endpoint};
  pass.term = message.term_ms.count() > 0 ? Duration(message.term_ms) : usual_term;
  pass.renew_due = now_ + pass.term / 3;
  pass.below = below_.take(message.endpoint, message.key, now_, *out_);
  by_pass_.emplace(std::pair(pass.broker, pass.session), handle);
  session.passes.push_back(std::move(pass));
  go_to(session, session.passes.back().below);
  send_request(session);
  arm(handle, session);
}

// The broker below is no use, as it says or by its silence.
void ClientCore::back_up(std::uint64_t handle, SessionState& session, Refused why) {
  Pass pass = std::move(session.passes.back());
  session.passes.pop_back();
  session.broker = pass.broker;
  if (pass.session != 0) {
    by_pass_.erase({pass.broker, pass.session});
    session.failed = pass.session;
    session.failed_at = pass.broker;
  }
  below_.give(pass.below, now_, *out_);
  if (session.passed_over.size() == limits::exclude) session.passed_over.erase(session.passed_over.begin());
  session.passed_over.emplace_back(pass.broker, std::move(pass.worker));
  if (renew_request(handle, session)) return;
  if (pass.session != 0) farewells_.release(now_, pass.broker, pass.session, 0, *out_);
  not_acquired(handle, std::move(why));
}

// It does not answer: whatever it may still say is taken back.
void ClientCore::leave_silent(std::uint64_t handle, SessionState& session, std::string reason) {
  farewells_.cancel(now_, session.broker, session.id, *out_);
  Refused refused{.about = std::string(Request::op), .code = Code::unreachable, .id = session.id};
  refused.reason = std::move(reason);
  refused.remedy = "check that the broker at " + session.passes.back().endpoint + " runs";
  back_up(handle, session, std::move(refused));
}

void ClientCore::tend_passes(SessionState& session) {
  for (Pass& pass : session.passes) {
    if (pass.session == 0 || now_ < pass.renew_due) continue;
    if (session.asked.term.count() > 0) pass.term = session.asked.term;
    pass.renew_due = now_ + pass.term / 3;
    brokers_.send(now_, pass.broker,
                  Renew{.session = pass.session, .client = settings_.name, .term_ms = session.asked.term}, false, *out_);
  }
}

Instant ClientCore::passes_due(const SessionState& session) {
  Instant due = never;
  for (const Pass& pass : session.passes) {
    if (pass.session != 0) due = std::min(due, pass.renew_due);
  }
  return due;
}

// The session is over, or nobody wants it any more.
void ClientCore::give_passes_back(SessionState& session) {
  for (const Pass& pass : session.passes) {
    if (pass.session != 0) {
      by_pass_.erase({pass.broker, pass.session});
      farewells_.release(now_, pass.broker, pass.session, 0, *out_);
    }
    below_.give(pass.below, now_, *out_);
  }
  session.passes.clear();
}

// What a broker says of a pass that it gave; false if it is none. One that is over above changes nothing below.
bool ClientCore::receive_pass(std::uint64_t broker, const Message& message) {
  std::uint64_t number = 0;
  bool over = true;
  if (const auto* renewed = std::get_if<Renewed>(&message)) {
    number = renewed->session;
    over = false;
  } else if (const auto* lost = std::get_if<Lost>(&message)) {
    number = lost->session;
  } else if (const auto* refused = std::get_if<Refused>(&message); refused != nullptr && refused->about == Renew::op) {
    number = refused->session;
    over = refused->code == Code::unknown_session || refused->code == Code::not_yours;
  }
  const auto found = by_pass_.find({broker, number});
  if (found == by_pass_.end()) return false;
  if (!over) return true;
  for (Pass& pass : sessions_.at(found->second).passes) {
    if (pass.broker == broker && pass.session == number) pass.session = 0;
  }
  by_pass_.erase(found);
  return true;
}

}  // namespace pointsman::clients
