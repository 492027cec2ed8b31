// The client library: ask the broker for a worker, talk to the worker directly, release it.
//
//   pointsman::Client client;                          // default broker, or $POINTSMAN_BROKER
//   auto session = client.acquire("zip");              // waits in the queue if it must
//   auto answer = session.call({"some text"});         // any number of calls
//   session.release();                                 // or let it go out of scope
//
// Blocking calls; each has a deadline. The asynchronous twins take a callback, which runs on the client's
// own thread and must not block, throw or call back into a blocking function; while 1,024 of them, or 64 MiB of what they
// get, wait for their turn, nothing more is read, signs of life neither. Errors are thrown as Error. What a
// blocking call waits for is taken off the sockets by the thread that waits, so such calls are the quickest.
// Thread safe: a Client and a Session may be used from any thread.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "protocol/frame.hpp"
#include "protocol/messages.hpp"

namespace pointsman {

#ifndef POINTSMAN_API
#define POINTSMAN_API __attribute__((visibility("default")))
#endif

// A refusal or failure. `code` tells programs which, what() and `remedy` tell people.
class POINTSMAN_API Error : public std::runtime_error {
 public:
  Error(Code why, const std::string& what) : std::runtime_error(what), code(why) {}

  Code code;
  std::string remedy;     // what to do about it; may be empty
  Milliseconds retry{0};  // hint: try again no sooner
  int exit = 0;           // of a program behind the worker
  std::string detail;     // the end of its stderr
};

struct ClientOptions {
  std::string broker;  // the clients' listener, or where to look for several (`pointsman help brokers`); empty:
                       // $POINTSMAN_BROKER, else the default
  std::string name;    // shown in listings; empty: made from host, process and chance
  Attributes attributes;  // what it says of itself, for the conditions of workers
  std::string key;         // file of this client's key pair; empty: $POINTSMAN_KEY, else no encryption
  std::string broker_key;  // the broker's public key, or a file that has it; empty: $POINTSMAN_BROKER_KEY
  std::string realm;  // file of the key by which answers to `auto` are known; empty: $POINTSMAN_REALM
  std::chrono::milliseconds patience{5000};  // for the broker's answer to anything that does not wait
  std::chrono::milliseconds overflow{0};  // a request that waits at one of several brokers for longer goes to the next,
                                          // where it waits anew, once from each; 0: it stays where it is
  std::chrono::milliseconds pulse{
      1000};                    // while calls are outstanding a worker gives a sign of life this often
  int pulses = 3;               // missing ones after which it counts as dead
  std::size_t links_max = 256;  // kept connections to workers
  std::size_t linked_max =
      4;  // of these, that a request names (4 at most): a worker that is level with the best
          // is taken if it is among them; 0: none, so that calls go round
  std::size_t answer_max = 256 * 1024 * 1024;  // bytes of one answer that wait for its caller
  bool trace = false;                          // print messages in the notation on stderr
};

struct AcquireOptions {  // times are cut to a day
  std::chrono::milliseconds wait{5000};  // in the broker's queue; 0: take one that is free now, or fail
  int priority = 0;                      // 0 to 9, higher goes first
  bool absent = false;                   // wait also while nobody offers the service
  std::chrono::milliseconds term{0};     // of the session, renewed while it is held; 0: the broker's default
  int reassign = 2;    // how many times a worker that dies is replaced, its calls sent again.
                       // 0: a call runs at most once
  bool apart = false;  // somebody else talks to the worker, with the endpoint and ticket of grant(): this
                       // client makes no link, only renews and releases, through the broker. So it is anyway
                       // with workers that serve clients in their own way (direct=own)
  std::vector<std::string> exclude;           // workers that are not wanted
  std::string when;    // a condition on the worker's attributes: gpu == h200 and mem >= 64G; empty: any worker
  std::string prefer;  // which of those that match is liked best: region == eu; +mem
  std::function<void(const Queued&)> queued;  // position in the queue, as it changes
};

struct CallOptions {
  std::chrono::milliseconds limit{30000};  // cut to a day
};

// What a session is, as the broker said it.
using Grant = Granted;

class Client;

// A worker's slot, held until released. Move only; releases itself when destroyed.
class POINTSMAN_API Session {
 public:
  Session();
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // Sends the frames and returns those of the answer (all parts joined). Throws Error.
  Payload call(Payload request, const CallOptions& options = {});

  // Sends the frames and gives each part to `part` as it comes, on the calling thread. Throws Error.
  void stream(Payload request, const std::function<void(Payload)>& part, const CallOptions& options = {});

  // Returns at once; `done` gets the answer or the error, exactly one of them.
  void call_async(Payload request, std::function<void(std::optional<Payload>, std::optional<Error>)> done,
                  const CallOptions& options = {});

  // A new term from now. Not needed while this object lives: the client renews it.
  void renew(std::chrono::milliseconds term = std::chrono::milliseconds(0));

  // Ends the session; further use throws. Harmless to repeat.
  void release();

  // The newest grant: after a reassignment it names the new worker.
  Grant grant() const;
  int reassigned() const;  // how many times the worker was replaced

 private:
  friend class Client;
  class Inside;
  explicit Session(std::shared_ptr<Inside> inside);
  Inside& inside() const;
  std::shared_ptr<Inside> inside_;
};

class POINTSMAN_API Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();  // releases every session, waits at most 500 ms for that to be heard. Not within a callback
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Session acquire(const std::string& service, const AcquireOptions& options = {});
  void acquire_async(const std::string& service,
                     std::function<void(std::optional<Session>, std::optional<Error>)> done,
                     const AcquireOptions& options = {});

  // Connects ahead: takes a session of up to `most` workers (8 at most) that have a slot free now, and gives all back at
  // once. Connections stay for a minute, so the first call of a session with such a worker does not wait for one.
  // Returns how many workers there were; throws Error if there was none.
  std::size_t warm(const std::string& service, std::size_t most = 1);

  // acquire, one call, release.
  Payload call(const std::string& service, Payload request, const AcquireOptions& acquire = {},
               const CallOptions& call = {});

  // Any question to the broker (List, Explain, Drain, Configure, Status, Hello …) and its answer. Throws
  // Error if it is refused or nobody answers within `patience`.
  Message ask(const Message& question);

  // Subscribes to events and gives each to `event`, on the calling thread, until it returns false. `idle` is
  // called about ten times a second while nothing comes, and ends the watch by returning false, too. `gap` is
  // told how many events were missed (0: unknown, the broker restarted); only a watch of everything can count
  // them. Throws Error if the broker is silent for `patience`.
  void watch(const Watch& what, const std::function<bool(const Happened&)>& event,
             const std::function<bool()>& idle = {}, const std::function<void(std::uint64_t)>& gap = {});

  const std::string& name() const;

 private:
  friend class Session;
  struct Inside;
  std::shared_ptr<Inside> inside_;
};

}  // namespace pointsman
