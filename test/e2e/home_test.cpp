// Shows services at home: each at one broker, and where they go when that one dies, is back, or is full.

#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <list>
#include <map>
#include <memory>
#include <thread>

#include "clients/client.hpp"
#include "protocol/rendezvous.hpp"
#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

using Arguments = std::vector<std::string>;

const std::vector<std::string> names{"a", "b", "c"};

// Three brokers and workers of this test alone.
class Town {
 public:
  void broker(const std::string& name) {
    auto& process = brokers[name];
    process =
        std::make_unique<Process>(Arguments{pointsman_program(), "broker", "--config", config(), "--clients",
                                            at(name, "c"), "--workers", at(name, "w"), "--settle", "0"});
    REQUIRE_MESSAGE(process->wait_for_line("ready clients=", 20s), process->err());
  }

  // What it is sent goes to a file of its name, too.
  void worker(const std::string& name, const std::string& service) {
    Process& started = fleet.emplace_back(Arguments{pointsman_program(), "worker", "--broker",
                                                    everywhere("w"), "--name", name, "--service", service,
                                                    "--lease", "1s", "--", "tee", "-a", work(name)});
    REQUIRE_MESSAGE(started.wait_for_line("ready worker=", 20s), started.err());
  }

  std::string everywhere(const std::string& door) const {
    std::string list = "home";
    for (const std::string& name : names) list += "," + name + "=" + at(name, door);
    return list;
  }

  bool knows(const std::string& broker, const std::string& worker) const {
    return run({pointsman_program(), "ls", "workers", "--broker", at(broker, "c")}).out.find(worker) !=
           std::string::npos;
  }

  std::string at(const std::string& name, const std::string& door) const {
    return "ipc://" + folder.path() + "/" + name + "-" + door;
  }
  std::string work(const std::string& name) const { return folder.path() + "/" + name; }
  std::string config() const { return folder.path() + "/p.toml"; }

  TemporaryFolder folder;
  std::map<std::string, std::unique_ptr<Process>> brokers;
  std::list<Process> fleet;
};

// The brokers of a service, its own first.
std::vector<std::string> order(const std::string& service) {
  std::vector<std::string> all;
  for (const std::size_t place : rendezvous_order(service, {names.begin(), names.end()}))
    all.push_back(names[place]);
  return all;
}

}  // namespace

TEST_CASE("e2e home: services leave a broker that dies, come back with it, and no call is lost or doubled") {
  Town town;
  std::ofstream(town.config()) << "";
  for (const std::string& name : names) town.broker(name);
  const std::vector<std::string> services{"zip", "shout", "sort"};
  for (const std::string& service : services) town.worker("w-" + service, service);
  for (const std::string& service : services) CHECK(town.knows(order(service)[0], "w-" + service));

  // Sessions of one call each, all the time.
  Client client({.broker = town.everywhere("c")});
  std::atomic<bool> over{false};
  std::atomic<int> answered{0};
  std::string wrong;
  std::thread calls([&] {
    try {
      while (!over) {
        const std::string text = std::to_string(answered) + "\n";
        auto session = client.acquire("zip", {.wait = 20s, .absent = true});
        const auto said = session.call({text});
        if (said.size() != 1 || said[0].str() != text)
          throw std::runtime_error("another answer than " + text);
        ++answered;
      }
    } catch (const std::exception& error) {
      wrong = error.what();
    }
  });
  const auto goes_on = [&] {
    const int before = answered;
    return eventually([&] { return answered > before + 5 || !wrong.empty(); });
  };
  CHECK(goes_on());
  const std::string owner = order("zip")[0];
  const std::string heir = order("zip")[1];
  town.brokers.at(owner).reset();
  CHECK(eventually([&] { return town.knows(heir, "w-zip"); }));
  CHECK(goes_on());
  town.broker(owner);
  CHECK(eventually([&] { return town.knows(owner, "w-zip") && !town.knows(heir, "w-zip"); }));
  CHECK(goes_on());
  over = true;
  calls.join();
  CHECK(wrong == "");
  std::ifstream work(town.work("w-zip"));
  int worked = 0;
  for (std::string line; std::getline(work, line); ++worked) CHECK(line == std::to_string(worked));
  CHECK(worked == answered);
  for (const std::string& service : services)
    CHECK(eventually([&] { return town.knows(order(service)[0], "w-" + service); }));
}

TEST_CASE(
    "e2e home: a service that is too large for its broker goes on to the next one, and so do its clients") {
  Town town;
  std::ofstream(town.config()) << "[[service]]\nname = \"zip\"\noffers_max = 1\n";
  for (const std::string& name : names) town.broker(name);
  for (const std::string name : {"w1", "w2", "w3"}) town.worker(name, "zip");
  for (std::size_t i = 0; i < names.size(); ++i)
    CHECK(town.knows(order("zip")[i], "w" + std::to_string(i + 1)));
  // Each takes one session at a time, so the second and the third wait where the first is, until it is too long.
  Client client({.broker = town.everywhere("c"), .overflow = 50ms});
  std::vector<Session> held;
  std::map<std::string, int> workers;
  for (int i = 0; i < 3; ++i) {
    held.push_back(client.acquire("zip", {.wait = 20s}));
    ++workers[held.back().grant().worker];
  }
  CHECK(workers == std::map<std::string, int>{{"w1", 1}, {"w2", 1}, {"w3", 1}});
}
