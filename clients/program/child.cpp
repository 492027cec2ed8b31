// Child: posix_spawn, because this process has threads.

#include "clients/program/child.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace pointsman::program {
namespace {

// argv or envp over strings that outlive it. exec does not write to them; its type only fails to say so.
std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

// Ours with `added`, which replaces what has the same name.
std::vector<std::string> merged(const std::vector<std::string>& added) {
  const auto name = [](std::string_view text) { return text.substr(0, text.find('=')); };
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const bool replaced =
        std::any_of(added.begin(), added.end(), [&](const auto& text) { return name(text) == name(*entry); });
    if (!replaced) all.emplace_back(*entry);
  }
  all.insert(all.end(), added.begin(), added.end());
  return all;
}

}  // namespace

Or<Child> Child::start(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                       const sigset_t& mask) {
  const auto full = merged(environment);
  const auto argv = pointers(command);
  const auto envp = pointers(full);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  ::posix_spawnattr_setsigmask(&attributes, &mask);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv.front(), nullptr, &attributes, argv.data(), envp.data());
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) return Child(pid);
  const bool missing = error == ENOENT || error == ENOTDIR;
  return Problem{missing ? Exit::not_found_command : Exit::not_executable, missing ? "not-found" : "not-executable",
                 "cannot run \"" + command.front() + "\": " + std::strerror(error),
                 missing ? "is it installed, and on the PATH?" : "is it an executable file?", {}, 0};
}

std::optional<int> Child::ended() {
  int how = 0;
  const pid_t done = ::waitpid(pid_, &how, WNOHANG);
  if (done != pid_) return std::nullopt;
  return WIFSIGNALED(how) ? status_of_signal(WTERMSIG(how)) : WEXITSTATUS(how);
}

void Child::send(int signal) const { ::kill(pid_, signal); }

}  // namespace pointsman::program
