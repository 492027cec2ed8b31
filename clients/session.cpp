// A session as its user sees it.

#include <deque>

#include "clients/inside.hpp"

namespace pointsman {

namespace {

using clients::CallSink;

Error too_large(std::size_t most) {
  return {Code::limit_reached, "the answer is larger than " + std::to_string(most) + " bytes (answer_max)"};
}

// Joins the parts of an answer; `done` gets it, or the error, once. `loud`: it runs a user's code.
CallSink joining(std::size_t most, bool loud,
                 std::function<void(std::optional<Payload>, std::optional<Error>)> done) {
  struct Answer {
    Payload frames;
    std::size_t bytes = 0;
    bool over = false;
    std::function<void(std::optional<Payload>, std::optional<Error>)> done;
  };
  auto answer = std::make_shared<Answer>();
  answer->done = std::move(done);
  CallSink sink;
  sink.loud = loud;
  sink.part = [answer, most](Payload part, std::uint64_t, bool more) {
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

// One answer, and the thread that waits for it. Belongs to whoever has the engine's lock.
struct Wanted {
  Helm::Place place;
  std::optional<Payload> answer;
  std::optional<Error> error;
};

// The parts of an answer that have come and the user has not taken yet. Belongs to whoever has the engine's lock.
struct Stream {
  struct Some {  // parts of equally many frames
    Payload payload;
    std::uint64_t parts = 1;
  };

  Helm::Place place;
  std::deque<Some> come;
  std::size_t bytes = 0;  // of them, and of those that were taken last
  std::size_t taken = 0;  // of those
  bool over = false;
  std::optional<Error> error;

  void push(Some some, bool more, std::size_t most) {
    if (over) return;
    bytes += bytes_of(some.payload);
    if (bytes > most) error = too_large(most);
    over = !more || error;
    come.push_back(std::move(some));
  }
  void fail(Error why) {
    if (over) return;
    over = true;
    error = std::move(why);
  }
};

// Waits until something has come, and takes it; nothing is left behind the end. Throws the error behind the last part.
std::deque<Stream::Some> next(clients::Engine& engine, Stream& stream) {
  std::deque<Stream::Some> come;
  const auto something = [&] {
    stream.bytes -= std::exchange(stream.taken, 0);
    return stream.over || !stream.come.empty();
  };
  engine.wait(stream.place, something, [&] {
    stream.taken = stream.bytes;
    come.swap(stream.come);
  });
  if (come.empty() && stream.error) throw *stream.error;
  return come;
}

// Gives each part to the user.
void hand_out(Stream::Some some, const std::function<void(Payload)>& part) {
  if (some.parts == 1) return part(std::move(some.payload));
  const auto each = static_cast<std::ptrdiff_t>(some.payload.size() / some.parts);
  auto frame = std::make_move_iterator(some.payload.begin());
  for (std::uint64_t i = 0; i < some.parts; ++i, frame += each) part(Payload(frame, frame + each));
}

}  // namespace

void Session::Inside::acquire(const std::string& service, const AcquireOptions& options, Done done,
                              bool loud) {
  clients::Acquire event;
  event.service = service;
  event.wait = options.wait;
  event.priority = static_cast<std::uint64_t>(options.priority);
  event.absent = options.absent;
  event.term = options.term;
  event.exclude = options.exclude;
  event.when = options.when;
  event.prefer = options.prefer;
  event.reassign = options.reassign;
  event.apart = options.apart;

  state_->done = std::move(done);
  clients::SessionSink sink;
  sink.loud = loud;
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
  event.handle = handle_ = engine_->new_handle();
  engine_->acquire(std::move(event), std::move(sink));
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
  event.gather = true;
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
  clients::Engine& engine = inside().engine();
  auto wanted = std::make_shared<Wanted>();
  const std::uint64_t number =
      inside().invoke(std::move(request), options,
                      joining(inside().answer_max(), false,
                              [wanted, &engine](std::optional<Payload> answer, std::optional<Error> error) {
                                wanted->answer = std::move(answer);
                                wanted->error = std::move(error);
                                engine.call(wanted->place);
                              }));
  engine.wait(wanted->place, [&] { return wanted->answer || wanted->error; });
  if (!wanted->error) return std::move(*wanted->answer);
  if (wanted->error->code == Code::limit_reached) inside().abandon(number);
  throw *wanted->error;
}

void Session::stream(Payload request, const std::function<void(Payload)>& part, const CallOptions& options) {
  inside().may_wait();
  clients::Engine& engine = inside().engine();
  auto stream = std::make_shared<Stream>();
  CallSink sink;
  sink.part = [stream, &engine, most = inside().answer_max()](Payload come, std::uint64_t parts, bool more) {
    stream->push({std::move(come), parts}, more, most);
    engine.call(stream->place, !more);
  };
  sink.failed = [stream, &engine](Error error) {
    stream->fail(std::move(error));
    engine.call(stream->place);
  };
  const std::uint64_t number = inside().invoke(std::move(request), options, std::move(sink));
  try {
    for (auto come = next(engine, *stream); !come.empty(); come = next(engine, *stream)) {
      for (Stream::Some& some : come) hand_out(std::move(some), part);
    }
  } catch (...) {  // of the worker or of `part`: nobody takes the rest
    inside().abandon(number);
    throw;
  }
}

void Session::call_async(Payload request,
                         std::function<void(std::optional<Payload>, std::optional<Error>)> done,
                         const CallOptions& options) {
  inside().invoke(std::move(request), options, joining(inside().answer_max(), true, std::move(done)));
}

void Session::renew(std::chrono::milliseconds term) { inside().renew(term); }

void Session::release() {
  if (inside_) inside_->release();
}

Grant Session::grant() const { return inside().grant(); }

int Session::reassigned() const { return inside().reassigned(); }

}  // namespace pointsman
