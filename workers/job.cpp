// What a function says, until it is taken.
#include "workers/job.hpp"

#include "protocol/system.hpp"

namespace pointsman::workers {

namespace {

std::size_t check_size(const Payload& frames) {
  const std::size_t size = bytes_of(frames);
  if (frames.size() > limits::payload_frames || size > limits::payload_bytes) {
    throw WorkFailed("an answer of " + std::to_string(frames.size()) + " frames and " + std::to_string(size) +
                     " bytes is too large for one part: send it in several");
  }
  return size;
}

}  // namespace

bool Job::part(Payload frames) {
  const std::size_t size = check_size(frames);
  if (answered_) throw std::logic_error("part() after answer()");
  if (cancelled_) return false;
  bool leaves = true;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t each = frames.size();
    gather(std::move(frames), size);
    const auto& newest = std::get<Answered>(events_.back());
    const bool room = serve_.gather && each > 0 && newest.payload.size() + each <= gathered_frames &&
                      bytes_ + size <= gathered_bytes;
    leaves = !room || now() >= left_ + gathered_for;
  }
  if (leaves) leave_(*this);
  return !cancelled_;
}

// Joins them to the part before, if there is room.
void Job::gather(Payload frames, std::size_t bytes) {
  auto* before = events_.empty() ? nullptr : std::get_if<Answered>(&events_.back());
  const bool fits = before != nullptr && serve_.gather && !frames.empty() &&
                    before->payload.size() == before->parts * frames.size() &&
                    before->payload.size() + frames.size() <= gathered_frames &&
                    bytes_ + bytes <= gathered_bytes;
  if (fits) {
    if (before->parts == 1) before->payload.reserve(gathered_frames);
    std::move(frames.begin(), frames.end(), std::back_inserter(before->payload));
    ++before->parts;
    bytes_ += bytes;
    return;
  }
  events_.push_back(Answered{serve_.session, serve_.number, std::move(frames), true});
  bytes_ = bytes;
}

void Job::answer(Payload frames) {
  check_size(frames);
  if (answered_) throw std::logic_error("answer() was called twice");
  answered_ = true;
  last_ = std::move(frames);
}

void Job::progress() {
  {
    const std::lock_guard lock(mutex_);
    ++progress_;
    if (now() < left_ + gathered_for) return;  // it goes with what follows
  }
  leave_(*this);
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
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
}

std::optional<Event> Job::take(Instant at) {
  const std::lock_guard lock(mutex_);
  left_ = at;
  if (progress_ > 0) return Progressed{std::exchange(progress_, 0)};
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

Instant Job::due() const {
  const std::lock_guard lock(mutex_);
  return events_.empty() && progress_ == 0 ? never : left_ + gathered_for;
}

}  // namespace pointsman::workers
