// The engine of the library: one thread with a transport that drives the core for any number of user threads.
//
// Users hand over what they want and functions to be told by, which run on the engine's thread and must
// neither block nor throw. Each thing has exactly one end: a session `over`, a call its last `part` or
// `failed`, a question its `answer`; also when the engine stops. Thread safe.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
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
#include "protocol/transport.hpp"

namespace pointsman::clients {

struct SessionSink {
  std::function<void(const Granted&, int reassigned)> held;  // again for every replacement
  std::function<void(Error)> over;                           // before or after it was held
  std::function<void(const Queued&)> waiting;                // may be empty
};

struct CallSink {
  std::function<void(Payload, bool more)> part;
  std::function<void(Error)> failed;
};

using AnswerSink = std::function<void(const Message&)>;
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

  // Returns the handle. The engine fills in handle and id.
  std::uint64_t acquire(Acquire event, SessionSink sink);
  void invoke(Invoke event, CallSink sink);
  void ask(Message question, AnswerSink sink);
  void tell(Event event);  // AbandonCall, RenewSession, ReleaseSession

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

  static constexpr std::size_t inbox_max = 10'000;  // orders; whoever brings more waits

  void post(Order order);
  static void refuse(const Order& order);
  void run();
  bool serve_inbox();
  void file(const Event& event, Sink sink);
  void feed(Event event);
  void fail_all(const Error& error);

  void receive(Incoming&& incoming);
  bool translate(Door door, std::uint64_t& peer) const;
  void perform(Action& action);
  void act(Send& action);
  void act(const Connect& action);
  void act(const Disconnect& action);
  void act(const Reconnect& action);
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
  std::string name_of(const Address& address) const;
  void list_brokers();
  Line& line_to(std::uint64_t broker);
  void hang_up(std::uint64_t broker);
  void shook_hands(const Handshake& handshake);
  Credentials credentials_for(const std::string& worker_key);

  const std::string name_;
  const bool trace_;
  const NewsSink news_;

  // The engine's thread.
  Credentials credentials_;
  SharedKeyPair links_own_;  // shown to workers
  Transport transport_;
  ClientCore core_;
  std::optional<finder::Search> search_;
  finder::Roster roster_;
  std::map<std::uint64_t, Line> lines_;                       // by broker
  std::map<std::uint64_t, int> broken_;                       // by broker: handshakes in a row, by whatever line
  std::unordered_map<std::uint64_t, std::uint64_t> brokers_;  // peer -> broker
  std::unordered_map<std::uint64_t, std::uint64_t> peers_;    // link -> peer
  std::unordered_map<std::uint64_t, std::uint64_t> links_;    // peer -> link
  std::unordered_map<std::uint64_t, std::string> endpoints_;  // of links, for the trace
  std::map<std::uint64_t, SessionSink> sessions_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, CallSink> calls_;
  std::map<std::uint64_t, AnswerSink> answers_;
  std::deque<Event> later_;  // what came up while actions were performed

  // Shared.
  std::mutex mutex_;
  std::condition_variable room_;
  std::vector<Order> inbox_;
  std::uint64_t last_ = 0;  // handle or token
  bool stopped_ = false;    // nothing more is taken
  bool stopping_ = false;
  Instant stop_by_ = never;

  std::thread thread_;
};

}  // namespace pointsman::clients
