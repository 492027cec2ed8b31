// fork and exec, and the account of what was started.
#include "protocol/processes.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "protocol/system.hpp"

namespace pointsman {

namespace {

[[noreturn]] void raise_error(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

struct Pipe {
  int read = -1;
  int write = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) raise_error("pipe");
    read = ends[0];
    write = ends[1];
  }
  ~Pipe() {
    close_pipe(read);
    close_pipe(write);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
};

// The program's surroundings: ours, with additions that win.
std::vector<std::string> surroundings(const Children::Environment& additions) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(additions.begin(), additions.end(), [&](const auto& a) { return a.first == name; });
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [name, value] : additions) {
    // A zero byte would end the value; what stands behind it cannot be told.
    all.push_back(name + "=" + value.substr(0, value.find('\0')));
  }
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// In the child, where only async-signal-safe functions may be called.
[[noreturn]] void become(const char* path, char* const* arguments, char* const* environment, int in, int out, int err,
                         int problem, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  restore_descriptor_limit();
  if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0) execve(path, arguments, environment);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(problem, &error, sizeof error);
  _exit(127);
}

std::vector<pid_t> our_children() {
  std::vector<pid_t> found;
  DIR* tasks = opendir("/proc/self/task");
  if (!tasks) return found;
  while (const dirent* task = readdir(tasks)) {
    std::ifstream children(std::string("/proc/self/task/") + task->d_name + "/children");
    pid_t pid = 0;
    while (children >> pid) found.push_back(pid);
  }
  closedir(tasks);
  return found;
}

}  // namespace

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

std::string path_of(const std::string& command, bool& denied) {
  denied = false;
  const auto usable = [&](const std::string& path) {
    if (access(path.c_str(), F_OK) != 0) return false;
    if (access(path.c_str(), X_OK) == 0) return true;
    denied = true;
    return false;
  };
  if (command.find('/') != std::string::npos) return usable(command) ? command : "";
  const char* paths = std::getenv("PATH");
  std::istringstream list(paths ? paths : "/usr/bin:/bin");
  for (std::string folder; std::getline(list, folder, ':');) {
    const std::string path = (folder.empty() ? "." : folder) + "/" + command;
    if (usable(path)) return path;
  }
  return {};
}

void close_pipe(int& descriptor) {
  if (descriptor >= 0) close(descriptor);
  descriptor = -1;
}

Children::Children() {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGPIPE, SIG_IGN);
}

Children::~Children() { kill_all(std::chrono::seconds(2)); }

Child Children::start(const std::vector<std::string>& command, const Environment& environment, bool pipes,
                       Exited exited) {
  bool denied = false;
  const std::string path = path_of(command.front(), denied);
  if (path.empty()) {
    errno = denied ? EACCES : ENOENT;
    raise_error(command.front().c_str());
  }
  std::vector<std::string> arguments = command;
  std::vector<std::string> texts = surroundings(environment);
  const std::vector<char*> argument_list = pointers(arguments);
  const std::vector<char*> environment_list = pointers(texts);
  Pipe in, out, err, problem;
  const pid_t parent = getpid();
  const int silence = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t pid = fork();
  if (pid == 0) {
    become(path.c_str(), argument_list.data(), environment_list.data(), pipes ? in.read : silence, pipes ? out.write : 2,
           pipes ? err.write : 2, problem.write, parent);
  }
  if (silence >= 0) close(silence);
  if (pid < 0) raise_error("fork");
  setpgid(pid, pid);  // both sides do it, so that it is done for whoever comes first
  close_pipe(problem.write);
  int error = 0;
  if (read(problem.read, &error, sizeof error) == sizeof error) {
    waitpid(pid, nullptr, 0);
    errno = error;
    raise_error(command.front().c_str());
  }
  children_[pid] = std::move(exited);
  Child child{.pid = pid};
  if (pipes) {
    child.in = std::exchange(in.write, -1);
    child.out = std::exchange(out.read, -1);
    child.err = std::exchange(err.read, -1);
    for (const int end : {child.in, child.out, child.err}) fcntl(end, F_SETFL, O_NONBLOCK);
  }
  return child;
}

void Children::signal(pid_t pid, int number) {
  if (children_.contains(pid)) kill(-pid, number);
}

void Children::signal_all(int number) {
  for (const auto& entry : children_) kill(-entry.first, number);
}

void Children::reap() {
  while (true) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    const pid_t pid = info.si_pid;
    const auto found = children_.find(pid);
    // What is left of its group goes with it; while it is not reaped, nobody else can have its number.
    if (found != children_.end()) kill(-pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    if (found == children_.end()) continue;  // one that we adopted
    const Exited exited = std::move(found->second);
    children_.erase(found);
    exited(status);
  }
}

void Children::kill_all(std::chrono::milliseconds within, const std::set<pid_t>& except) {
  children_.clear();
  const auto end = std::chrono::steady_clock::now() + within;
  while (std::chrono::steady_clock::now() < end) {
    // Killing a parent makes its children ours, so this finds all, one generation after the other.
    bool left = false;
    for (const pid_t pid : our_children()) {
      if (except.contains(pid)) continue;
      left = true;
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, WNOHANG);
    }
    if (!left) return;
    poll(nullptr, 0, 5);
  }
}

unsigned long cpu_ticks(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  unsigned long user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

}  // namespace pointsman
