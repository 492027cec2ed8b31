// The craft of a side car: how a command does the work of calls. One of three ways each.

#pragma once

#include <memory>
#include <string>

#include "workers/core/events.hpp"
#include "workers/descriptors.hpp"
#include "workers/driver.hpp"
#include "protocol/processes.hpp"
#include "workers/sidecar.hpp"

namespace pointsman::workers {

// What the ways share; outlives them.
struct Workshop {
  const SidecarOptions& options;
  Children& processes;
  Descriptors& descriptors;
  Driver* driver = nullptr;  // while there is one
  std::string name;          // of the worker
  bool closing = false;      // the worker has left: commands that end now were asked to
  void say(const std::string& text) const;  // on stderr, unless quiet
};

// One thread. Every call that was served is ended by exactly one last Answered or FailedCall.
class Craft {
 public:
  virtual ~Craft() = default;
  virtual void serve(Serve&& serve) = 0;
  virtual void abandoned(const Abandoned& call) = 0;
  // What is due; returns when to come again, at the latest.
  virtual Instant tick(Instant now) = 0;
};

std::unique_ptr<Craft> make_each(Workshop& shop);
std::unique_ptr<Craft> make_filter(Workshop& shop);

// The pause before a command is started again: it doubles from start to start, and is short again after the
// command had been well for a while.
class Backoff {
 public:
  void started(Instant now) { started_ = now; }
  Duration pause(Instant now) {
    if (now - started_ >= std::chrono::seconds(60)) pause_ = std::chrono::milliseconds(100);
    const Duration pause = pause_;
    pause_ = std::min<Duration>(2 * pause_, std::chrono::seconds(30));
    return pause;
  }

 private:
  Instant started_;
  Duration pause_{std::chrono::milliseconds(100)};
};

}  // namespace pointsman::workers
