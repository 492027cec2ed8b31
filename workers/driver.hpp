// The driver: gives a worker core its sockets and its time. What the core says about work is handed to whoever
// runs the work. Who watches over the process hears when the lease is held, and that the work moves on. Used by one
// thread at a time; threads that take turns have a Helm.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "protocol/finder/search.hpp"
#include "protocol/notice.hpp"
#include "protocol/transport.hpp"
#include "workers/core/worker.hpp"
#include "workers/home.hpp"

namespace pointsman::workers {

// What runs the work, and what else wants to know. Each may tell() the driver; none may be empty when it is
// called for.
struct Handlers {
  std::function<void(Serve&&)> serve;
  std::function<void(const Abandoned&)> abandoned;
  std::function<void(const Enrolled&)> enrolled = [](const Enrolled&) {};
  std::function<void(const Denied&)> denied = [](const Denied&) {};
  std::function<void(const SessionBegan&)> began = [](const SessionBegan&) {};
  std::function<void(const SessionOver&)> over = [](const SessionOver&) {};
  std::function<void(const Received&)> heard = [](const Received&) {};  // every message, before the core hears it
  std::function<void(const Send&)> said = [](const Send&) {};           // every message, before it leaves
};

class Driver {
 public:
  // Connects to a broker's listener for workers, of those that `brokers` names (protocol/finder/core/sources.hpp); the
  // core registers at the first turn(). Throws TransportError. The transport outlives the driver and may have a listener already.
  // `notice`: who hears how this worker is.
  Driver(Transport& transport, WorkerSettings settings, const std::string& brokers, Handlers handlers,
         bool trace, Credentials credentials = {}, Notice& notice = Notice::of_process());
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // Hands messages to the core until one came, something else woke the transport, or it is `until`. `lock`: let go of
  // while waiting.
  void turn(Instant until, Helm::Lock* lock = nullptr);

  // turn() is due then, whatever comes; or tend(), for a transport that somebody else turns.
  Instant deadline() const;
  void tend();

  // Takes what came by a transport that somebody else turns; what is for another driver is ignored.
  void take(Incoming&& event);

  // Tells the core, and does what it says. Within a handler: afterwards.
  void tell(Event event);

  // True while an answer to this call would have to wait: its client reads too slowly.
  bool congested(std::uint64_t session, std::uint64_t number) const;

  const std::optional<Done>& done() const { return done_; }
  const WorkerCore& core() const { return core_; }
  std::uint64_t peer() const { return peer_; }  // the connection to the broker; another one after a loss

 private:
  void carry_out(Action&& action);
  void give_sign_of_life();
  void connect();
  void reconnect();
  bool choose();
  void found();
  void shun(Duration time);
  void refused(Code code);
  void scout();
  void scouted(const Handshake& handshake);
  void depart();
  void shook_hands(const Handshake& handshake);

  Transport& transport_;
  Home home_;
  WorkerCore core_;
  Credentials credentials_;
  finder::Search search_;
  finder::Place broker_;  // the one that it is connected to, or tried last
  std::uint64_t turn_;    // whose turn it is to be tried
  bool begun_ = false;    // the first one was tried
  Instant stands_by_ = never;  // then the connection stands, or the next broker gets its turn
  bool heard_ = false;         // it has said something since the connection was made
  std::uint64_t peer_ = 0;  // the connection to the broker

  // Where each service has its order of the brokers.
  finder::Place better_;        // where it looked last whether somebody is there
  std::uint64_t scout_ = 0;     // the connection to that one
  Instant scout_due_ = never;   // the next look

  Handshake trouble_;       // the last handshake, if it went wrong
  Handlers handlers_;
  bool trace_;
  Notice& notice_;
  Movement movement_;
  std::deque<Event> events_;
  bool telling_ = false;
  std::optional<Done> done_;
};

// Where brokers' listeners for workers are: `given`, else $POINTSMAN_WORKERS, else the default.
std::string workers_listener(const std::string& given);

// What a worker tells the broker of its key: Z85, or nothing without encryption.
std::string key_text(const Credentials& credentials);

// A name that no other worker has: host, process and chance.
std::string unique_worker_name();

}  // namespace pointsman::workers
