// One long-running process per slot, fed a line per call, answering a line each.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <system_error>
#include <vector>

#include "workers/craft.hpp"

namespace pointsman::workers {

namespace {

constexpr Duration look{std::chrono::milliseconds(500)};

struct Filter {
  Child child;
  Backoff backoff;
  Instant start_at;          // while it is not running
  Instant kill = never;      // after SIGTERM, or of work that nobody wants any more
  std::optional<Serve> call; // being answered
  Instant limit = never;
  std::string line;          // of the request, not written yet
  std::string answer;        // not complete yet
  std::string complaint;     // the end of stderr
  Code code = Code::failed;
  std::string why;           // we ended it
  unsigned long ticks = 0;
  bool writing = false;
};

class Filters final : public Craft {
 public:
  explicit Filters(Workshop& shop) : shop_(shop), filters_(shop.options.slots) {}

  void serve(Serve&& serve) override;
  void abandoned(const Abandoned& call) override;
  Instant tick(Instant now) override;

 private:
  void start(Filter& filter);
  void hand_out();
  void give(Filter& filter, Serve call);
  void write_more(Filter& filter);
  void read_more(Filter& filter);
  void read_complaint(Filter& filter);
  void take_line(Filter& filter, std::string line);
  void stop(Filter& filter, Code code, std::string why);
  void ended(Filter& filter, int status);
  void fail(const Serve& call, Code code, std::string reason, int exit = 0, std::string detail = {});
  void close_stream(int& descriptor);

