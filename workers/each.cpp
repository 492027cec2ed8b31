// One process per call: payload frames joined to its stdin, its stdout is the answer.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <system_error>

#include "workers/craft.hpp"

namespace pointsman::workers {

namespace {

constexpr std::size_t part_bytes = 256 * 1024;  // what is larger than that is answered in parts
constexpr Duration look{std::chrono::milliseconds(500)};
constexpr Duration linger{std::chrono::seconds(1)};  // for output of somebody whom the ended command left behind

struct Run {
  Serve call;
  Child child;
  Instant started;
  std::size_t frame = 0;   // of the request: how far it is written
  std::size_t offset = 0;
  std::string answer;      // not sent yet
  std::string complaint;   // the end of stderr
  std::size_t read = 0;    // bytes of stdout
  std::optional<int> status;
  Instant limit = never;   // of the time
  Instant kill = never;    // after SIGTERM
  Instant give_up = never; // waiting for stdout to end
  Code code = Code::failed;
  std::string why;         // we ended it
  unsigned long ticks = 0; // CPU time seen
  bool held_up = false;    // its client reads too slowly
};

class Each final : public Craft {
 public:
  explicit Each(Workshop& shop) : shop_(shop) {}

  void serve(Serve&& serve) override;
  void abandoned(const Abandoned& call) override;
  Instant tick(Instant now) override;

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;
  using Runs = std::map<Key, std::unique_ptr<Run>>;

  void write_more(Run& run);
  void read_more(Run& run);
  void read_complaint(Run& run);
  void send_part(Run& run);
  void stop(Run& run, Code code, std::string why);
  void close_stream(int& descriptor);
  bool finish_if_ended(Run& run);
  void look_at(Run& run, Instant now);
  static Key key_of(const Run& run) { return {run.call.session, run.call.number}; }

