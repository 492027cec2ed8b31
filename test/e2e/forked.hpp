// Parties as processes: what a test starts, it stops, whatever happens.

#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

namespace pointsman::e2e {

inline constexpr std::chrono::seconds patience{20};

// Waits until something is so; false if it never was.
inline bool wait_for(const std::function<bool()>& holds, std::chrono::milliseconds within = patience) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

// A function in a process of its own; what it prints on stdout can be read. Start these while the test has no
// other threads.
class Forked {
 public:
  explicit Forked(const std::function<int()>& run) {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    std::fflush(nullptr);
    const pid_t parent = getpid();
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      dup2(ends[1], 1);
      close(ends[0]);
      close(ends[1]);
      const int code = run();
      std::fflush(nullptr);
      _exit(code);
    }
    close(ends[1]);
    out_ = ends[0];
  }
  ~Forked() {
    if (!status_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(out_);
  }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const { kill(pid_, number); }

  // The next line of its stdout; empty if none comes.
  std::string line() {
    while (text_.find('\n') == std::string::npos) {
      pollfd waits{.fd = out_, .events = POLLIN, .revents = 0};
      if (poll(&waits, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) <= 0) return {};
      std::array<char, 4096> buffer;
      const ssize_t count = read(out_, buffer.data(), buffer.size());
      if (count <= 0) return {};
      text_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    const std::string line = text_.substr(0, text_.find('\n'));
    text_.erase(0, line.size() + 1);
    return line;
  }

  // Its wait status, once it has ended by itself; nothing if it does not.
  std::optional<int> status() {
    wait_for([this] {
      int status = 0;
      if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
      return status_.has_value();
    });
    return status_;
  }

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  std::string text_;
  std::optional<int> status_;
};

// The value of `key=` in a line such as `ready clients=… workers=…`.
inline std::string value_of(const std::string& line, const std::string& key) {
  const auto at = (" " + line).find(" " + key + "=");
  if (at == std::string::npos) return {};
  const auto start = at + key.size() + 1;
  return line.substr(start, line.find(' ', start) - start);
}

}  // namespace pointsman::e2e
