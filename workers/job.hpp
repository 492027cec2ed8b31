// A job: one call while a thread of the worker library works on it, and what it has said that has not left yet.

#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "workers/core/events.hpp"
#include "workers/worker.hpp"

namespace pointsman::workers {

// The function sees it as Work. What it says leaves by the thread that it runs on, which asks for it with `leave`;
// parts that come thick are gathered meanwhile, as long as the call lets them. Thread safe.
class Job final : public Work {
 public:
  // What is gathered leaves when it is so much, or as old.
  static constexpr std::size_t gathered_frames = limits::payload_frames;
  static constexpr std::size_t gathered_bytes = 64 * 1024;
  static constexpr Duration gathered_for = std::chrono::milliseconds(1);

  // `leave` is called on the function's thread: takes all that there is to take, and returns when the client can be
  // sent more, or the job is cancelled.
  Job(Serve serve, std::function<void(Job&)> leave) : serve_(std::move(serve)), leave_(std::move(leave)) {}

  const Payload& request() const override { return serve_.payload; }
  const std::string& service() const override { return serve_.service; }
  const std::string& client() const override { return serve_.client; }
  std::uint64_t session() const override { return serve_.session; }
  bool part(Payload frames) override;
  void answer(Payload frames) override;
  void progress() override;
  bool cancelled() const override { return cancelled_; }

  // Runs the function; whatever it throws fails this call only. What is to be taken then ends the call.
  void run(const std::function<void(Work&)>& function);

  std::uint64_t number() const { return serve_.number; }
  void cancel() { cancelled_ = true; }

  // The next event for the core.
  std::optional<Event> take(Instant at);
  // When what is gathered is to leave at the latest, or never if there is nothing.
  Instant due() const;

 private:
  void gather(Payload frames, std::size_t bytes);
  void say(Event event);

  const Serve serve_;
  const std::function<void(Job&)> leave_;
  std::atomic<bool> cancelled_{false};

  // The function's thread only.
  Payload last_;  // what answer() was given; leaves when the function has returned
  bool answered_ = false;

  mutable std::mutex mutex_;
  std::deque<Event> events_;
  std::size_t bytes_ = 0;  // of the newest parts
  Instant left_{};         // when something was taken
  std::uint64_t progress_ = 0;
};

}  // namespace pointsman::workers