  Workshop& shop_;
  Runs runs_;
  Instant next_look_;
};

void Each::serve(Serve&& serve) {
  auto owned = std::make_unique<Run>();
  Run& run = *owned;
  run.call = std::move(serve);
  run.started = now();
  const Key key = key_of(run);
  try {
    run.child = shop_.processes.start(shop_.options.command,
                                      {{"POINTSMAN_SERVICE", run.call.service},
                                       {"POINTSMAN_SESSION", std::to_string(run.call.session)},
                                       {"POINTSMAN_CLIENT", run.call.client},
                                       {"POINTSMAN_CALL", std::to_string(run.call.number)},
                                       {"POINTSMAN_WORKER", shop_.name}},
                                      true, [this, key](int status) {
                                        Run& ended = *runs_.at(key);
                                        ended.status = status;
                                        ended.give_up = now() + linger;
                                        if (!finish_if_ended(ended)) next_look_ = now();
                                      });
  } catch (const std::system_error& error) {
    shop_.driver->tell(FailedCall{.session = run.call.session, .number = run.call.number,
                                  .reason = std::string("cannot start the command: ") + error.what(),
                                  .exit = error.code().value() == ENOENT ? 127U : 126U});
    return;
  }
  if (shop_.options.time_limit.count() > 0) run.limit = run.started + shop_.options.time_limit;
  next_look_ = std::min({next_look_, run.started + look, run.limit});
  runs_.emplace(key, std::move(owned));
  shop_.descriptors.on_readable(run.child.out, [this, &run] { read_more(run); });
  shop_.descriptors.on_readable(run.child.err, [this, &run] { read_complaint(run); });
  shop_.descriptors.on_writable(run.child.in, [this, &run] { write_more(run); });
}

void Each::close_stream(int& descriptor) {
  if (descriptor >= 0) shop_.descriptors.remove(descriptor);
  close_pipe(descriptor);
}

void Each::write_more(Run& run) {
  const Payload& frames = run.call.payload;
  while (run.frame < frames.size()) {
    const std::string_view rest = frames[run.frame].view().substr(run.offset);
    if (!rest.empty()) {
      const ssize_t count = write(run.child.in, rest.data(), rest.size());
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (count < 0) break;  // it reads no more; that is its right
      shop_.driver->tell(Progressed{static_cast<std::uint64_t>(count)});
      run.offset += static_cast<std::size_t>(count);
      if (run.offset < frames[run.frame].size()) return;
    }
    ++run.frame;
    run.offset = 0;
  }
  close_stream(run.child.in);
  run.call.payload.clear();
}

void Each::read_more(Run& run) {
  std::array<char, 64 * 1024> buffer;
  const ssize_t count = read(run.child.out, buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    close_stream(run.child.out);
    finish_if_ended(run);
    return;
  }
  shop_.driver->tell(Progressed{static_cast<std::uint64_t>(count)});
  if (!run.why.empty()) return;  // nobody wants it any more
  run.read += static_cast<std::size_t>(count);
  if (run.read > shop_.options.output_bytes) {
    return stop(run, Code::limit_reached,
                "its answer is longer than " + std::to_string(shop_.options.output_bytes) + " bytes");
  }
  run.answer.append(buffer.data(), static_cast<std::size_t>(count));
  if (run.answer.size() >= part_bytes) send_part(run);
}

void Each::send_part(Run& run) {
  if (shop_.driver->congested(run.call.session, run.call.number)) {
    // The command waits with its full pipe until its client has read.
    if (!run.held_up) shop_.descriptors.remove(run.child.out);
    run.held_up = true;
    next_look_ = now();
    return;
  }
  shop_.driver->tell(Answered{run.call.session, run.call.number, {Frame(std::exchange(run.answer, {}))}, true});
  if (!run.held_up) return;
  run.held_up = false;
  shop_.descriptors.on_readable(run.child.out, [this, &run] { read_more(run); });
}

void Each::read_complaint(Run& run) {
  std::array<char, 8 * 1024> buffer;
  const ssize_t count = read(run.child.err, buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    close_stream(run.child.err);
    finish_if_ended(run);
    return;
  }
  run.complaint.append(buffer.data(), static_cast<std::size_t>(count));
  if (run.complaint.size() > limits::detail) run.complaint.erase(0, run.complaint.size() - limits::detail);
}

// Asks it to end; after the grace it is made to.
void Each::stop(Run& run, Code code, std::string why) {
  if (!run.why.empty()) return;
  run.code = code;
  run.why = std::move(why);
  run.answer.clear();
  run.kill = now() + shop_.options.grace;
  next_look_ = now();
  shop_.processes.signal(run.child.pid, SIGTERM);
  if (run.held_up) {
    run.held_up = false;
    shop_.descriptors.on_readable(run.child.out, [this, &run] { read_more(run); });
  }
}

void Each::abandoned(const Abandoned& call) {
  const auto found = runs_.find({call.session, call.number});
  if (found != runs_.end()) stop(*found->second, Code::cancelled, "nobody waits for it any more");
}

// True if the run is over, and gone.
bool Each::finish_if_ended(Run& run) {
  const bool drained = run.child.out < 0 && run.child.err < 0;
  if (!run.status || run.held_up || (!drained && now() < run.give_up)) return false;
  const int exit = exit_code_of(*run.status);
  close_stream(run.child.in);
  close_stream(run.child.out);
  close_stream(run.child.err);
  const auto node = runs_.extract(key_of(run));
  if (run.why.empty() && exit == 0) {
    shop_.driver->tell(Answered{run.call.session, run.call.number, {Frame(std::move(run.answer))}, false});
    return true;
  }
  std::string reason = run.why;
  if (reason.empty()) {
    reason = shop_.options.command.front() + (exit > 128 ? " was ended by signal " + std::to_string(exit - 128)
                                                         : " ended with exit code " + std::to_string(exit));
  }
  shop_.driver->tell(FailedCall{.session = run.call.session, .number = run.call.number, .code = run.code,
                                .reason = std::move(reason), .exit = static_cast<std::uint64_t>(exit),
                                .detail = std::move(run.complaint)});
  return true;
}

void Each::look_at(Run& run, Instant now) {
  if (now >= run.limit) {
    run.limit = never;
    stop(run, Code::timed_out, "it took longer than " + std::to_string(shop_.options.time_limit.count()) + " ms");
  }
  if (now >= run.kill) {
    run.kill = never;
    shop_.processes.signal(run.child.pid, SIGKILL);
  }
  if (run.held_up) send_part(run);
  // A command that only computes moves on, too.
  const unsigned long ticks = run.status ? run.ticks : cpu_ticks(run.child.pid);
  if (ticks > run.ticks) {
    run.ticks = ticks;
    shop_.driver->tell(Progressed{1});
  }
}

Instant Each::tick(Instant now) {
  if (runs_.empty()) return never;
  if (now < next_look_) return next_look_;
  next_look_ = now + look;
  for (auto entry = runs_.begin(); entry != runs_.end();) {
    Run& run = *(entry++)->second;
    look_at(run, now);
    next_look_ = std::min({next_look_, run.limit, run.kill});
    if (run.held_up) next_look_ = std::min(next_look_, now + std::chrono::milliseconds(5));
    if (run.status && !finish_if_ended(run)) next_look_ = std::min(next_look_, now + std::chrono::milliseconds(20));
  }
  return next_look_;
}

}  // namespace

std::unique_ptr<Craft> make_each(Workshop& shop) { return std::make_unique<Each>(shop); }

}  // namespace pointsman::workers
