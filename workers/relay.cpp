// Passes messages of workers on to a broker and its answers back. One thread, one transport.
#include "workers/relay.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <unordered_map>
#include <utility>
#include <variant>

#include "protocol/envelope.hpp"
#include "protocol/names.hpp"
#include "protocol/notice.hpp"
#include "protocol/signals.hpp"
#include "protocol/trace.hpp"
#include "protocol/transport.hpp"

namespace pointsman::workers {

namespace {

constexpr int exit_done = 0, exit_unreachable = 3;

// A broker that does not let the relay in may have learned better.
constexpr Duration try_again = std::chrono::seconds(2);
// What waits for a broker that is slow or away, of all workers together.
constexpr std::size_t outbox = 65'536;                 // messages
constexpr std::size_t outbox_bytes = 16 * 1024 * 1024;
constexpr std::size_t traced_max = 10'000;  // peers that a trace tells apart

class Relay {
 public:
  explicit Relay(const RelayOptions& options)
      : options_(options), credentials_(broker_credentials(options.key, options.broker_key)) {
    bound_ = transport_.listen(Door::workers, options.listen, {});
    transport_.watch(signals_.descriptor(), [this] { stopping_ = signals_.next().has_value(); });
    dial();
    if (options.patience.count() > 0) patient_until_ = now() + options.patience;
  }

  int run() {
    while (!stopping_) {
      transport_.turn(std::min({redial_, patient_until_, notice_.due()}),
                      [this](Incoming&& incoming) { std::visit([this](auto&& event) { take(std::move(event)); }, std::move(incoming)); });
      if (redial_ <= now()) dial();
      if (patient_until_ <= now()) {
        say(options_.broker + " did not let this relay in; start the broker there, or name another one with --broker");
        return exit_unreachable;
      }
      notice_.tick(now());
    }
    notice_.stopping();
    return exit_done;
  }

 private:
  void dial() {
    redial_ = never;
    TransportLimits limits;
    limits.outbox = outbox;
    limits.outbox_bytes = outbox_bytes;
    broker_ = transport_.connect(Door::broker, options_.broker, limits, credentials_, true);
    transport_.on_handshake(broker_, [this](const Handshake& handshake) { shook_hands(handshake); });
  }

  void shook_hands(const Handshake& handshake) {
    if (handshake.result == Handshake::Result::done) return connected();
    if (handshake.reason != told_) say(handshake.reason + "; " + handshake.remedy);
    told_ = handshake.reason;
    if (!handshake.final()) return;
    transport_.disconnect(broker_);
    redial_ = now() + try_again;
  }

  void connected() {
    patient_until_ = never;
    told_.clear();
    say("connected to " + options_.broker);
    if (std::exchange(ready_, true)) return;
    notice_.ready("workers " + bound_);
    if (options_.quiet) return;
    std::printf("ready workers=%s\n", bound_.c_str());
    std::fflush(stdout);
  }

  void take(Received&& event) {
    if (options_.trace) print(trace_line(event, naming_));
    if (event.from.door == Door::workers) {
      pass_on(std::move(event));
    } else {
      pass_back(std::move(event));
    }
  }

  void pass_on(Received&& event) {
    auto envelope = add_hop({event.from.peer, event.from.envelope});
    if (!envelope) {
      return refuse(event.from, Code::limit_reached, "there is no room in the return envelope for one more hop");
    }
    transport_.send({.to = {Door::broker, event.from.codec, broker_, *std::move(envelope)},
                     .message = std::move(event.message),
                     .payload = {}});
  }

  // What has no hop of ours is not for a worker. Nor is there anybody to tell.
  void pass_back(Received&& event) {
    auto hop = take_hop(event.from.envelope);
    if (!hop) return;
    send({.to = {Door::workers, event.from.codec, hop->peer, std::move(hop->envelope)},
          .message = std::move(event.message),
          .payload = {}});
  }

  void take(Garbled&& event) {
    if (event.from.door == Door::workers) refuse(event.from, event.fault.code, event.fault.reason);
  }

  // A worker that is gone is missed by its lease, and one whose broker is gone by its heartbeats.
  void take(Gone&& event) {
    if (event.door == Door::broker) say("the connection to " + options_.broker + " is lost, and is tried again");
  }

  void refuse(const Address& to, Code code, std::string reason) {
    Refused refused;
    refused.code = code;
    refused.reason = std::move(reason);
    refused.remedy = "see PROTOCOL.md";
    send({.to = to, .message = std::move(refused), .payload = {}});
  }

  void send(Send&& action) {
    if (options_.trace) print(trace_line(action, naming_));
    transport_.send(action);
  }

  void say(const std::string& text) const {
    if (!options_.quiet) print((options_.trace ? "# " : std::string(program_name) + " relay: ") + text);
  }
  static void print(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

  // w1, w2 … in the order in which they turn up.
  std::string name(const Address& address) {
    if (address.door == Door::broker) return "broker";
    if (names_.size() >= traced_max) names_.clear();
    const auto [found, is_new] = names_.try_emplace(address.peer);
    if (is_new) found->second = "w" + std::to_string(++traced_);
    return found->second;
  }

  const RelayOptions& options_;
  const Credentials credentials_;
  Notice& notice_ = Notice::of_process();
  Signals signals_{SIGTERM, SIGINT};
  Transport transport_;
  std::string bound_;
  std::uint64_t broker_ = 0;  // the connection to it
  Instant redial_ = never;
  Instant patient_until_ = never;
  std::string told_;  // the last trouble
  bool ready_ = false;
  bool stopping_ = false;

  std::unordered_map<std::uint64_t, std::string> names_;
  int traced_ = 0;
  Naming naming_ = [this](const Address& address) { return name(address); };
};

}  // namespace

int run_relay(const RelayOptions& options) { return Relay(options).run(); }

}  // namespace pointsman::workers
