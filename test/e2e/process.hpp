// Processes for end-to-end tests: the real program, its output as it comes, its end, and nothing left behind.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pointsman {

// The program under test: $POINTSMAN_PROGRAM, else the one of this build.
std::string pointsman_program();

// What a process gets beside its command.
struct Surroundings {
  std::string input;                     // its stdin
  std::vector<std::string> environment;  // "NAME=value", added to ours without POINTSMAN_… and HOME
};

// A running process in a process group of its own; the group is killed at the latest when this is destroyed.
class Process {
 public:
  explicit Process(const std::vector<std::string>& command, const Surroundings& surroundings = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Whether a line of stdout that starts with `prefix` comes within the time. The line is in `line`.
  bool wait_for_line(const std::string& prefix, std::chrono::milliseconds within, std::string* line = nullptr);

  // To the process alone.
  void signal(int number) const;

  // Its exit code, or 128 + n if signal n ended it; nothing if it runs on after that time.
  std::optional<int> wait(std::chrono::milliseconds within);

  // No more of its stdout is read: it finds its pipe broken.
  void close_output();

  pid_t pid() const { return pid_; }

  // What it wrote so far; all of it once wait() gave a code.
  std::string out() const;
  std::string err() const;

 private:
  class Stream;
  pid_t pid_ = -1;
  std::optional<int> code_;
  std::unique_ptr<Stream> out_;
  std::unique_ptr<Stream> err_;
  std::unique_ptr<Stream> in_;
};

struct Result {
  int code = -1;  // -1: it did not end in time
  std::string out;
  std::string err;
};

// Runs a command to its end.
Result run(const std::vector<std::string>& command, const Surroundings& surroundings = {},
           std::chrono::milliseconds within = std::chrono::seconds(40));

}  // namespace pointsman
