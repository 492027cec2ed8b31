// Files in the tree of cgroup v2.
#include "broker/supervisor/cgroup.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

namespace pointsman::supervisor {

namespace {

// Where cgroup v2 is mounted; empty: nowhere.
std::string mount_point() {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string device, where, type;
    if (fields >> device >> where >> type && type == "cgroup2") return where;
  }
  return {};
}

// The group that this process is in.
std::string own_path() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return {};
}

std::string name_in(const std::string& group, pid_t pid) { return group + "/pointsman-" + std::to_string(pid); }

bool put(const std::string& file, const std::string& text) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool done = ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(descriptor);
  return done;
}

}  // namespace

Cgroup::Cgroup() {
  const std::string mount = mount_point();
  const std::string path = own_path();
  if (mount.empty() || path.empty()) return;
  ours_ = mount + path;
  const std::string made = name_in(ours_, ::getpid());
  if (::mkdir(made.c_str(), 0755) != 0) return;
  // Before Linux 5.14 there is no such file, and then no use for the group.
  if (::access((made + "/cgroup.kill").c_str(), W_OK) == 0) made_ = made;
  else ::rmdir(made.c_str());
}

Cgroup::~Cgroup() {
  if (!made_.empty()) ::rmdir(made_.c_str());
}

void Cgroup::bury(pid_t dead) {
  Cgroup group;  // finds out whether and where
  if (group.made_.empty()) return;
  const std::string made = name_in(group.ours_, dead);
  put(made + "/cgroup.kill", "1");
  for (int i = 0; i < 100 && ::rmdir(made.c_str()) != 0 && errno == EBUSY; ++i) ::poll(nullptr, 0, 5);
}

void Cgroup::enter() {
  if (!made_.empty()) put(made_ + "/cgroup.procs", "0");
}

void Cgroup::leave() {
  if (!made_.empty()) put(ours_ + "/cgroup.procs", "0");
}

void Cgroup::kill() {
  if (!made_.empty()) put(made_ + "/cgroup.kill", "1");
}

}  // namespace pointsman::supervisor
