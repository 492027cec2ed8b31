// The engine of the library: a transport and the core, driven by the user threads that wait for something, or by a
// thread of the engine's own while none does.
//
// Users hand over what they want and functions to be told by, which must neither block nor throw. Those of a `loud`
// thing run users' code: always on the engine's thread. The others run on whatever thread drives, under the engine's
// lock. Each thing has exactly one end: a session `over`, a call its last `part` or `failed`, a question its `answer`;
// also when the engine stops. Thread safe.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "clients/client.hpp"
#include "clients/core/client.hpp"
#include "protocol/finder/core/roster.hpp"
#include "protocol/finder/search.hpp"
#include "protocol/helm.hpp"
#include "protocol/transport.hpp"

namespace pointsman::clients {

struct SessionSink {
  std::function<void(const Granted&, int reassigned)> held;  // again for every replacement
  std::function<void(Error)> over;                           // before or after it was held
  std::function<void(const Queued&)> waiting;                // may be empty; always loud
  bool loud = false;
  bool held_once = false;  // the engine's
};

struct CallSink {
  std::function<void(Payload, std::uint64_t parts, bool more)> part;
  std::function<void(Error)> failed;
  bool loud = false;
};

using AnswerSink = std::function<void(const Message&)>;  // never loud
using NewsSink = std::function<void(Happened)>;

// An error as users get it.
Error error_of(const Refused& refused);
Error error_of(Code code, const std::string& reason);

class Engine {
 public:
  // Throws Error if what is named can never be a broker.
  explicit Engine(const ClientOptions& options, NewsSink news = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // The engine fills in the id. The handle is a new one, of new_handle().
  std::uint64_t new_handle() { return ++last_; }
  void acquire(Acquire event, SessionSink sink);
  void invoke(Invoke event, CallSink sink);
  void ask(Message question, AnswerSink sink);
  void tell(Event event);  // AbandonCall, RenewSession, ReleaseSession

  // Waits until `over()`, then calls `then`, both under the engine's lock; a sink that makes it true calls the place,
  // and says whether it is the last time.
  void wait(
      Helm::Place& place, const Helm::Over& over, const std::function<void()>& then = [] {});
  void call(Helm::Place& place, bool last = true);

  // Ends everything; waits until the others have heard of it, or as long as given. Not on the engine's
  // thread.
  void stop(std::chrono::milliseconds within);

  // Throws Error on the engine's own thread, where waiting would be for ever.
  void may_wait() const;

  const std::string& name() const { return name_; }

 private:
  using Sink = std::variant<std::monostate, SessionSink, CallSink, AnswerSink>;
  struct Order {
    Event event;
    Sink sink;
  };

  // A connection to a broker.
  struct Line {
    std::uint64_t peer = 0;
    finder::Place place;
  };

  // What waits to be told to users' code. More is not read from any connection until it has caught up.
  static constexpr std::size_t backlog_max = 1024;                     // functions
  static constexpr std::size_t backlog_bytes_max = 64 * 1024 * 1024;  // of the parts that they get

  void post(Order order);
  void refuse(Order order);
  void run();
  void close(Helm::Lock& lock);
  Instant due() const;
  void turn(Helm::Lock& lock);
  void take(Order order);
  void take_rest();
  void tell_loud(Helm::Lock& lock);
  void file(const Event& event, Sink sink);
  void guard(const std::function<void()>& step);
  void loudly(std::function<void()> told, std::size_t bytes = 0);
  bool crowded() const;
  void wake();
  void feed(Event event);
  void fail_all(const Error& error);

  void receive(Incoming&& incoming);
  bool translate(Door door, std::uint64_t& peer) const;
  void perform(Action& action);
  void act(Send& action);
  void act(const Connect& action);
  void act(const Disconnect& action);
  void act(const Reconnect& action);
  void act(const ReachBroker& action);
  void act(const LeaveBroker& action);
  void act(Acquired& action);
  void act(NotAcquired& action);
  void act(Waiting& action);
  void act(Part& action);
  void act(CallFailed& action);
  void act(SessionEnded& action);
  void act(Answer& action);
  void act(News& action);
  void add_search(Refused& refused) const;
  void close_session(std::uint64_t handle, const Error& error);
  void end(SessionSink sink, const Error& error);
  void fail(CallSink sink, Error error);
  std::string name_of(const Address& address) const;
  void list_brokers();
  const finder::Place& place_of(std::uint64_t broker) const;
  Line& line_to(std::uint64_t broker);
  void hang_up(std::uint64_t broker);
  void shook_hands(const Handshake& handshake);
  Credentials credentials_for(const std::string& worker_key);

  const std::string name_;
  const bool trace_;
  const NewsSink news_;

  // All that follows belongs to whoever has the helm.
  Credentials credentials_;
  SharedKeyPair links_own_;  // shown to workers
  Transport transport_;
  ClientCore core_;
  std::optional<finder::Search> search_;
  finder::Roster roster_;
  std::map<std::uint64_t, finder::Place> below_;              // by broker: where passes led
  std::map<std::uint64_t, Line> lines_;                       // by broker
  std::map<std::uint64_t, int> broken_;                       // by broker: handshakes in a row, by whatever line
  std::unordered_map<std::uint64_t, std::uint64_t> brokers_;  // peer -> broker
  std::unordered_map<std::uint64_t, std::uint64_t> peers_;    // link -> peer
  std::unordered_map<std::uint64_t, std::uint64_t> links_;    // peer -> link
  std::unordered_map<std::uint64_t, std::string> endpoints_;  // of links, for the trace
  std::map<std::uint64_t, SessionSink> sessions_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, CallSink> calls_;
  std::map<std::uint64_t, AnswerSink> answers_;
  std::deque<Event> later_;                  // what came up while actions were performed
  std::vector<Order> inbox_;                 // and what sinks ask for
  std::vector<std::function<void()>> loud_;  // to be told on the engine's thread
  std::size_t loud_bytes_ = 0;               // of these
  std::condition_variable_any caught_up_;    // for who drives
  Actions actions_;                          // reused
  std::size_t awaited_ = 0;  // loud calls, and loud sessions that are not held yet: somebody has to drive for them
  Instant until_ = never;  // who drives looks again by then
  bool stopped_ = false;   // nothing more is taken
  bool stopping_ = false;
  Instant stop_by_ = never;

  std::atomic<std::uint64_t> last_{0};  // handle or token
  Helm helm_;
  std::thread thread_;
};

}  // namespace pointsman::clients
