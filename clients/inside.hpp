// What is behind Client and Session: their engine, and what a session's user shares with it.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "clients/client.hpp"
#include "clients/engine.hpp"

namespace pointsman {

struct Client::Inside {
  ClientOptions options;
  std::shared_ptr<clients::Engine> engine;
};

class Session::Inside {
 public:
  // Called once, when the session is held or not to be had.
  using Done = std::function<void(const std::optional<Error>&)>;

  explicit Inside(const Client::Inside& client)
      : engine_(client.engine), answer_max_(client.options.answer_max) {}
  ~Inside() { release(); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

  // Once, before anything else. `loud`: `done` runs a user's code.
  void acquire(const std::string& service, const AcquireOptions& options, Done done, bool loud);

  // Sends a call and returns its number. The sink is told of at most `answer_max` bytes.
  std::uint64_t invoke(Payload request, const CallOptions& options, clients::CallSink sink);
  void abandon(std::uint64_t number) { engine_->tell(clients::AbandonCall{handle_, number}); }
  void renew(Milliseconds term);
  void release();

  Grant grant() const;
  int reassigned() const;
  void may_wait() const { engine_->may_wait(); }
  clients::Engine& engine() const { return *engine_; }
  std::size_t answer_max() const { return answer_max_; }

 private:
  // Written by the engine, which may outlive the session.
  struct State {
    std::mutex mutex;
    Done done;
    Grant grant;
    int reassigned = 0;
    std::optional<Error> over;
  };

  void check() const;  // throws if it is over

  const std::shared_ptr<clients::Engine> engine_;
  const std::size_t answer_max_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::uint64_t handle_ = 0;
  std::atomic<std::uint64_t> numbers_{0};
  std::atomic<bool> released_{false};
};

}  // namespace pointsman
