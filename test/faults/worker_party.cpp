// Workers of the worker library's core and driver, many in a process if asked: they share a transport and a listener.

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "protocol/names.hpp"
#include "protocol/ticket.hpp"
#include "test/faults/history.hpp"
#include "test/faults/parties.hpp"
#include "workers/driver.hpp"

namespace pointsman::faults {

std::string Words::text(const std::string& key, const std::string& otherwise) const {
  for (const auto& word : words_) {
    if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
  }
  return otherwise;
}

std::uint64_t Words::number(const std::string& key, std::uint64_t otherwise) const {
  const std::string value = text(key);
  return value.empty() ? otherwise : std::stoull(value);
}

int stop_signals() {
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGTERM);
  sigaddset(&stops, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  return ::signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
}

namespace {

std::string pair(const char* key, std::uint64_t value) { return std::string(key) + '=' + std::to_string(value); }

// One worker: a driver and what it writes down.
class Hand {
 public:
  Hand(Transport& transport, const PartyOptions& options, const Credentials& credentials, Pen& pen, std::string name,
       const std::string& endpoint, std::function<void(Hand&, workers::Serve&&)> serve)
      : pen_(pen), name_(std::move(name)), slots_(options.words.number("slots", 2)), serve_(std::move(serve)) {
    workers::WorkerSettings settings;
    settings.name = name_;
    settings.instance = random_name();
    settings.offers = {Offer{.service = "echo"}};
    settings.slots = slots_;
    settings.endpoint = endpoint;
    settings.key = workers::key_text(credentials);
    settings.lease = Milliseconds(options.words.number("lease_ms", 0));
    settings.seed = random_number();
    note("started", "instance=" + settings.instance + " " + pair("slots", slots_));
    driver_ = std::make_unique<workers::Driver>(transport, settings, options.broker, handlers(), false,
                                                credentials);
  }

  workers::Driver& driver() { return *driver_; }
  bool enrolled() const { return lease_ != 0; }
  bool held(std::uint64_t lease) const { return leases_.contains(lease); }

 private:
  void note(std::string_view what, const std::string& rest = {}) { pen_.write_as(name_, what, rest); }

  workers::Handlers handlers() {
    workers::Handlers handlers;
    handlers.serve = [this](workers::Serve&& serve) {
      note("served", pair("session", serve.session) + " " + pair("number", serve.number) + " client=" +
                         without_blanks(serve.client));
      serve_(*this, std::move(serve));
    };
    handlers.abandoned = [](const workers::Abandoned&) {};  // the answer comes all the same, and is dropped
    handlers.began = [this](const workers::SessionBegan& session) {
      note("opened", pair("session", session.session) + " client=" + without_blanks(session.client));
    };
    handlers.over = [this](const workers::SessionOver& session) {
      note("closed", pair("session", session.session) + " ending=" + std::string(word(session.ending)));
    };
    handlers.heard = [this](const Received& received) { heard(received); };
    handlers.said = [this](const Send& send) { said(send); };
    return handlers;
  }

  void heard(const Received& received) {
    if (received.from.door != Door::broker) return;
    if (const auto* registered = std::get_if<Registered>(&received.message)) {
      if (registered->lease <= lease_) return;
      lease_ = registered->lease;
      leases_.insert(lease_);
      note("enrolled", pair("lease", lease_) + " term_ms=" + std::to_string(registered->term_ms.count()) + " " +
                           pair("attempt", registered->attempt));
    }
    if (const auto* refused = std::get_if<Refused>(&received.message); refused && refused->about == Register::op) {
      note("denied", "code=" + std::string(word(refused->code)));
    }
    if (const auto* heard = std::get_if<Heard>(&received.message); heard && heard->lease == lease_) {
      note("heard", pair("lease", lease_) + " " + pair("beat", heard->beat));
    }
  }

  void said(const Send& send) {
    if (send.to.door != Door::broker) {
      if (const auto* refused = std::get_if<Refused>(&send.message)) {
        note("turned-away", pair("session", refused->session) + " code=" + std::string(word(refused->code)));
      }
      return;
    }
    if (const auto* asked = std::get_if<Register>(&send.message)) note("enrolling", pair("attempt", asked->attempt));
    if (const auto* beat = std::get_if<Heartbeat>(&send.message)) {
      note("beat", pair("lease", beat->lease) + " " + pair("beat", beat->beat) + " " + pair("used", beat->used));
    }
  }

