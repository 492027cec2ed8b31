// Farewells: said to the worker first, then to the broker, a few times.
#include "clients/core/farewells.hpp"

#include <utility>

#include "protocol/must.hpp"

namespace pointsman::clients {

void Farewells::release(Instant now, std::uint64_t broker, std::uint64_t session, std::uint64_t link,
                        Actions& out) {
  if (by_session_.contains({broker, session})) return;
  Farewell farewell;
  farewell.broker = broker;
  farewell.session = session;
  farewell.link = link;
  begin(now, std::move(farewell), out);
}

void Farewells::cancel(Instant now, std::uint64_t broker, const std::string& id, Actions& out) {
  if (by_id_.contains({broker, id})) return;
  Farewell farewell;
  farewell.broker = broker;
  farewell.id = id;
  begin(now, std::move(farewell), out);
}

// Beyond the bound nobody is told: terms and waits end by themselves.
void Farewells::begin(Instant now, Farewell farewell, Actions& out) {
  if (farewells_.size() >= settings_.farewells_max) return;
  const std::uint64_t number = ++last_;
  if (farewell.session != 0) by_session_.emplace(std::pair(farewell.broker, farewell.session), number);
  if (!farewell.id.empty()) by_id_.emplace(std::pair(farewell.broker, farewell.id), number);
  if (farewell.link != 0) links_.share(farewell.link, {Holder::Kind::farewell, number});
  say(now, number, farewells_.emplace(number, std::move(farewell)).first->second, out);
}

void Farewells::say(Instant now, std::uint64_t number, Farewell& farewell, Actions& out) {
  if (farewell.said >= tries) return finish(now, number, out);
  if (farewell.said >= tries_direct) leave_link(now, number, farewell, out);
  ++farewell.said;
  if (farewell.link != 0) {
    out.emplace_back(Send{Address{.door = Door::direct, .peer = farewell.link},
                          Release{.session = farewell.session, .client = settings_.name},
                          {}});
  } else if (farewell.session != 0) {
    brokers_.send(now, farewell.broker, Release{.session = farewell.session, .client = settings_.name},
                  farewell.asked++ > 0, out);
  } else {
    brokers_.send(now, farewell.broker, Cancel{.id = farewell.id, .client = settings_.name},
                  farewell.asked++ > 0, out);
  }
  alarms_.set(number, now + brokers_.pause(farewell.broker, farewell.said));
}

void Farewells::leave_link(Instant now, std::uint64_t number, Farewell& farewell, Actions& out) {
  if (farewell.link == 0) return;
  links_.give(std::exchange(farewell.link, 0), {Holder::Kind::farewell, number}, true, now, out);
}

void Farewells::moved(Instant now, std::uint64_t number, std::uint64_t link, Actions& out) {
  Farewell& farewell = farewells_.at(number);
  farewell.link = link;
  leave_link(now, number, farewell, out);
  say(now, number, farewell, out);
}

namespace {

// Of the session that is released, as its worker or broker says; 0: it says something else.
std::uint64_t released_by(const Message& message) {
  if (const auto* released = std::get_if<Released>(&message)) return released->session;
  const auto* refused = std::get_if<Refused>(&message);
  return refused != nullptr && refused->about == Release::op ? refused->session : 0;
}

std::string_view cancelled_by(const Message& message) {
  if (const auto* cancelled = std::get_if<Cancelled>(&message)) return cancelled->id;
  const auto* refused = std::get_if<Refused>(&message);
  return refused != nullptr && refused->about == Cancel::op ? std::string_view(refused->id) : std::string_view();
}

}  // namespace

bool Farewells::receive(Instant now, std::uint64_t broker, const Message& message, Actions& out) {
  if (const auto found = by_session_.find({broker, released_by(message)}); found != by_session_.end()) {
    answered(now, found->second, message, out);
    return true;
  }
  if (const auto found = by_id_.find({broker, std::string(cancelled_by(message))}); found != by_id_.end()) {
    finish(now, found->second, out);
    return true;
  }
  return false;
}

void Farewells::receive_direct(Instant now, std::uint64_t link, const Message& message, Actions& out) {
  const std::uint64_t session = released_by(message);
  if (session == 0) return;
  for (const Holder& holder : links_.holders(link)) {
    if (holder.kind != Holder::Kind::farewell || farewells_.at(holder.id).session != session) continue;
    return answered(now, holder.id, message, out);
  }
}

void Farewells::answered(Instant now, std::uint64_t number, const Message& message, Actions& out) {
  Farewell& farewell = farewells_.at(number);
  const auto* refused = std::get_if<Refused>(&message);
  if (refused == nullptr || refused->code != Code::not_yours || farewell.link == 0) return finish(now, number, out);
  // Its connection broke and came back: the broker knows the client by its name.
  leave_link(now, number, farewell, out);
  say(now, number, farewell, out);
}

void Farewells::finish(Instant now, std::uint64_t number, Actions& out) {
  const auto found = farewells_.find(number);
  Farewell& farewell = found->second;
  if (farewell.link != 0) links_.give(farewell.link, {Holder::Kind::farewell, number}, false, now, out);
  if (farewell.session != 0) by_session_.erase({farewell.broker, farewell.session});
  if (!farewell.id.empty()) by_id_.erase({farewell.broker, farewell.id});
  alarms_.clear(number);
  farewells_.erase(found);
}

void Farewells::tend(Instant now, Actions& out) {
  while (const auto number = alarms_.take(now)) say(now, *number, farewells_.at(*number), out);
}

void Farewells::check() const {
  MUST(alarms_.size() == farewells_.size());
  MUST(by_session_.size() + by_id_.size() == farewells_.size());
  MUST(farewells_.size() <= settings_.farewells_max);
  for (const auto& [number, farewell] : farewells_) {
    MUST(alarms_.of(number) != never);
    if (farewell.session != 0) MUST(by_session_.at({farewell.broker, farewell.session}) == number);
    if (!farewell.id.empty()) MUST(by_id_.at({farewell.broker, farewell.id}) == number);
  }
}

}  // namespace pointsman::clients
