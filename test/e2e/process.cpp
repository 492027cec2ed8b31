// Processes for end-to-end tests: posix_spawn, pipes, and a thread for each pipe.

#include "test/e2e/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>

#include "protocol/must.hpp"

namespace pointsman {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> environment_of(const Surroundings& surroundings) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!text.starts_with("POINTSMAN_") && !text.starts_with("HOME=")) all.emplace_back(text);
  }
  all.insert(all.end(), surroundings.environment.begin(), surroundings.environment.end());
  return all;
}

struct Pipe {
  Pipe() { MUST(::pipe2(ends, O_CLOEXEC) == 0); }
  int ends[2] = {-1, -1};
};

}  // namespace

std::string pointsman_program() {
  const char* named = std::getenv("POINTSMAN_PROGRAM");
  return named != nullptr ? named : POINTSMAN_PROGRAM;
}

// Our end of one pipe, and the thread that reads from it or writes to it.
class Process::Stream {
 public:
  explicit Stream(int descriptor) : descriptor_(descriptor) {
    MUST(::pipe2(stop_, O_CLOEXEC) == 0);
  }
  ~Stream() {
    stop();
    ::close(stop_[0]);
    ::close(stop_[1]);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void read() {
    thread_ = std::thread([this] {
      char buffer[16 * 1024];
      while (ready(POLLIN)) {
        const ssize_t got = ::read(descriptor_, buffer, sizeof buffer);
        if (got <= 0) break;
        const std::lock_guard lock(mutex_);
        text_.append(buffer, static_cast<std::size_t>(got));
        changed_.notify_all();
      }
      close();
    });
  }

  void write(std::string text) {
    ::fcntl(descriptor_, F_SETFL, O_NONBLOCK);
    thread_ = std::thread([this, text = std::move(text)] {
      std::string_view left = text;
      while (!left.empty() && ready(POLLOUT)) {
        const ssize_t put = ::write(descriptor_, left.data(), left.size());
        if (put <= 0) break;
        left.remove_prefix(static_cast<std::size_t>(put));
      }
      close();
    });
  }

  // Ends the thread and closes the pipe.
  void stop() {
    static_cast<void>(!::write(stop_[1], "", 1));
    if (thread_.joinable()) thread_.join();
  }

  // Waits until the other end is closed; false if it is not in time.
  bool drained(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, until, [this] { return closed_; });
  }

  bool line(const std::string& prefix, std::chrono::milliseconds within, std::string* found) {
    std::unique_lock lock(mutex_);
    std::size_t from = 0;
    const auto there = [&] {
      for (std::size_t end; (end = text_.find('\n', from)) != std::string::npos; from = end + 1) {
        if (text_.compare(from, prefix.size(), prefix) != 0) continue;
        if (found != nullptr) *found = text_.substr(from, end - from);
        return true;
      }
      return false;
    };
    bool is_there = false;
    changed_.wait_for(lock, within, [&] { return (is_there = there()) || closed_; });
    return is_there;
  }

  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  bool ready(short what) const {
    pollfd waited[2] = {{descriptor_, what, 0}, {stop_[0], POLLIN, 0}};
    while (::poll(waited, 2, -1) < 0) {
    }
    return waited[1].revents == 0;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    ::close(descriptor_);
    closed_ = true;
    changed_.notify_all();
  }

  const int descriptor_;
  int stop_[2] = {-1, -1};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  bool closed_ = false;
  std::thread thread_;
};

Process::Process(const std::vector<std::string>& command, const Surroundings& surroundings) {
  // A write to a process that is gone is an error to this one, not its end.
  ::signal(SIGPIPE, SIG_IGN);
  const Pipe in;
  const Pipe out;
  const Pipe err;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.ends[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  sigset_t set;
  sigemptyset(&set);
  ::posix_spawnattr_setsigmask(&attributes, &set);
  sigaddset(&set, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &set);
  const auto environment = environment_of(surroundings);
  const auto argv = pointers(command);
  const auto envp = pointers(environment);
  MUST(::posix_spawnp(&pid_, argv.front(), &actions, &attributes, argv.data(), envp.data()) == 0);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in.ends[0]);
  ::close(out.ends[1]);
  ::close(err.ends[1]);
  in_ = std::make_unique<Stream>(in.ends[1]);
  out_ = std::make_unique<Stream>(out.ends[0]);
  err_ = std::make_unique<Stream>(err.ends[0]);
  in_->write(surroundings.input);
  out_->read();
  err_->read();
}

Process::~Process() {
  ::kill(-pid_, SIGKILL);
  if (!code_) ::waitpid(pid_, nullptr, 0);
}

bool Process::wait_for_line(const std::string& prefix, std::chrono::milliseconds within, std::string* line) {
  return out_->line(prefix, within, line);
}

void Process::signal(int number) const { ::kill(pid_, number); }

std::optional<int> Process::wait(std::chrono::milliseconds within) {
  using namespace std::chrono_literals;
  const auto until = std::chrono::steady_clock::now() + within;
  while (!code_) {
    int how = 0;
    if (::waitpid(pid_, &how, WNOHANG) == pid_) {
      code_ = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
    } else if (std::chrono::steady_clock::now() >= until) {
      return std::nullopt;
    } else {
      std::this_thread::sleep_for(5ms);
    }
  }
  // What it started may hold its pipes open; a moment has to do.
  const auto soon = std::chrono::steady_clock::now() + 1s;
  out_->drained(soon);
  err_->drained(soon);
  return code_;
}

void Process::close_output() { out_->stop(); }

std::string Process::out() const { return out_->text(); }
std::string Process::err() const { return err_->text(); }

Result run(const std::vector<std::string>& command, const Surroundings& surroundings,
           std::chrono::milliseconds within) {
  Process process(command, surroundings);
  const auto code = process.wait(within);
  return {code.value_or(-1), process.out(), process.err()};
}

}  // namespace pointsman
