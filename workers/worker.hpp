// The worker library: serve a function under a lease.
//
//   pointsman::Worker worker({.services = {{"upper"}}, .slots = 4});
//   worker.serve([](pointsman::Work& work) {
//     for (const auto& frame : work.request()) work.answer({upper(frame.str())});
//   });                                              // until stop(), drain-and-leave, or SIGTERM by the caller
//
// serve() blocks; the function runs on at most `slots` threads of the worker's own, one call of a session at
// a time. While it runs another thread sees to heartbeats and the direct link, a millisecond later at most, so a long
// call never costs the lease.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "protocol/frame.hpp"
#include "protocol/messages.hpp"

namespace pointsman {

#ifndef POINTSMAN_API
#define POINTSMAN_API __attribute__((visibility("default")))
#endif

struct WorkerOptions {
  std::string broker;  // the workers' listener, or where to look for several (`pointsman help brokers`); empty:
                       // $POINTSMAN_WORKERS, else the default
  std::string name;                 // unique at the broker; empty: made from host, process and chance
  std::vector<Offer> services;      // at least one
  std::uint64_t slots = 1;          // sessions at a time, and threads
  std::string bind = "tcp://127.0.0.1:*";  // where clients come
  std::string advertise;            // what clients are told; empty: what bind became
  bool insecure = false;            // allow plaintext on an address that is not loopback
  std::string key;                  // file of this worker's key pair; empty: $POINTSMAN_KEY, else no encryption
  std::string broker_key;           // the broker's public key, or a file that has it; empty: $POINTSMAN_BROKER_KEY
  std::string realm;  // file of the key by which answers to `auto` are known; empty: $POINTSMAN_REALM
  Attributes attributes;            // what it says of itself, for requests with conditions
  std::string accepts;              // a condition on the client's attributes: tenant in {a, b}; empty: any client
  Milliseconds lease{0};            // 0: the broker's default; `forever`
  Milliseconds patience{10000};     // for the first registration; 0: for ever
  std::size_t calls_max = 64;       // calls of one session that wait behind the running one
  bool trace = false;
};

// Thrown by serve() when the broker refuses the registration for good, and by the function to fail a call.
class POINTSMAN_API WorkFailed : public std::runtime_error {
 public:
  explicit WorkFailed(const std::string& reason, int with_exit = 0, std::string with_detail = {})
      : std::runtime_error(reason), exit(with_exit), detail(std::move(with_detail)) {}
  int exit;            // 0 to 255, told to the client
  std::string detail;  // told to the client, cut to its last 8 KiB
};

// One call while it is worked on. Belongs to the worker; valid until the function returns.
class POINTSMAN_API Work {
 public:
  virtual ~Work() = default;
  virtual const Payload& request() const = 0;
  virtual const std::string& service() const = 0;
  virtual const std::string& client() const = 0;
  virtual std::uint64_t session() const = 0;

  // Sends a part of the answer; blocks while the client reads too slowly. False once nobody wants it. A part that
  // follows another one within a millisecond may wait for the next ones, for a millisecond or two.
  virtual bool part(Payload frames) = 0;
  // Gives the last part, which leaves when the function returns. Without it the last part has no frames.
  virtual void answer(Payload frames) = 0;
  // Says that work moves on, for work without parts that takes long.
  virtual void progress() = 0;
  // True once the client abandoned the call, its limit passed, or the worker stops.
  virtual bool cancelled() const = 0;
};

class POINTSMAN_API Worker {
 public:
  explicit Worker(WorkerOptions options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Registers and serves until stopped; returns when it has left and nothing runs. Throws what the world
  // or the broker refuses (cannot bind, name taken). An exception of the function fails that call only.
  void serve(const std::function<void(Work&)>& function);

  void drain();                 // no new sessions; serve() goes on
  void stop(std::chrono::milliseconds within = std::chrono::milliseconds(5000));  // drain, leave, return.
                                // Thread safe, not for signal handlers: use signalfd or a thread

  const std::string& name() const;
  std::string endpoint() const;  // what clients are told; empty before serve() has bound

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace pointsman
