// A thread for each errand, told of by an eventfd.
#include "protocol/errand.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <thread>
#include <utility>

namespace pointsman {

// What the work writes is its thread's until `event` is readable, and the transport's from then on.
struct Errands::Task {
  Task(std::function<void()> what, std::function<void()> to)
      : work(std::move(what)), told(std::move(to)), event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Task() {
    if (event >= 0) ::close(event);
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  void run() {
    work();
    const std::uint64_t one = 1;
    if (::write(event, &one, sizeof one) < 0) return;  // the counter was zero: it cannot be full
  }

  const std::function<void()> work;
  const std::function<void()> told;
  const int event;
};

Errands::~Errands() {
  for (const auto& task : tasks_) transport_.unwatch(task->event);
}

bool Errands::run(std::function<void()> work, std::function<void()> told) {
  auto task = std::make_shared<Task>(std::move(work), std::move(told));
  if (task->event < 0) return false;
  tasks_.push_back(task);
  transport_.watch(task->event, [this, weak = std::weak_ptr<Task>(task)] {
    const auto done = weak.lock();
    std::uint64_t count = 0;
    if (!done || ::read(done->event, &count, sizeof count) < 0) return;  // takes over what the thread wrote
    transport_.unwatch(done->event);
    std::erase(tasks_, done);
    done->told();
  });
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the thread of the transport
  std::thread([task = std::move(task)] { task->run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return true;
}

}  // namespace pointsman