  Workshop& shop_;
  std::vector<Filter> filters_;
  std::deque<Serve> waiting_;  // for a filter that runs; at most one a slot
  Instant next_look_;
};

void Filters::fail(const Serve& call, Code code, std::string reason, int exit, std::string detail) {
  shop_.driver->tell(FailedCall{.session = call.session, .number = call.number, .code = code, .reason = std::move(reason),
                                .exit = static_cast<std::uint64_t>(exit), .detail = std::move(detail)});
}

void Filters::serve(Serve&& serve) {
  std::string line;
  for (const Frame& frame : serve.payload) line += frame.view();
  if (line.ends_with('\n')) line.pop_back();
  if (line.find('\n') != std::string::npos) {
    return fail(serve, Code::failed, "a filter takes one line a call; this request has several");
  }
  serve.payload = {Frame(line + "\n")};
  waiting_.push_back(std::move(serve));
  next_look_ = now();
  hand_out();
}

void Filters::hand_out() {
  for (Filter& filter : filters_) {
    if (waiting_.empty()) return;
    if (filter.child.pid < 0 || filter.call || !filter.why.empty()) continue;
    Serve call = std::move(waiting_.front());
    waiting_.pop_front();
    give(filter, std::move(call));
  }
}

void Filters::give(Filter& filter, Serve call) {
  filter.line = call.payload.front().str();
  filter.limit = shop_.options.time_limit.count() > 0 ? now() + shop_.options.time_limit : never;
  filter.call = std::move(call);
  next_look_ = std::min(next_look_, filter.limit);
  filter.writing = true;
  shop_.descriptors.on_writable(filter.child.in, [this, &filter] { write_more(filter); });
}

void Filters::start(Filter& filter) {
  try {
    filter.child = shop_.processes.start(shop_.options.command,
                                         {{"POINTSMAN_SERVICE", shop_.options.services.front().service},
                                          {"POINTSMAN_WORKER", shop_.name}},
                                         true, [this, &filter](int status) { ended(filter, status); });
  } catch (const std::system_error& error) {
    shop_.say(std::string("cannot start the command: ") + error.what());
    filter.start_at = now() + filter.backoff.pause(now());
    return;
  }
  filter.backoff.started(now());
  filter.kill = never;
  filter.code = Code::failed;
  filter.why.clear();
  filter.answer.clear();
  filter.complaint.clear();
  filter.ticks = 0;
  shop_.descriptors.on_readable(filter.child.out, [this, &filter] { read_more(filter); });
  shop_.descriptors.on_readable(filter.child.err, [this, &filter] { read_complaint(filter); });
}

void Filters::close_stream(int& descriptor) {
  if (descriptor >= 0) shop_.descriptors.remove(descriptor);
  close_pipe(descriptor);
}

void Filters::write_more(Filter& filter) {
  while (!filter.line.empty()) {
    const ssize_t count = write(filter.child.in, filter.line.data(), filter.line.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) break;  // it is about to end; then the call fails
    shop_.driver->tell(Progressed{static_cast<std::uint64_t>(count)});
    filter.line.erase(0, static_cast<std::size_t>(count));
  }
  shop_.descriptors.remove(filter.child.in);
  filter.writing = false;
}

void Filters::read_more(Filter& filter) {
  std::array<char, 64 * 1024> buffer;
  const ssize_t count = read(filter.child.out, buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    // It closed its stdout and so can answer no more.
    close_stream(filter.child.out);
    return stop(filter, Code::failed, "the command closed its stdout");
  }
  shop_.driver->tell(Progressed{static_cast<std::uint64_t>(count)});
  if (!filter.why.empty()) return;
  const std::size_t searched = filter.answer.size();
  filter.answer.append(buffer.data(), static_cast<std::size_t>(count));
  std::size_t end = filter.answer.find('\n', searched);
  while (end != std::string::npos) {
    std::string line = filter.answer.substr(0, end);
    filter.answer.erase(0, end + 1);
    take_line(filter, std::move(line));
    end = filter.answer.find('\n');
  }
  if (filter.answer.size() > shop_.options.output_bytes) {
    stop(filter, Code::limit_reached,
         "its answer is longer than " + std::to_string(shop_.options.output_bytes) + " bytes");
  }
}

// A line that nobody asked for is dropped: it must not become the answer to the next call.
void Filters::take_line(Filter& filter, std::string line) {
  if (!filter.call || !filter.line.empty()) return;
  const Serve call = std::move(*filter.call);
  filter.call.reset();
  filter.limit = never;
  filter.kill = never;
  shop_.driver->tell(Answered{call.session, call.number, {Frame(std::move(line))}, false});
  hand_out();
}

void Filters::read_complaint(Filter& filter) {
  std::array<char, 8 * 1024> buffer;
  const ssize_t count = read(filter.child.err, buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return close_stream(filter.child.err);
  filter.complaint.append(buffer.data(), static_cast<std::size_t>(count));
  if (filter.complaint.size() > limits::detail) filter.complaint.erase(0, filter.complaint.size() - limits::detail);
}

void Filters::abandoned(const Abandoned& call) {
  const auto of = [&](const Serve& serve) { return serve.session == call.session && serve.number == call.number; };
  const auto queued = std::find_if(waiting_.begin(), waiting_.end(), of);
  if (queued != waiting_.end()) {
    const Serve gone = std::move(*queued);
    waiting_.erase(queued);
    return fail(gone, Code::cancelled, "nobody waits for it any more");
  }
  for (Filter& filter : filters_) {
    if (!filter.call || !of(*filter.call)) continue;
    // Its answer would be taken for the next call's: it is given the grace to come, and be dropped.
    filter.kill = now() + shop_.options.grace;
    next_look_ = std::min(next_look_, filter.kill);
  }
}

// Ends the process: its answers can no longer be told apart.
void Filters::stop(Filter& filter, Code code, std::string why) {
  if (!filter.why.empty() || filter.child.pid < 0) return;
  filter.code = code;
  filter.why = std::move(why);
  filter.kill = now() + shop_.options.grace;
  next_look_ = now();
  shop_.processes.signal(filter.child.pid, SIGTERM);
}

void Filters::ended(Filter& filter, int status) {
  // What it still said counts.
  while (filter.child.err >= 0) {
    const std::size_t before = filter.complaint.size();
    read_complaint(filter);
    if (filter.child.err >= 0 && filter.complaint.size() == before) break;
  }
  if (filter.writing) shop_.descriptors.remove(filter.child.in);
  filter.writing = false;
  close_pipe(filter.child.in);
  close_stream(filter.child.out);
  close_stream(filter.child.err);
  filter.child.pid = -1;
  filter.line.clear();
  if (shop_.closing) return;
  const int exit = exit_code_of(status);
  const Duration pause = filter.backoff.pause(now());
  filter.start_at = now() + pause;
  next_look_ = now();
  const std::string how = exit > 128 ? "was ended by signal " + std::to_string(exit - 128)
                                     : "ended with exit code " + std::to_string(exit);
  const std::string reason = filter.why.empty() ? shop_.options.command.front() + " " + how : filter.why;
  shop_.say("the filter " + how + "; it is started again in " +
            std::to_string(pause / std::chrono::milliseconds(1)) + " ms");
  if (!filter.call) return;
  const Serve call = std::move(*filter.call);
  filter.call.reset();
  filter.limit = never;
  fail(call, filter.code, reason, exit, filter.complaint);
}

Instant Filters::tick(Instant now) {
  if (now < next_look_) return next_look_;
  next_look_ = now + look;
  for (Filter& filter : filters_) {
    if (filter.child.pid < 0) {
      if (now >= filter.start_at) start(filter);
      if (filter.child.pid < 0) next_look_ = std::min(next_look_, filter.start_at);
      continue;
    }
    if (now >= filter.limit) {
      filter.limit = never;
      stop(filter, Code::timed_out, "it took longer than " + std::to_string(shop_.options.time_limit.count()) + " ms");
    }
    if (now >= filter.kill) {
      filter.kill = never;
      shop_.processes.signal(filter.child.pid, SIGKILL);
    }
    if (filter.call) {
      const unsigned long ticks = cpu_ticks(filter.child.pid);
      if (ticks > filter.ticks) shop_.driver->tell(Progressed{1});
      filter.ticks = ticks;
    }
    next_look_ = std::min({next_look_, filter.limit, filter.kill});
  }
  hand_out();
  return next_look_;
}

}  // namespace

std::unique_ptr<Craft> make_filter(Workshop& shop) { return std::make_unique<Filters>(shop); }

}  // namespace pointsman::workers
