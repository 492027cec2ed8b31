// The function's side and the I/O thread's side of one call.
#include "workers/job.hpp"

namespace pointsman::workers {

namespace {

// Parts that wait for the I/O thread or for a slow client; then the function waits until half of them are gone. One
// part may always wait.
constexpr std::size_t parts_max = 64;
constexpr std::size_t parts_bytes = 4 * 1024 * 1024;

}  // namespace

std::size_t Job::size_of(const Payload& frames) {
  std::size_t size = 0;
  for (const Frame& frame : frames) size += frame.size();
  return size;
}

std::size_t Job::check_size(const Payload& frames) {
  const std::size_t size = size_of(frames);
  if (frames.size() > limits::payload_frames || size > limits::payload_bytes) {
    throw WorkFailed("an answer of " + std::to_string(frames.size()) + " frames and " + std::to_string(size) +
                     " bytes is too large for one part: send it in several");
  }
  return size;
}

bool Job::part(Payload frames) {
  const std::size_t size = check_size(frames);
  bool first = false;
  {
    std::unique_lock lock(mutex_);
    if (answered_) throw std::logic_error("part() after answer()");
    if (events_.size() >= parts_max || (!events_.empty() && bytes_ + size > parts_bytes)) {
      full_ = true;
      room_.wait(lock, [this] { return cancelled_ || !full_; });
    }
    if (cancelled_) return false;
    first = events_.empty();
    bytes_ += size;
    events_.push_back(Answered{serve_.session, serve_.number, std::move(frames), true});
  }
  // Otherwise the I/O thread has not taken the one before it, and takes all.
  if (first) stir_();
  return true;
}

void Job::answer(Payload frames) {
  check_size(frames);
  const std::lock_guard lock(mutex_);
  if (answered_) throw std::logic_error("answer() was called twice");
  answered_ = true;
  last_ = std::move(frames);
}

void Job::progress() {
  {
    const std::lock_guard lock(mutex_);
    if (++progress_ > 1) return;  // the I/O thread has not heard of the first one yet
  }
  stir_();
}

bool Job::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

void Job::run(const std::function<void(Work&)>& function) {
  const auto failed = [this](const char* reason, int exit = 0, std::string detail = {}) {
    say(FailedCall{.session = serve_.session,
                   .number = serve_.number,
                   .reason = reason,
                   .exit = static_cast<std::uint64_t>(exit < 0 || exit > 255 ? 255 : exit),
                   .detail = std::move(detail)});
  };
  try {
    function(*this);
    say(Answered{serve_.session, serve_.number, std::move(last_), false});
  } catch (const WorkFailed& error) {
    failed(error.what(), error.exit, error.detail);
  } catch (const std::exception& error) {
    failed(error.what());
  } catch (...) {
    failed("the function threw something that is no exception");
  }
}

void Job::say(Event event) {
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    ended_ = true;
  }
  stir_();
}

void Job::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  room_.notify_all();
}

std::optional<Event> Job::take() {
  const std::lock_guard lock(mutex_);
  if (progress_ > 0) {
    const std::uint64_t more = progress_;
    progress_ = 0;
    return Progressed{more};
  }
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  if (const auto* part = std::get_if<Answered>(&event); part && part->more) bytes_ -= size_of(part->payload);
  if (full_ && events_.size() <= parts_max / 2 && bytes_ <= parts_bytes / 2) {
    full_ = false;
    room_.notify_one();
  }
  return event;
}

bool Job::over() const {
  const std::lock_guard lock(mutex_);
  return ended_ && events_.empty();
}

}  // namespace pointsman::workers
