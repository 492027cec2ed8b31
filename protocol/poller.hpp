// Poller: waits for descriptors and calls the handler of each that became readable.
//
// One thread at a time, except wake(), which any may call. Where wait() is given the lock that keeps threads apart it
// lets go of it while it waits; meanwhile another thread may use the poller, but not wait(). Handlers may watch and
// unwatch anything.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "protocol/helm.hpp"
#include "protocol/machine.hpp"

namespace pointsman {

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Calls `handler` in wait() for as long as `descriptor` is readable or closed by its other end.
  void watch(int descriptor, std::function<void()> handler);
  void unwatch(int descriptor);

  // Waits until `until` at most (rounded up to whole milliseconds), or not at all if that is past. Returns
  // sooner when a descriptor is readable, after wake(), and when a signal came.
  void wait(Instant until, Helm::Lock* lock = nullptr);

  // Ends a wait(), or the next one.
  void wake();

 private:
  using Handler = std::shared_ptr<const std::function<void()>>;

  int epoll_ = -1;
  int alarm_ = -1;  // an eventfd
  // A number of its own for each watch: an event of a descriptor that was closed and opened again meanwhile
  // must not reach the wrong handler.
  std::uint64_t counter_ = 0;
  std::map<int, std::uint64_t> numbers_;
  std::map<std::uint64_t, Handler> handlers_;
};

}  // namespace pointsman
