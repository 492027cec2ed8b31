// Orders to start come as one packet each: the texts, and the keeper's end of its line.
#include "broker/supervisor/spawner.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <system_error>

#include "broker/supervisor/cgroup.hpp"
#include "protocol/processes.hpp"

namespace pointsman::supervisor {

namespace {

[[noreturn]] void raise_error(int error, const char* what) {
  throw std::system_error(error, std::generic_category(), what);
}

// Texts, each with a zero byte behind it: the command's words, then NAME=value.
std::string packed(const Launch& launch) {
  std::string text;
  const auto add = [&](const std::string& word) { text += word.substr(0, word.find('\0')) + '\0'; };
  for (const std::string& word : launch.command) add(word);
  for (const auto& [name, value] : launch.environment) add(name + "=" + value);
  return text;
}

Launch unpacked(std::string_view text, std::size_t words) {
  Launch launch;
  const auto next = [&] {
    const auto end = text.find('\0');
    std::string word(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return word;
  };
  for (std::size_t i = 0; i < words; ++i) launch.command.push_back(next());
  while (!text.empty()) {
    const std::string word = next();
    const auto equals = word.find('=');
    if (equals != std::string::npos) launch.environment.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return launch;
}

// A packet with a descriptor.
union Ancillary {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

bool send_launch(int line, const Launch& launch, int descriptor) {
  const std::string text = packed(launch);
  auto words = static_cast<std::uint32_t>(launch.command.size());
  std::array<iovec, 2> parts{{{&words, sizeof words}, {const_cast<char*>(text.data()), text.size()}}};
  Ancillary ancillary{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = &ancillary;
  message.msg_controllen = sizeof ancillary;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
  return ::sendmsg(line, &message, MSG_NOSIGNAL) >= 0;
}

// The descriptor, or -1 when the supervisor is gone.
int receive_launch(int line, Launch& launch) {
  std::string text(Spawner::launch_bytes + 16, '\0');
  std::uint32_t words = 0;
  std::array<iovec, 2> parts{{{&words, sizeof words}, {text.data(), text.size()}}};
  Ancillary ancillary{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = &ancillary;
  message.msg_controllen = sizeof ancillary;
  const ssize_t size = ::recvmsg(line, &message, MSG_CMSG_CLOEXEC);
  if (size <= static_cast<ssize_t>(sizeof words)) return -1;
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (!head || head->cmsg_type != SCM_RIGHTS) return -1;
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(head), sizeof descriptor);
  launch = unpacked(std::string_view(text).substr(0, static_cast<std::size_t>(size) - sizeof words), words);
  return descriptor;
}

class Nursery {
 public:
  explicit Nursery(int line) : line_(line) {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }

  // Until the supervisor is gone and every keeper, too.
  void run() {
    bool open = true;
    while (open || !keepers_.empty()) {
      std::array<pollfd, 2> waited{{{signals_, POLLIN, 0}, {open ? line_ : -1, POLLIN, 0}}};
      static_cast<void>(::poll(waited.data(), waited.size(), 1000));
      signalfd_siginfo info{};
      while (::read(signals_, &info, sizeof info) == sizeof info) {
      }
      reap();
      if (waited[1].revents != 0) open = start_one();
    }
  }

 private:
  bool start_one() {
    Launch launch;
    const int keeper_line = receive_launch(line_, launch);
    if (keeper_line < 0) return false;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(line_);
      ::close(signals_);
      keep(keeper_line, launch);
    }
    if (pid > 0) keepers_.insert(pid);
    ::close(keeper_line);  // without a keeper that is the end of the line
    return true;
  }

  void reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const bool keeper = keepers_.erase(pid) > 0;
      // Its command died with it; what that has left is ours now.
      if (!keeper || !WIFSIGNALED(status)) continue;
      adopted_.kill_all(std::chrono::seconds(5), keepers_);
      Cgroup::bury(pid);
    }
  }

  int line_;
  int signals_ = -1;
  Children adopted_;
  std::set<pid_t> keepers_;
};

}  // namespace

Spawner::Spawner() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) raise_error(errno, "socketpair");
  const pid_t pid = ::fork();
  if (pid < 0) raise_error(errno, "fork");
  if (pid == 0) {
    ::close(ends[0]);
    ::setsid();  // what the terminal says is said to the supervisor
    ::prctl(PR_SET_NAME, "spawner");
    Nursery(ends[1]).run();
    ::_exit(0);
  }
  ::close(ends[1]);
  line_ = ends[0];
  pid_ = pid;
}

Spawner::~Spawner() {
  ::close(line_);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

int Spawner::start(const Launch& launch) {
  if (packed(launch).size() > launch_bytes) raise_error(E2BIG, "the command is too long");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) raise_error(errno, "socketpair");
  const bool sent = send_launch(line_, launch, ends[1]);
  const int error = errno;
  ::close(ends[1]);
  if (!sent) {
    ::close(ends[0]);
    raise_error(error, "the spawner is gone");
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return ends[0];
}

}  // namespace pointsman::supervisor
