// The course of a measurement.
#include "test/peers/load.hpp"

namespace pointsman::peers {

Figure Driver::measure(const Load& load, const Server& server) {
  if (!loop_.run(20, [this] { return connected(); })) throw Broken("not everybody could connect in time");
  begin();
  loop_.run(load.warm_up);
  latencies_.clear();
  counting_ = true;
  const double cpu = server.cpu();
  const std::uint64_t from = nanoseconds();
  loop_.run(load.seconds);
  const double spent = static_cast<double>(nanoseconds() - from) / 1e9;
  const double used = server.cpu() - cpu;
  counting_ = going_on_ = false;
  if (!loop_.run(20, [this] { return settled(); })) throw Broken("something was lost: operations do not end");
  prove();
  const auto count = static_cast<double>(latencies_.count());
  if (count == 0) throw Broken("nothing was done");
  return {.rate = count / spent,
          .p50 = latencies_.quantile(0.5),
          .p99 = latencies_.quantile(0.99),
          .cpu = used * 1e6 / count,
          .count = latencies_.count()};
}

}  // namespace pointsman::peers
