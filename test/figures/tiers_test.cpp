// Shows what it costs in waiting that the workers of one service are those of many brokers, with others above these.
//
// A broker above counts the passes that it gave, and hears of what others gave once a second: that is a digest one service time old,
// corrected by what was sent since. One that is not corrected, by which all would rush to the same broker, there is not.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "protocol/must.hpp"
#include "test/figures/estimate.hpp"
#include "test/figures/town.hpp"
#include "test/figures/uplink.hpp"
#include "test/sim/chance.hpp"

using namespace pointsman;
using namespace pointsman::figures;
using namespace std::chrono_literals;

namespace {

// How many brokers below, and workers of each; how many brokers above; how much of what the workers can do is asked for.
struct Size {
  std::size_t below = 16, each = 10, above = 4;
  double load = 0.9;
};

constexpr Duration service_time = 1s;

// Two tiers: clients come to a broker above and are sent to one below.
class Fleet {
 public:
  Fleet(const Size& size, Policy policy, Duration every, std::uint64_t seed) : size_(size), chance_(seed) {
    broker::Options options;
    options.service.policy = policy;
    std::vector<Hall*> all;
    for (std::size_t i = 0; i < size.above; ++i) all.push_back(&above_.emplace_back(town_, options).hall);
    for (std::size_t i = 0; i < size.below; ++i) {
      const std::string name = "site" + std::to_string(i + 1);
      Below& below = below_.emplace_back(town_, broker::Options{});
      for (std::size_t w = 0; w < size.each; ++w) below.crew.join(name + "." + std::to_string(w + 1), 1);
      by_endpoint_.emplace("tcp://" + name + ":1", &below);
      // Each looks at a moment of its own.
      town_.after(chance_.between(Duration(1), every),
                  [this, &below, all, name, every] { uplinks_.emplace_back(below.hall, all, name, every); });
    }
    town_.run(2 * every);
  }

  // The mean wait for a worker, in mean service times.
  double run(Duration warm_up, Duration time) {
    count_from_ = town_.now() + warm_up;
    open();
    town_.run(warm_up + time);
    return std::chrono::duration<double>(wait_).count() / static_cast<double>(served_) /
           std::chrono::duration<double>(service_time).count();
  }

 private:
  struct Above {
    Above(Town& town, const broker::Options& options) : hall(town, options) {}
    Hall hall;
    Clients clients{hall};
  };
  struct Below {
    Below(Town& town, const broker::Options& options) : hall(town, options) {}
    Hall hall;
    Crew crew{hall, "s"};
    Clients clients{hall};
  };

  void open() {
    const auto gap = service_time / (size_.load * static_cast<double>(size_.below * size_.each));
    town_.after(chance_.around(std::chrono::duration_cast<Duration>(gap)), [this] {
      arrive();
      open();
    });
  }

  void arrive() {
    const Instant came = town_.now();
    Above& above = above_[chance_.below(above_.size())];
    const std::string id = std::to_string(++ids_);
    above.clients.ask(id, "s", 24h, [this, came, &above, id](const Granted* pass) {
      MUST(pass != nullptr);
      Below& below = *by_endpoint_.at(pass->endpoint);
      below.clients.ask(id, "s", 24h, [this, came, &above, &below, pass = *pass](const Granted* granted) {
        MUST(granted != nullptr);
        if (came >= count_from_) {
          ++served_;
          wait_ += town_.now() - came;
        }
        below.crew.serve(*granted, chance_.around(service_time),
                         [&above, pass] { above.clients.release(pass); });
      });
    });
  }

  const Size size_;
  Town town_;
  sim::Chance chance_;
  std::deque<Above> above_;
  std::deque<Below> below_;
  std::deque<Uplink> uplinks_;
  std::map<std::string, Below*> by_endpoint_;
  Instant count_from_ = never;
  Duration wait_{0};
  std::uint64_t served_ = 0, ids_ = 0;
};

Estimate wait_with(const Size& size, Policy policy, Duration time = 25s) {
  const Estimate found =
      estimate([&](std::uint64_t seed) { return Fleet(size, policy, 1s, seed).run(10s, time); });
  tell(std::to_string(size.below) + " brokers of " + std::to_string(size.each) + " below " + std::to_string(size.above) + ", " + std::string(word(policy)) + ": wait", found);
  return found;
}

}  // namespace

// 160 workers in one line wait 0.0081 of a service time by Erlang's C; ten alone, as if their broker were drawn by lot, 0.67.
TEST_CASE("sixteen brokers below one are nearly one line") {
  CHECK(wait_with({.above = 1}, Policy::weighted_round_robin).mean < 0.1);
}

TEST_CASE("sixteen brokers below four that know nothing of each other") {
  CHECK(wait_with({}, Policy::least_connections).mean < 0.1);
  CHECK(wait_with({}, Policy::two_choices).mean < 0.2);
  CHECK(wait_with({}, Policy::weighted_round_robin).mean < 0.2);
}

// Two thousand in one line wait 0.0005 of a service time; fifty alone, 0.35.
TEST_CASE("forty brokers of fifty workers, two thousand in all, below four") {
  CHECK(wait_with({.below = 40, .each = 50, .load = 0.96}, Policy::least_connections, 10s).mean < 0.02);
}
