// The course of a measurement.
#include "test/peers/load.hpp"

#include <ctime>

namespace pointsman::peers {
namespace {

// Seconds of CPU that this thread, the generator, has used.
double own_cpu() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

Figure Driver::measure(const Load& load, const Server& server) {
  if (!loop_.run(20, [this] { return connected(); })) throw Broken("not everybody could connect in time");
  begin();
  loop_.run(load.warm_up);
  latencies_.clear();
  counting_ = true;
  const double cpu = server.cpu(), own = own_cpu();
  const std::uint64_t from = nanoseconds();
  loop_.run(load.seconds);
  const double spent = static_cast<double>(nanoseconds() - from) / 1e9;
  const double used = server.cpu() - cpu, own_used = own_cpu() - own;
  counting_ = going_on_ = false;
  if (!loop_.run(20, [this] { return settled(); })) throw Broken("something was lost: operations do not end");
  prove();
  const auto count = static_cast<double>(latencies_.count());
  if (count == 0) throw Broken("nothing was done");
  return {.rate = count / spent,
          .p50 = latencies_.quantile(0.5),
          .p99 = latencies_.quantile(0.99),
          .cpu = used * 1e6 / count,
          .load_cpu = own_used * 1e6 / count,
          .count = latencies_.count()};
}

}  // namespace pointsman::peers
