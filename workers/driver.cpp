// One turn: messages in, core, messages out.
#include "workers/driver.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "protocol/names.hpp"
#include "protocol/trace.hpp"

namespace pointsman::workers {

namespace {

// For a connection to come about, where there are other brokers.
constexpr Duration patience_of_connection = std::chrono::seconds(1);

// Where each service has its order of the brokers. Each is up to half longer, so that workers do not move all at once.
constexpr Duration lost_for =
    std::chrono::seconds(5);  // a broker that was lost is no use, if there is another
constexpr Duration refused_for =
    std::chrono::minutes(5);  // one that refused; one that a move to did not come about
constexpr Duration scout_every =
    std::chrono::seconds(3);  // whether one that comes before the present one is there
constexpr Duration move_within = std::chrono::seconds(12);  // or the move does not come about

Duration spread(Duration time) {
  return time +
         Duration(static_cast<Duration::rep>(random_number() % static_cast<std::uint64_t>(time.count() / 2)));
}

// Refusals of one broker that say nothing of others.
bool elsewhere(Code code) {
  return code == Code::limit_reached || code == Code::over_quota || code == Code::overloaded ||
         code == Code::shutting_down || code == Code::not_allowed || code == Code::unknown_key;
}

std::string name_of(const Address& address) {
  return address.door == Door::broker ? "broker" : "c" + std::to_string(address.peer);
}

}  // namespace

Driver::Driver(Transport& transport, WorkerSettings settings, const std::string& brokers, Handlers handlers,
               bool trace, Credentials credentials, Notice& notice)
    : transport_(transport),
      home_(settings.offers.front().service),
      core_(std::move(settings)),
      credentials_(std::move(credentials)),
      search_(
          transport, brokers, finder::Seeker::worker, credentials_, [this] { found(); },
          finder::tracer(trace)),
      turn_(random_number()),
      handlers_(std::move(handlers)),
      trace_(trace),
      notice_(notice),
      movement_(notice_.hang()) {
  found();
  begun_ = true;
  notice_.worker(core_.name(), core_.instance());
}

Driver::~Driver() {
  if (scout_ != 0) transport_.disconnect(scout_);
  if (peer_ != 0) transport_.disconnect(peer_);
}

Instant Driver::deadline() const {
  return std::min({core_.deadline(), notice_.due(), search_.deadline(), stands_by_, scout_due_});
}

void Driver::turn(Instant until, Helm::Lock* lock) {
  until = std::min(until, deadline());
  transport_.turn(until, [this](Incoming&& event) { take(std::move(event)); }, lock);
  tend();
}

void Driver::tend() {
  if (search_.deadline() <= now()) search_.tick();
  if (stands_by_ <= now()) {
    stands_by_ = never;
    tell(Gone{Door::broker, peer_});
  }
  if (scout_due_ <= now()) scout();
  if (core_.deadline() <= now()) tell(Elapsed{});
  give_sign_of_life();
}

// Whose loop turns but whose calls stand still is hung, too.
void Driver::give_sign_of_life() {
  if (!notice_.wanted()) return;
  const Instant at = now();
  notice_.tick(at, movement_.moving(at, core_.working(), core_.progress()));
}

void Driver::take(Incoming&& event) {
  if (search_.took(event)) return;
  if (const auto* received = std::get_if<Received>(&event)) {
    // Of a connection that was replaced: its last words are too old to count.
    if (received->from.door == Door::broker && received->from.peer != peer_) return;
    heard_ |= received->from.door == Door::broker;
    if (trace_) std::fprintf(stderr, "%s\n", trace_line(*received, name_of).c_str());
    handlers_.heard(*received);
  }
  if (const auto* gone = std::get_if<Gone>(&event); gone && gone->door == Door::broker && gone->peer != peer_)
    return;
  std::visit([this](auto&& e) { tell(std::move(e)); }, std::move(event));
}

void Driver::tell(Event event) {
  events_.push_back(std::move(event));
  if (telling_) return;
  telling_ = true;
  while (!events_.empty()) {
    Event next = std::move(events_.front());
    events_.pop_front();
    Actions actions;
    core_.step(now(), std::move(next), actions);
    for (Action& action : actions) carry_out(std::move(action));
  }
  telling_ = false;
}

void Driver::carry_out(Action&& action) {
  if (auto* send = std::get_if<Send>(&action)) {
    if (trace_) std::fprintf(stderr, "%s\n", trace_line(*send, name_of).c_str());
    if (send->to.door == Door::broker && peer_ == 0) return;  // none was found yet
    if (send->to.door == Door::broker) send->to.peer = peer_;
    handlers_.said(*send);
    transport_.send(*send);
  } else if (auto* serve = std::get_if<Serve>(&action)) {
    handlers_.serve(std::move(*serve));
  } else if (const auto* abandoned = std::get_if<Abandoned>(&action)) {
    handlers_.abandoned(*abandoned);
  } else if (const auto* enrolled = std::get_if<Enrolled>(&action)) {
    notice_.ready("registered as " + core_.name());
    handlers_.enrolled(*enrolled);
  } else if (const auto* denied = std::get_if<Denied>(&action)) {
    handlers_.denied(*denied);
    refused(denied->code);
  } else if (const auto* began = std::get_if<SessionBegan>(&action)) {
    handlers_.began(*began);
  } else if (const auto* over = std::get_if<SessionOver>(&action)) {
    handlers_.over(*over);
  } else if (std::holds_alternative<Reconnect>(action)) {
    reconnect();
  } else if (std::holds_alternative<Departed>(action)) {
    depart();
  } else if (auto* done = std::get_if<Done>(&action)) {
    notice_.stopping();
    done_ = std::move(*done);
    if (done_->code == Code::unreachable && !trouble_.reason.empty()) {
      done_->reason = trouble_.reason;
      done_->remedy = trouble_.remedy;
    } else if (done_->code == Code::unreachable && peer_ == 0) {
      done_->reason = search_.explain();
    }
  }
}

// A broker that was heard may be back in a moment, and remembers this worker: it is tried once more before the next one
// gets its turn.
void Driver::reconnect() {
  search_.lost(broker_);  // which may be known by another address, too
  const auto& places = search_.places();
  if (places.size() == 1 && places.front().same_door(broker_) && transport_.still_connecting(peer_)) return;
  if (peer_ != 0) transport_.disconnect(std::exchange(peer_, 0));
  if (!heard_) shun(lost_for);
  if (heard_ || choose()) connect();
}

// Whose turn it is; false if none is known.
bool Driver::choose() {
  const auto& places = search_.places();
  if (places.empty()) return false;
  broker_ = search_.home() ? home_.first(places, now()).value_or(home_.least_avoided(places))
                           : places[turn_++ % places.size()];
  return true;
}

// The first one is tried at once.
void Driver::found() {
  if (peer_ == 0 && choose()) connect();
  if (search_.home()) scout_due_ = std::min(scout_due_, now() + spread(scout_every));
}

void Driver::shun(Duration time) {
  if (search_.home()) home_.avoid(broker_, now() + spread(time));
}

// By the broker that it is connected to; the core tries again there unless there is another one.
void Driver::refused(Code code) {
  if (!search_.home() || !elsewhere(code)) return;
  shun(refused_for);
  const auto next = home_.first(search_.places(), now());
  if (!next) return;
  if (peer_ != 0) transport_.disconnect(std::exchange(peer_, 0));
  broker_ = *next;
  connect();
  tell(Move{});
}

// Looks whether a broker that comes before this one is there.
void Driver::scout() {
  if (scout_ != 0) transport_.disconnect(std::exchange(scout_, 0));
  scout_due_ = now() + spread(scout_every);
  const auto found = home_.better(search_.places(), broker_, now());
  if (!found || peer_ == 0) return;
  better_ = *found;
  try {
    scout_ =
        transport_.connect(Door::broker, better_.endpoint, {}, credentials_at(credentials_, better_.key));
  } catch (const std::runtime_error&) {  // as in connect()
    return home_.avoid(better_, now() + refused_for);
  }
  transport_.on_handshake(scout_, [this](const Handshake& handshake) {
    if (handshake.peer == scout_) return scouted(handshake);
    shook_hands(handshake);
  });
}

void Driver::scouted(const Handshake& handshake) {
  if (handshake.final()) home_.avoid(better_, now() + spread(refused_for));
  if (handshake.result != Handshake::Result::done) return;
  home_.avoid(better_, now() + spread(refused_for));
  scout_due_ = now() + spread(move_within);
  tell(Move{});
}

// The core has left its broker: it goes to the one that was found, or to whom there is.
void Driver::depart() {
  if (peer_ != 0) transport_.disconnect(std::exchange(peer_, 0));
  scout_due_ = now() + spread(scout_every);
  stands_by_ = never;
  if (scout_ == 0) return found();
  peer_ = std::exchange(scout_, 0);
  broker_ = better_;
  home_.avoid(broker_, now());
  heard_ = false;
}

// What can never be connected to is thrown if it is all that there was to begin with. Later, or among others, it is a
// mistake of a file or a name, which may be mended.
void Driver::connect() {
  heard_ = false;
  const bool alone = search_.places().size() == 1;
  stands_by_ = alone ? never : now() + patience_of_connection;
  try {
    peer_ = transport_.connect(Door::broker, broker_.endpoint, {}, credentials_at(credentials_, broker_.key));
  } catch (const std::runtime_error& error) {  // of the transport, or of a key that is not there
    if (alone && !begun_) throw;
    shook_hands({.result = Handshake::Result::broken,
                 .reason = error.what(),
                 .remedy = "correct the list of brokers"});
    return;
  }
  transport_.on_handshake(peer_, [this](const Handshake& handshake) { shook_hands(handshake); });
}

// The core goes on trying: whoever runs the broker may let this worker in meanwhile.
void Driver::shook_hands(const Handshake& handshake) {
  trouble_ = handshake;
  if (handshake.result == Handshake::Result::done) {
    stands_by_ = never;
    return;
  }
  handlers_.denied({.code = Code::unreachable, .reason = handshake.reason, .remedy = handshake.remedy});
}

bool Driver::congested(std::uint64_t session, std::uint64_t number) const {
  const Address* asker = core_.asker(session, number);
  return asker && transport_.congested(*asker);
}

std::string workers_listener(const std::string& given) {
  if (!given.empty()) return given;
  const char* set = std::getenv((std::string(environment_prefix) + "WORKERS").c_str());
  return set && *set ? set : std::string(default_workers_endpoint);
}

std::string key_text(const Credentials& credentials) {
  return credentials.own ? to_z85(credentials.own->key) : std::string();
}

std::string unique_worker_name() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return std::string(host.data()).substr(0, 32) + "-" + std::to_string(getpid()) + "-" +
         random_name().substr(0, 6);
}

}  // namespace pointsman::workers
