// Walks in /proc.
#include "broker/supervisor/trees.hpp"

#include <dirent.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace pointsman::supervisor {

namespace {

constexpr int depth_max = 64;          // generations
constexpr std::size_t many_max = 4096;  // processes of one tree

std::string proc(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + file; }

pid_t parent_of(pid_t pid) {
  std::ifstream file(proc(pid, "/stat"));
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string state;
  pid_t parent = 0;
  fields >> state >> parent;
  return parent;
}

void add_children(pid_t pid, std::vector<pid_t>& to) {
  DIR* tasks = ::opendir(proc(pid, "/task").c_str());
  if (!tasks) return;
  while (const dirent* task = ::readdir(tasks)) {
    std::ifstream children(proc(pid, "/task/") + task->d_name + "/children");
    for (pid_t child = 0; children >> child && to.size() < many_max;) to.push_back(child);
  }
  ::closedir(tasks);
}

}  // namespace

pid_t ancestor(pid_t pid, const std::function<bool(pid_t)>& wanted) {
  for (int i = 0; i < depth_max && pid > 1; ++i) {
    if (wanted(pid)) return pid;
    pid = parent_of(pid);
  }
  return 0;
}

std::uint64_t memory_below(pid_t root) {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::vector<pid_t> tree;
  add_children(root, tree);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < tree.size(); ++i) {
    std::ifstream file(proc(tree[i], "/statm"));
    std::uint64_t size = 0, resident = 0;
    if (file >> size >> resident) bytes += resident * page;
    add_children(tree[i], tree);
  }
  return bytes;
}

}  // namespace pointsman::supervisor
