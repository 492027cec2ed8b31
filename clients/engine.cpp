// The engine: orders of user threads into the core, messages in and out, actions to their sinks.
#include "clients/engine.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "protocol/must.hpp"
#include "protocol/names.hpp"
#include "protocol/trace.hpp"

namespace pointsman::clients {

namespace {

std::string choose_broker(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  const char* environment = std::getenv("POINTSMAN_BROKER");
  if (environment != nullptr && *environment != '\0') return environment;
  return std::string(default_clients_endpoint);
}

// HOST-PROCESS-CHANCE, within the bound for names.
std::string choose_name(const std::string& wanted) {
  if (wanted.size() > limits::name) {
    throw Error(Code::limit_reached,
                "the client's name is longer than " + std::to_string(limits::name) + " bytes");
  }
  if (!wanted.empty()) return wanted;
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const std::string tail = "-" + std::to_string(getpid()) + "-" + random_name().substr(0, 16);
  return std::string(host.data()).substr(0, limits::name - tail.size()) + tail;
}

ClientSettings settings_of(const ClientOptions& options, std::string name) {
  ClientSettings settings;
  settings.name = std::move(name);
  settings.attributes = options.attributes;
  settings.seed = random_number();
  settings.patience = std::max(options.patience, std::chrono::milliseconds(1));
  settings.overflow = std::clamp<Duration>(options.overflow, Duration{0}, Milliseconds(limits::day_ms));
  settings.pulse = std::max(options.pulse, std::chrono::milliseconds(1));
  settings.pulses = std::max(options.pulses, 1);
  settings.links_max = options.links_max;
  settings.linked_max = options.linked_max;
  return settings;
}

constexpr int broken_believed = 3;

// Who calls again within this finds the helm free; what comes meanwhile for nobody in particular waits for so long.
constexpr Duration grace = std::chrono::milliseconds(1);

// Who drives while users' code is behind looks at the time at least so often.
constexpr Duration crowded_look = std::chrono::seconds(1);

// The core bounds what is under way by bytes already, and a link whose outbox overflows is lost.
TransportLimits link_limits() {
  TransportLimits limits = direct_limits();
  limits.outbox = 64 * 1024;
  limits.outbox_bytes = 512 * 1024 * 1024;
  return limits;
}

}  // namespace

Error error_of(Code code, const std::string& reason) {
  return {code, reason.empty() ? std::string(word(code)) : reason};
}

Error error_of(const Refused& refused) {
  Error error = error_of(refused.code, refused.reason);
  error.remedy = refused.remedy;
  error.retry = refused.retry_ms;
  return error;
}

Engine::Engine(const ClientOptions& options, NewsSink news)
    : name_(choose_name(options.name)),
      trace_(options.trace),
      news_(std::move(news)),
      core_(settings_of(options, name_)),
      helm_([this](Helm::Lock& lock) { turn(lock); }, [this] { wake(); }, grace) {
  try {
    credentials_ = read_credentials(options.key, options.broker_key, options.realm);
    search_.emplace(
        transport_, choose_broker(options.broker), finder::Seeker::client, credentials_,
        [this] { list_brokers(); }, finder::tracer(trace_));
    list_brokers();
    feed(Elapsed{});
    if (search_->places().size() == 1) line_to(0);  // what can never be connected to is told at once
  } catch (const KeyError& error) {
    throw Error(Code::bad_endpoint, error.what());
  } catch (const TransportError& error) {
    throw Error(Code::bad_endpoint, error.what());
  }
  thread_ = std::thread([this] { run(); });
}

Engine::~Engine() { stop(std::chrono::milliseconds(0)); }

void Engine::acquire(Acquire event, SessionSink sink) {
  event.id = random_name();
  post({std::move(event), std::move(sink)});
}

void Engine::invoke(Invoke event, CallSink sink) { post({std::move(event), std::move(sink)}); }

void Engine::ask(Message question, AnswerSink sink) {
  post({Ask{++last_, std::move(question)}, std::move(sink)});
}

void Engine::tell(Event event) { post({std::move(event), {}}); }

// What is asked for is done at once, by who asks. From a sink: when what is at hand is done.
void Engine::post(Order order) {
  if (helm_.mine()) {
    inbox_.push_back(std::move(order));
    return;
  }
  Helm::Lock lock(helm_);
  if (stopping_ || stopped_) {
    refuse(std::move(order));
    if (stopped_) tell_loud(lock);  // the engine's thread does not any more
    return;
  }
  take(std::move(order));
  take_rest();
  if (awaited_ > 0) helm_.man();
  if (!helm_.driven()) return;
  guard([&] {
    transport_.catch_up([this](Incoming&& incoming) {
      receive(std::move(incoming));
      take_rest();
    });
  });
  if (due() >= until_) return;
  until_ = due();  // once is enough
  wake();
}

Instant Engine::due() const { return std::min(core_.deadline(), search_->deadline()); }

void Engine::wait(Helm::Place& place, const Helm::Over& over, const std::function<void()>& then) {
  Helm::Lock lock(helm_);
  helm_.wait(lock, place, over);
  then();
  if (awaited_ > 0) helm_.man();
}

void Engine::call(Helm::Place& place, bool last) {
  if (last && &place == helm_.driver() && helm_.driving()) transport_.enough();
  helm_.call(place);
  if (awaited_ == 0) helm_.make_room();
}

// What is asked of an engine that has stopped.
void Engine::refuse(Order order) {
  const Error closed(Code::cancelled, "this client was closed");
  if (auto* sink = std::get_if<SessionSink>(&order.sink)) end(std::move(*sink), closed);
  if (auto* sink = std::get_if<CallSink>(&order.sink)) fail(std::move(*sink), closed);
  if (const auto* sink = std::get_if<AnswerSink>(&order.sink)) {
    (*sink)(Refused{.code = Code::cancelled, .reason = closed.what()});
  }
}

void Engine::stop(std::chrono::milliseconds within) {
  MUST(std::this_thread::get_id() != thread_.get_id());
  {
    Helm::Lock lock(helm_);
    if (!stopping_) stop_by_ = now() + within;
    stopping_ = true;
    helm_.call_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Engine::may_wait() const {
  if (std::this_thread::get_id() != thread_.get_id()) return;
  throw Error(Code::failed,
              "a blocking function was called from a callback; use its asynchronous twin there");
}

void Engine::run() {
  Helm::Lock lock(helm_);
  helm_.keep(
      lock, [this] { return stopping_ || stopped_; }, [this](Helm::Lock& held) { tell_loud(held); });
  close(lock);
}

// Says farewell for as long as it may take. Users' threads that wait are told first, and drive meanwhile if they like.
void Engine::close(Helm::Lock& lock) {
  if (!stopped_) {
    take({Close{}, {}});
    take_rest();
  }
  tell_loud(lock);
  Helm::Place place;
  helm_.wait(lock, place, [this] { return stopped_ || core_.idle() || now() >= stop_by_; });
  stopped_ = true;
  for (Order& order : std::exchange(inbox_, {})) refuse(std::move(order));
  tell_loud(lock);
}

// One turn of the transport, by whoever drives.
void Engine::turn(Helm::Lock& lock) {
  if (stopped_) return;
  guard([&] {
    take_rest();
    until_ = std::min(due(), stopping_ ? stop_by_ : never);
    if (crowded()) {
      caught_up_.wait_for(lock, std::min<Duration>(until_ - now(), crowded_look));
    } else {
      transport_.turn(
          until_, [this](Incoming&& incoming) { receive(std::move(incoming)); }, &lock);
    }
    until_ = never;
    if (search_->deadline() <= now()) search_->tick();
    if (core_.deadline() <= now() || !later_.empty()) feed(Elapsed{});
    take_rest();
  });
}

// What the world does to us (no descriptors, no memory) ends everything, on whatever thread it comes up.
void Engine::guard(const std::function<void()>& step) {
  try {
    step();
  } catch (const std::exception& error) {
    stopped_ = true;
    fail_all(Error(Code::failed, std::string("the client had to stop: ") + error.what()));
    helm_.call_all();
  }
}

void Engine::take(Order order) {
  guard([&] {
    // Whoever calls a worker that it has needs no broker.
    if (!std::holds_alternative<Invoke>(order.event)) search_->used();
    file(order.event, std::move(order.sink));
    feed(std::move(order.event));
  });
}

void Engine::take_rest() {
  while (!inbox_.empty() && !stopped_) {
    for (Order& order : std::exchange(inbox_, {})) take(std::move(order));
  }
}

void Engine::loudly(std::function<void()> told, std::size_t bytes) {
  loud_.push_back(std::move(told));
  loud_bytes_ += bytes;
  helm_.urge();
}

// The engine's own thread never waits for itself, and nobody does any more once it says farewell.
bool Engine::crowded() const {
  if (helm_.driver() == nullptr || stopping_) return false;
  return loud_.size() >= backlog_max || loud_bytes_ >= backlog_bytes_max;
}

// Who drives looks again.
void Engine::wake() {
  transport_.wake();
  caught_up_.notify_all();
}

void Engine::tell_loud(Helm::Lock& lock) {
  while (!loud_.empty()) {
    auto told = std::exchange(loud_, {});
    loud_bytes_ = 0;
    caught_up_.notify_all();
    lock.unlock();
    for (const auto& tell : told) tell();
    told.clear();  // users' objects end without the lock, too
    lock.lock();
  }
}

void Engine::file(const Event& event, Sink sink) {
  const auto* loud = std::get_if<SessionSink>(&sink);
  const auto* loud_call = std::get_if<CallSink>(&sink);
  if ((loud && loud->loud) || (loud_call && loud_call->loud)) ++awaited_;
  if (auto* session = std::get_if<SessionSink>(&sink)) {
    sessions_.emplace(std::get<Acquire>(event).handle, std::move(*session));
  } else if (auto* call = std::get_if<CallSink>(&sink)) {
    const auto& invoke = std::get<Invoke>(event);
    calls_.emplace(std::pair(invoke.handle, invoke.number), std::move(*call));
  } else if (auto* answer = std::get_if<AnswerSink>(&sink)) {
    answers_.emplace(std::get<Ask>(event).token, std::move(*answer));
  }
}

void Engine::feed(Event event) {
  Actions actions = std::exchange(actions_, {});
  core_.step(now(), std::move(event), actions);
  for (Action& action : actions) perform(action);
  actions.clear();
  actions_ = std::move(actions);
  while (!later_.empty()) {
    Event next = std::move(later_.front());
    later_.pop_front();
    feed(std::move(next));
  }
}

void Engine::fail_all(const Error& error) {
  awaited_ = 0;
  for (auto& [number, call] : std::exchange(calls_, {})) fail(std::move(call), error);
  for (auto& [handle, session] : std::exchange(sessions_, {})) end(std::move(session), error);
  for (const auto& [token, answer] : std::exchange(answers_, {})) {
    answer(Refused{.code = error.code, .reason = error.what()});
  }
}

// From the transport's numbers to the core's; false for connections that were given up.
bool Engine::translate(Door door, std::uint64_t& peer) const {
  const auto& numbers = door == Door::broker ? brokers_ : links_;
  const auto found = numbers.find(peer);
  if (found == numbers.end()) return false;
  peer = found->second;
  return true;
}

void Engine::receive(Incoming&& incoming) {
  if (search_->took(incoming)) return;
  if (auto* received = std::get_if<Received>(&incoming)) {
    if (!translate(received->from.door, received->from.peer)) return;
    if (trace_) {
      const auto line = trace_line(*received, [this](const Address& address) { return name_of(address); });
      std::fprintf(stderr, "%s\n", line.c_str());
    }
    feed(std::move(*received));
  } else if (auto* garbled = std::get_if<Garbled>(&incoming)) {
    if (!translate(garbled->from.door, garbled->from.peer)) return;
    if (trace_) std::fprintf(stderr, "garbled: %s\n", garbled->fault.reason.c_str());
    feed(std::move(*garbled));
  } else if (auto* gone = std::get_if<Gone>(&incoming)) {
    if (translate(gone->door, gone->peer)) feed(*gone);
  }
}

void Engine::perform(Action& action) {
  std::visit([this](auto& a) { act(a); }, action);
}

void Engine::act(Send& action) {
  if (trace_) {
    const auto line = trace_line(action, [this](const Address& address) { return name_of(address); });
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  if (action.to.door == Door::broker) {
    try {
      action.to.peer = line_to(action.to.peer).peer;
    } catch (const std::runtime_error& error) {  // a file or a name said it
      later_.emplace_back(Barred{error.what(), "correct the list of brokers", action.to.peer});
      return;
    }
  } else {
    const auto found = peers_.find(action.to.peer);
    if (found == peers_.end()) return;  // could not be connected to; the core will be told
    action.to.peer = found->second;
  }
  transport_.send(action);
}

void Engine::act(const Connect& action) {
  try {
    const std::uint64_t peer =
        transport_.connect(Door::direct, action.endpoint, link_limits(), credentials_for(action.key));
    peers_.emplace(action.link, peer);
    links_.emplace(peer, action.link);
    if (trace_) endpoints_.emplace(action.link, action.endpoint);
  } catch (const TransportError& error) {
    if (trace_) std::fprintf(stderr, "%s\n", error.what());
    later_.emplace_back(Gone{Door::direct, action.link});
  }
}

void Engine::act(const Disconnect& action) {
  const auto found = peers_.find(action.link);
  if (found == peers_.end()) return;
  transport_.disconnect(found->second);
  links_.erase(found->second);
  endpoints_.erase(action.link);
  peers_.erase(found);
}

// There may be others by now, too.
void Engine::act(const Reconnect& action) {
  const auto line = lines_.find(action.broker);
  if (line == lines_.end() || !transport_.still_connecting(line->second.peer)) hang_up(action.broker);
  if (action.broker < limits::brokers) search_->lost(roster_.at(action.broker));
}

void Engine::act(const ReachBroker& action) { below_[action.broker] = {.endpoint = action.endpoint, .key = action.key}; }

void Engine::act(const LeaveBroker& action) {
  hang_up(action.broker);
  broken_.erase(action.broker);
  below_.erase(action.broker);
}

void Engine::hang_up(std::uint64_t broker) {
  const auto found = lines_.find(broker);
  if (found == lines_.end()) return;
  transport_.disconnect(found->second.peer);
  brokers_.erase(found->second.peer);
  lines_.erase(found);
}

// What the search found. A number that another place has now leads there.
void Engine::list_brokers() {
  const auto numbers = roster_.set(search_->places());
  for (const std::uint64_t broker : numbers) {
    const auto line = lines_.find(broker);
    if (line != lines_.end() && !line->second.place.same_door(roster_.at(broker))) {
      hang_up(broker);
      broken_.erase(broker);
    }
  }
  BrokersAre all{numbers};
  for (const std::uint64_t broker : numbers) {
    if (search_->home()) all.names.emplace_back(roster_.at(broker).known_as());
  }
  later_.emplace_back(std::move(all));
}

const finder::Place& Engine::place_of(std::uint64_t broker) const {
  return broker < limits::brokers ? roster_.at(broker) : below_.at(broker);
}

// The connection to a broker, made when it is needed first.
Engine::Line& Engine::line_to(std::uint64_t broker) {
  if (const auto found = lines_.find(broker); found != lines_.end()) return found->second;
  const finder::Place& place = place_of(broker);
  const std::uint64_t peer =
      transport_.connect(Door::broker, place.endpoint, {}, credentials_at(credentials_, place.key));
  transport_.on_handshake(peer, [this](const Handshake& handshake) { shook_hands(handshake); });
  brokers_.emplace(peer, broker);
  return lines_.emplace(broker, Line{peer, place}).first->second;
}

// A broker that ends may hang up on a handshake, too, so that is believed only when it happens again and
// again.
void Engine::shook_hands(const Handshake& handshake) {
  if (trace_ && !handshake.reason.empty()) std::fprintf(stderr, "# %s\n", handshake.reason.c_str());
  const auto found = brokers_.find(handshake.peer);
  if (found == brokers_.end()) return;
  const std::uint64_t broker = found->second;
  int& broken = broken_[broker];
  broken = handshake.result == Handshake::Result::broken ? broken + 1 : 0;
  const bool barred = handshake.final() || broken >= broken_believed;
  if (handshake.result == Handshake::Result::done) feed(BrokerUp{broker});
  if (barred) feed(Barred{handshake.reason, handshake.remedy, broker});
}

// A worker that encrypts is known by the key that the broker said. A client without a key of its own makes
// one up.
Credentials Engine::credentials_for(const std::string& worker_key) {
  if (worker_key.empty()) return {};
  const auto server = key_from_z85(worker_key);
  if (!server) throw TransportError("the worker's key '" + worker_key + "' is none");
  if (!links_own_) links_own_ = credentials_.own ? credentials_.own : make_key_pair();
  return {.own = links_own_, .server = *server};
}

void Engine::act(Acquired& action) {
  const auto found = sessions_.find(action.handle);
  if (found == sessions_.end()) return;
  SessionSink& sink = found->second;
  if (!std::exchange(sink.held_once, true) && sink.loud) --awaited_;
  if (!sink.loud) return sink.held(action.granted, action.reassigned);
  loudly([held = sink.held, granted = action.granted, reassigned = action.reassigned] {
    held(granted, reassigned);
  });
}

void Engine::act(NotAcquired& action) {
  add_search(action.refused);
  close_session(action.handle, error_of(action.refused));
}

// Where no broker was found; the core does not know how it was looked for.
void Engine::add_search(Refused& refused) const {
  if (refused.code == Code::unreachable && search_->places().empty()) refused.reason = search_->explain();
}

void Engine::act(SessionEnded& action) {
  if (action.ending == Ending::released) {
    close_session(action.handle, Error(Code::unknown_session, "the session was released"));
  } else {
    close_session(action.handle, error_of(action.code, action.reason));
  }
}

void Engine::close_session(std::uint64_t handle, const Error& error) {
  const auto found = sessions_.find(handle);
  if (found == sessions_.end()) return;
  SessionSink sink = std::move(found->second);
  sessions_.erase(found);
  if (sink.loud && !sink.held_once) --awaited_;
  end(std::move(sink), error);
}

void Engine::end(SessionSink sink, const Error& error) {
  if (!sink.loud) return sink.over(error);
  loudly([over = std::move(sink.over), error] { over(error); });
}

void Engine::act(Waiting& action) {
  const auto found = sessions_.find(action.handle);
  if (found == sessions_.end() || !found->second.waiting) return;
  loudly([waiting = found->second.waiting, queued = std::move(action.queued)] { waiting(queued); });
}

void Engine::act(Part& action) {
  const auto found = calls_.find({action.handle, action.number});
  if (found == calls_.end()) return;
  if (found->second.loud) {
    const std::size_t bytes = bytes_of(action.payload);
    loudly([part = found->second.part, payload = std::move(action.payload), parts = action.parts,
            more = action.more] { part(payload, parts, more); }, bytes);
    if (action.more) return;
    calls_.erase(found);
    --awaited_;
    return;
  }
  if (action.more) return found->second.part(std::move(action.payload), action.parts, true);
  const CallSink sink = std::move(found->second);
  calls_.erase(found);
  sink.part(std::move(action.payload), action.parts, false);
}

void Engine::act(CallFailed& action) {
  const auto found = calls_.find({action.handle, action.number});
  if (found == calls_.end()) return;
  CallSink sink = std::move(found->second);
  calls_.erase(found);
  if (sink.loud) --awaited_;
  Error error = error_of(action.code, action.reason);
  error.retry = action.retry;
  error.exit = static_cast<int>(action.exit);
  error.detail = std::move(action.detail);
  fail(std::move(sink), std::move(error));
}

void Engine::fail(CallSink sink, Error error) {
  if (!sink.loud) return sink.failed(std::move(error));
  loudly([failed = std::move(sink.failed), error = std::move(error)] { failed(error); });
}

void Engine::act(Answer& action) {
  const auto found = answers_.find(action.token);
  if (found == answers_.end()) return;
  const AnswerSink sink = std::move(found->second);
  answers_.erase(found);
  if (auto* refused = std::get_if<Refused>(&action.message)) add_search(*refused);
  sink(action.message);
}

void Engine::act(News& action) {
  if (news_) loudly([this, happened = std::move(action.happened)] { news_(happened); });
}

std::string Engine::name_of(const Address& address) const {
  if (address.door == Door::broker) return lines_.size() < 2 ? "broker" : place_of(address.peer).endpoint;
  const auto found = endpoints_.find(address.peer);
  return found == endpoints_.end() ? "worker" : found->second;
}

}  // namespace pointsman::clients
