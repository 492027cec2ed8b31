// What Eve tries.

#include "test/sim/mischief.hpp"

#include <algorithm>

#include "protocol/notation.hpp"

namespace pointsman::sim {
namespace {

const Address clients_side{Door::broker, Codec::json, 1, {}};
const Address workers_side{Door::broker, Codec::msgpack, 2, {}};

}  // namespace

void Eve::start() {
  up_ = true;
  ++life_;
  world_.dial(*this, clients_side, stage_.clients_door);
  world_.dial(*this, workers_side, stage_.workers_door);
}

// Nothing that she shows opens anything, and nothing that she asks for is done.
void Eve::arrive(Incoming incoming) {
  const auto* received = std::get_if<Received>(&incoming);
  if (!received) return;
  const auto& m = received->message;
  if (std::holds_alternative<Opened>(m) || std::holds_alternative<Reply>(m) || std::holds_alternative<Renewed>(m))
    throw Violation(23, "a ticket that was altered, or made for another, is taken: " + to_line(m));
  if (std::holds_alternative<Registered>(m) || std::holds_alternative<Heard>(m) || std::holds_alternative<Granted>(m))
    throw Violation(50, "a stranger is given what is not hers: " + to_line(m));
}

void Eve::show_ticket(bool forged) {
  const auto& tickets = stage_.history.tickets();
  if (tickets.empty() || !up_) return;
  auto [endpoint, ticket, client, session] = tickets[chance_.below(tickets.size())];
  // An altered ticket in the name of the one that it was made for; a true one in her own.
  if (forged) {
    auto& byte = ticket.data[chance_.below(ticket.data.size())];
    byte = static_cast<char>(byte ^ (1 << chance_.below(8)));
  } else {
    client = name();
    if (chance_.hit(0.3)) endpoint = tickets[chance_.below(tickets.size())].endpoint;  // at another worker
  }
  const Address link{Door::direct, Codec::msgpack, ++links_, {}};
  world_.dial(*this, link, endpoint);
  world_.send(*this, {link, Open{.ticket = ticket, .client = client}, {}});
  world_.send(*this, {link, Call{.session = session, .number = 1, .ticket = ticket, .client = client}, {Frame("x"), Frame("0")}});
  world_.send(*this, {link, Release{.session = session, .client = name()}, {}});
  world_.send(*this, {link, Renew{.session = session, .client = name()}, {}});
  world_.send(*this, {link, Abandon{.session = session, .number = 1}, {}});
  world_.send(*this, {link, Heartbeat{.lease = 1}, {}});
  world_.later(*this, std::chrono::seconds(2), [this, link] { world_.hang_up(*this, link); });
}

// The newest ticket of a session that its worker has ended, as its client might show it, late.
void Eve::reuse_ticket(const std::string& worker) {
  if (!up_) return;
  const auto& tickets = stage_.history.tickets();
  const auto over = std::find_if(tickets.rbegin(), tickets.rend(),
                                 [&](const Given& given) {
                                   const auto& promise = stage_.history.promises().at(given.session);
                                   return promise.ended && (worker.empty() || promise.worker == worker);
                                 });
  if (over == tickets.rend()) return;
  const Address link{Door::direct, Codec::msgpack, ++links_, {}};
  world_.dial(*this, link, over->endpoint);
  world_.send(*this, {link, Open{.ticket = over->ticket, .client = over->client}, {}});
  world_.later(*this, std::chrono::seconds(2), [this, link] { world_.hang_up(*this, link); });
}

void Eve::talk_nonsense() {
  const auto& promises = stage_.history.promises();
  if (promises.empty() || !up_) return;
  auto at = promises.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(chance_.below(promises.size())));
  const auto session = at->first;
  world_.send(*this, {clients_side, Release{.session = session, .client = name()}, {}});
  world_.send(*this, {clients_side, Renew{.session = session, .client = name()}, {}});
  world_.send(*this, {clients_side, Cancel{.id = at->second.id, .client = name()}, {}});
  world_.send(*this, {clients_side, Register{.worker = "w1", .instance = "e", .services = {{"p"}}, .endpoint = "tcp://e"}, {}});
  world_.send(*this, {clients_side, Request{.id = "eve-" + std::to_string(session), .service = "nothing", .failed = session}, {}});
  world_.send(*this, {workers_side, Heartbeat{.lease = session}, {}});
  world_.send(*this, {workers_side, Report{.lease = session, .first = 1, .events = {{.session = session, .closed = true}}}, {}});
  world_.send(*this, {workers_side, Leave{.lease = session}, {}});
  world_.send(*this, {workers_side, Request{.id = "eve", .service = "p"}, {}});
  world_.send(*this, {clients_side, Explain{.session = session}, {}});
}

}  // namespace pointsman::sim
