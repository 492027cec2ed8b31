// A job: one call while a thread of the worker library works on it, and the bridge between that thread and the
// one that talks to the world.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "workers/core/events.hpp"
#include "workers/worker.hpp"

namespace pointsman::workers {

// Thread safe. The function sees it as Work; the I/O thread takes what it has to say, one at a time.
class Job final : public Work {
 public:
  // `stir` is called, from the function's thread, when there is something to take.
  Job(Serve serve, std::function<void()> stir) : serve_(std::move(serve)), stir_(std::move(stir)) {}

  const Payload& request() const override { return serve_.payload; }
  const std::string& service() const override { return serve_.service; }
  const std::string& client() const override { return serve_.client; }
  std::uint64_t session() const override { return serve_.session; }
  bool part(Payload frames) override;
  void answer(Payload frames) override;
  void progress() override;
  bool cancelled() const override;

  // Runs the function; whatever it throws fails this call only.
  void run(const std::function<void(Work&)>& function);

  // For the I/O thread.
  void cancel();
  std::optional<Event> take();        // the next event for the core
  bool over() const;                  // the last one was taken
  std::uint64_t number() const { return serve_.number; }

 private:
  void say(Event event);
  static std::size_t size_of(const Payload& frames);
  static std::size_t check_size(const Payload& frames);  // throws if it is too large for a part

  const Serve serve_;
  const std::function<void()> stir_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::deque<Event> events_;
  std::size_t bytes_ = 0;  // of the parts among them
  bool full_ = false;      // the function waits for room
  Payload last_;  // what answer() was given; leaves when the function has returned
  bool answered_ = false;
  bool ended_ = false;
  bool cancelled_ = false;
  std::uint64_t progress_ = 0;
};

}  // namespace pointsman::workers
