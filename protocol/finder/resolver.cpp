// A thread for each question, told of by an eventfd. The thread belongs to nobody: getaddrinfo() cannot be ended.
#include "protocol/finder/resolver.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <set>
#include <thread>
#include <utility>

namespace pointsman::finder {

namespace {

std::string endpoint_of(const addrinfo& info, std::uint16_t port) {
  std::array<char, NI_MAXHOST> host{};
  if (getnameinfo(info.ai_addr, info.ai_addrlen, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return {};
  const std::string text(host.data());
  return "tcp://" + (info.ai_family == AF_INET6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

}  // namespace

// Written by its thread until `event` is readable, then read by the transport's.
struct Resolver::Task {
  Task(std::string wanted, std::uint16_t its_port, Answer to)
      : name(std::move(wanted)),
        port(its_port),
        answer(std::move(to)),
        event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Task() {
    if (event >= 0) ::close(event);
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  void work() {
    addrinfo wish{};
    wish.ai_socktype = SOCK_STREAM;
    wish.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    const int error = getaddrinfo(name.c_str(), nullptr, &wish, &list);
    if (error != 0) {
      problem = error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error);
    } else {
      std::set<std::string> found;
      for (const addrinfo* at = list; at != nullptr; at = at->ai_next) found.insert(endpoint_of(*at, port));
      found.erase(std::string());
      endpoints.assign(found.begin(), found.end());
      freeaddrinfo(list);
    }
    const std::uint64_t one = 1;
    if (::write(event, &one, sizeof one) < 0) return;  // the counter was zero: it cannot be full
  }

  const std::string name;
  const std::uint16_t port;
  const Answer answer;
  const int event;
  std::vector<std::string> endpoints;
  std::string problem;
};

Resolver::~Resolver() {
  for (const auto& task : tasks_) transport_.unwatch(task->event);
}

void Resolver::resolve(const std::string& name, std::uint16_t port, Answer answer) {
  auto task = std::make_shared<Task>(name, port, std::move(answer));
  if (task->event < 0) return task->answer({}, "no descriptor is left");
  tasks_.push_back(task);
  transport_.watch(task->event, [this, weak = std::weak_ptr<Task>(task)] {
    const auto done = weak.lock();
    if (!done) return;
    transport_.unwatch(done->event);
    std::erase(tasks_, done);
    done->answer(done->endpoints, done->problem);
  });
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([task] { task->work(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace pointsman::finder
