// A session as its user sees it.

#include <condition_variable>
#include <deque>
#include <future>

#include "clients/inside.hpp"

namespace pointsman {

namespace {

using clients::CallSink;

std::size_t bytes_of(const Payload& payload) {
  std::size_t bytes = 0;
  for (const Frame& frame : payload) bytes += frame.size();
  return bytes;
}

Error too_large(std::size_t most) {
  return {Code::limit_reached, "the answer is larger than " + std::to_string(most) + " bytes (answer_max)"};
}

// Joins the parts of an answer; `done` gets it, or the error, once.
CallSink joining(std::size_t most, std::function<void(std::optional<Payload>, std::optional<Error>)> done) {
  struct Answer {
    Payload frames;
    std::size_t bytes = 0;
    bool over = false;
    std::function<void(std::optional<Payload>, std::optional<Error>)> done;
  };
  auto answer = std::make_shared<Answer>();
  answer->done = std::move(done);
  CallSink sink;
  sink.part = [answer, most](Payload part, bool more) {
    if (answer->over) return;
    answer->bytes += bytes_of(part);
    answer->over = !more || answer->bytes > most;
    if (answer->bytes > most) return answer->done(std::nullopt, too_large(most));
    if (answer->frames.empty()) {
      answer->frames = std::move(part);
    } else {
      std::move(part.begin(), part.end(), std::back_inserter(answer->frames));
    }
    if (!more) answer->done(std::move(answer->frames), std::nullopt);
  };
  sink.failed = [answer](Error error) {
    if (!std::exchange(answer->over, true)) answer->done(std::nullopt, std::move(error));
  };
  return sink;
}

// The parts of an answer that the engine has and the user has not taken yet.
struct Stream {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Payload> parts;
  std::size_t bytes = 0;  // of them, and of those that were taken last
  std::size_t taken = 0;  // of those
  bool over = false;
  std::optional<Error> error;

  void push(Payload part, bool more, std::size_t most) {
    {
      const std::lock_guard lock(mutex);
      if (over) return;
      bytes += bytes_of(part);
      if (bytes > most) error = too_large(most);
      over = !more || error;
      parts.push_back(std::move(part));
    }
    changed.notify_one();
  }
  void fail(Error why) {
    {
      const std::lock_guard lock(mutex);
      if (over) return;
      over = true;
      error = std::move(why);
    }
    changed.notify_one();
  }
  // The parts that are there, at least one; none after the last one. Throws the error behind the last one.
  std::deque<Payload> next() {
    std::unique_lock lock(mutex);
    bytes -= std::exchange(taken, 0);
    changed.wait(lock, [this] { return over || !parts.empty(); });
    if (parts.empty() && error) throw *error;
    taken = bytes;
    return std::exchange(parts, {});
  }
};

}  // namespace

void Session::Inside::acquire(const std::string& service, const AcquireOptions& options, Done done) {
  clients::Acquire event;
  event.service = service;
  event.wait = options.wait;
  event.priority = static_cast<std::uint64_t>(options.priority);
  event.absent = options.absent;
  event.term = options.term;
  event.exclude = options.exclude;
  event.reassign = options.reassign;
  event.apart = options.apart;

  state_->done = std::move(done);
  clients::SessionSink sink;
  sink.waiting = options.queued;
  sink.held = [state = state_](const Granted& granted, int reassigned) {
    Done told;
    {
      const std::lock_guard lock(state->mutex);
      state->grant = granted;
      state->reassigned = reassigned;
      told = std::exchange(state->done, {});
    }
    if (told) told(std::nullopt);
  };
  sink.over = [state = state_](const Error& error) {
    Done told;
    {
      const std::lock_guard lock(state->mutex);
      state->over = error;
      told = std::exchange(state->done, {});
    }
    if (told) told(error);
  };
  handle_ = engine_->acquire(std::move(event), std::move(sink));
}

void Session::Inside::check() const {
  if (released_) throw Error(Code::unknown_session, "the session was released");
  const std::lock_guard lock(state_->mutex);
  if (state_->over) throw *state_->over;
}

std::uint64_t Session::Inside::invoke(Payload request, const CallOptions& options, CallSink sink) {
  check();
  const std::uint64_t number = ++numbers_;
  clients::Invoke event{.handle = handle_, .number = number};
  event.payload = std::move(request);
  event.limit = options.limit;
  engine_->invoke(std::move(event), std::move(sink));
  return number;
}

void Session::Inside::renew(Milliseconds term) {
  check();
  engine_->tell(clients::RenewSession{handle_, term});
}

void Session::Inside::release() {
  if (handle_ != 0 && !released_.exchange(true)) engine_->tell(clients::ReleaseSession{handle_});
}

Grant Session::Inside::grant() const {
  const std::lock_guard lock(state_->mutex);
  return state_->grant;
}

int Session::Inside::reassigned() const {
  const std::lock_guard lock(state_->mutex);
  return state_->reassigned;
}

Session::Session() = default;
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::Session(std::shared_ptr<Inside> inside) : inside_(std::move(inside)) {}

Session::Inside& Session::inside() const {
  if (!inside_)
    throw Error(Code::unknown_session, "this is no session: it was never acquired, or was moved from");
  return *inside_;
}

Payload Session::call(Payload request, const CallOptions& options) {
  inside().may_wait();
  auto promise = std::make_shared<std::promise<Payload>>();
  auto answer = promise->get_future();
  const std::uint64_t number = inside().invoke(
      std::move(request), options,
      joining(inside().answer_max(), [promise](std::optional<Payload> payload, std::optional<Error> error) {
        if (error) return promise->set_exception(std::make_exception_ptr(*error));
        promise->set_value(std::move(*payload));
      }));
  try {
    return answer.get();
  } catch (const Error& error) {
    if (error.code == Code::limit_reached) inside().abandon(number);
    throw;
  }
}

void Session::stream(Payload request, const std::function<void(Payload)>& part, const CallOptions& options) {
  inside().may_wait();
  auto stream = std::make_shared<Stream>();
  CallSink sink;
  sink.part = [stream, most = inside().answer_max()](Payload next, bool more) {
    stream->push(std::move(next), more, most);
  };
  sink.failed = [stream](Error error) { stream->fail(std::move(error)); };
  const std::uint64_t number = inside().invoke(std::move(request), options, std::move(sink));
  try {
    for (auto parts = stream->next(); !parts.empty(); parts = stream->next()) {
      for (Payload& next : parts) part(std::move(next));
    }
  } catch (...) {  // of the worker or of `part`: nobody takes the rest
    inside().abandon(number);
    throw;
  }
}

void Session::call_async(Payload request,
                         std::function<void(std::optional<Payload>, std::optional<Error>)> done,
                         const CallOptions& options) {
  inside().invoke(std::move(request), options, joining(inside().answer_max(), std::move(done)));
}

void Session::renew(std::chrono::milliseconds term) {
  inside().renew(term);
}

void Session::release() {
  if (inside_) inside_->release();
}

Grant Session::grant() const {
  return inside().grant();
}

int Session::reassigned() const {
  return inside().reassigned();
}

}  // namespace pointsman