  Pen& pen_;
  const std::string name_;
  const std::uint64_t slots_;
  std::function<void(Hand&, workers::Serve&&)> serve_;
  std::uint64_t lease_ = 0;
  std::set<std::uint64_t> leases_;  // this one and those before
  std::unique_ptr<workers::Driver> driver_;
};

// All workers of the process.
class Crew {
 public:
  explicit Crew(const PartyOptions& options)
      : options_(options), pen_(options.history, options.name), work_(std::chrono::milliseconds(options.words.number("work_ms", 5))) {
    const Credentials credentials = broker_credentials({}, {});
    transport_.watch(stops_, [this] { stop(); });
    const std::string bound =
        transport_.listen(Door::direct, options.words.text("bind", "tcp://127.0.0.1:*"), direct_limits(), true,
                          {.own = credentials.own, .strangers = true});
    const std::string endpoint = options.words.text("advertise", bound);
    const std::uint64_t count = options.words.number("count", 1);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string name = count == 1 ? options.name : options.name + "." + std::to_string(i);
      hands_.push_back(std::make_unique<Hand>(transport_, options, credentials, pen_, name, endpoint,
                                              [this](Hand& hand, workers::Serve&& serve) {
                                                due_.emplace(now() + work_, std::pair(&hand, std::move(serve)));
                                              }));
    }
    std::printf("bound %s\n", bound.c_str());
  }

  int run() {
    bool told = false;
    for (auto& hand : hands_) hand->driver().tell(Elapsed{});
    for (;;) {
      Instant until = due_.empty() ? never : due_.begin()->first;
      bool all_done = true, all_enrolled = true;
      for (const auto& hand : hands_) {
        until = std::min(until, hand->driver().core().deadline());
        all_done = all_done && hand->driver().done();
        all_enrolled = all_enrolled && hand->enrolled();
      }
      if (all_done) break;
      if (all_enrolled && !told) {
        told = true;
        std::puts("ready");
        std::fflush(stdout);
      }
      transport_.turn(until, [this](Incoming&& event) { deliver(std::move(event)); });
      for (Incoming& event : std::exchange(early_, {})) deliver(std::move(event));
      const Instant time = now();
      for (auto& hand : hands_) {
        if (hand->driver().core().deadline() <= time) hand->driver().tell(Elapsed{});
      }
      while (!due_.empty() && due_.begin()->first <= now()) {
        auto [hand, serve] = std::move(due_.begin()->second);
        due_.erase(due_.begin());
        hand->driver().tell(workers::Answered{.session = serve.session, .number = serve.number, .payload = std::move(serve.payload)});
      }
    }
    pen_.write("finished");
    return 0;
  }

 private:
  // By the connection; by the ticket, which names a lease; or by the session, which somebody holds.
  void deliver(Incoming&& event) {
    if (hands_.size() == 1) return hands_.front()->driver().take(std::move(event));
    const auto* received = std::get_if<Received>(&event);
    if (received == nullptr || received->from.door == Door::broker) {
      const std::uint64_t peer = received ? received->from.peer
                                 : std::holds_alternative<Gone>(event) ? std::get<Gone>(event).peer
                                                                       : std::get<Garbled>(event).from.peer;
      for (auto& hand : hands_) {
        if (hand->driver().peer() == peer) return hand->driver().take(std::move(event));
      }
      return;
    }
    std::uint64_t session = 0, lease = 0;
    std::visit(
        [&](const auto& message) {
          if constexpr (requires { message.session; }) session = message.session;
          if constexpr (requires { message.ticket; }) {
            if (const auto of = lease_of(message.ticket)) lease = *of;
          }
        },
        received->message);
    if (lease != 0) by_session_[session] = lease;
    else if (by_session_.contains(session)) lease = by_session_[session];
    for (auto& hand : hands_) {
      if (hand->held(lease)) return hand->driver().take(std::move(event));
    }
    // A client may be quicker than the broker's answer to its worker, which comes by another connection.
    if (lease != 0) early_.push_back(std::move(event));
  }

  void stop() {
    signalfd_siginfo signal{};
    if (::read(stops_, &signal, sizeof signal) != sizeof signal) return;
    for (auto& hand : hands_) hand->driver().tell(workers::Stop{.now = true});
  }

  const PartyOptions& options_;
  const int stops_ = stop_signals();
  Pen pen_;
  const Duration work_;
  Transport transport_;
  std::vector<std::unique_ptr<Hand>> hands_;
  std::multimap<Instant, std::pair<Hand*, workers::Serve>> due_;
  std::map<std::uint64_t, std::uint64_t> by_session_;
  std::vector<Incoming> early_;  // for a lease that no worker has been told of yet
};

}  // namespace

int run_worker(const PartyOptions& options) { return Crew(options).run(); }

}  // namespace pointsman::faults
