// A server of its own: a command that serves clients itself, or an endpoint that exists already.
//
// The worker is registered only while the server accepts connections, so that nobody is sent to one that is down.

#pragma once

#include <memory>
#include <string>

#include "workers/craft.hpp"

namespace pointsman::workers {

class Server {
 public:
  explicit Server(Workshop& shop);
  ~Server();

  // Where clients go. Set once the command was started; for an endpoint that exists, always.
  const std::string& endpoint() const { return endpoint_; }

  // Starts the command, looks whether it accepts connections; returns when to come again.
  Instant tick(Instant now);

  bool up() const { return stage_ == Stage::up; }
  void stop();  // SIGTERM to the command; it is not started again
  void kill();
  bool stopped() const { return stopping_ && child_.pid < 0; }

 private:
  enum class Stage : std::uint8_t { down, starting, up };

  void start();
  void ended(int status);
  void probe();
  void close_probe();

  Workshop& shop_;
  Stage stage_ = Stage::down;
  Backoff backoff_;
  Child child_;
  std::string bind_;
  std::string endpoint_;
  Instant next_;
  Instant give_up_;  // starting: it must accept connections by then
  int probe_ = -1;
  bool stopping_ = false;
};

}  // namespace pointsman::workers
