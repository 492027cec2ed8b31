// Shows that under load, while workers are killed, frozen and started and the broker is killed and restarted,
// every request ends in exactly one outcome, nobody is handed a worker whose lease is over, direct sessions go
// on without the broker, and the accounts of both sides agree afterwards.
#include <doctest/doctest.h>

#include <signal.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "clients/client.hpp"
#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

constexpr int workers_count = 8;
constexpr int slots = 2;

// A broker and workers as processes of their own, at fixed ipc addresses so that they can be restarted.
struct Yard {
  Yard() : clients("ipc://" + folder.path() + "/clients"), workers("ipc://" + folder.path() + "/workers") {
    start_broker();
    for (int i = 0; i < workers_count; ++i) start_worker(i);
  }

  void start_broker() {
    broker.emplace(std::vector<std::string>{pointsman_program(), "broker", "--clients", clients, "--workers", workers,
                                            "--lease", "1s"});
    REQUIRE(broker->wait_for_line("ready", 10s));
  }

  void start_worker(int i) {
    fleet[i].emplace(std::vector<std::string>{pointsman_program(), "worker", "--service", "echo", "--slots",
                                              std::to_string(slots), "--name", "w" + std::to_string(i), "--broker",
                                              workers, "--filter", "--", "cat"});
    REQUIRE(fleet[i]->wait_for_line("ready", 20s));
  }

  ClientOptions options() const { return {.broker = clients, .pulse = 300ms, .pulses = 3}; }

  TemporaryFolder folder;
  std::string clients;
  std::string workers;
  std::optional<Process> broker;
  std::optional<Process> fleet[workers_count];
};

// What a watcher of the broker saw: no grant may name a worker that is not in good standing.
struct Witness {
  explicit Witness(const Yard& yard) : client(yard.options()) {
    thread = std::thread([this] {
      try {
        client.watch({}, [this](const Happened& event) {
          watching = true;
          saw(event);
          return !stop;
        });
      } catch (const Error& error) {
        if (!stop) problems.push_back(std::string("watching ended: ") + error.what());
      }
    });
  }
  void begin() {
    REQUIRE(eventually(20s, [this] {
      make_event();
      return watching.load();
    }));
  }
  void finish() {
    stop = true;
    make_event();
    thread.join();
  }
  void make_event() {
    try {
      client.ask(Configure{.service = "echo", .queue_max = 9999});
    } catch (const Error&) {
    }
  }
  void saw(const Happened& event) {
    switch (event.kind) {
      case Happening::registered:
      case Happening::restored: standing.insert(event.worker); break;
      case Happening::suspected:
      case Happening::expired:
      case Happening::left: standing.erase(event.worker); known.insert(event.worker); break;
      case Happening::granted:
        ++grants;
        if (known.contains(event.worker) && !standing.contains(event.worker)) {
          problems.push_back(event.worker + " was granted session " + std::to_string(event.session) +
                             " while it was not in good standing");
        }
        break;
      default: break;
    }
  }

  Client client;
  std::thread thread;
  std::atomic<bool> stop{false}, watching{false};
  std::set<std::string> standing, known;
  std::vector<std::string> problems;
  std::uint64_t grants = 0;
};

// Waits until the broker's figures show no session at any worker, as the workers themselves have none left.
bool settled(Client& client, std::chrono::seconds within) {
  return eventually(within, [&] {
    try {
      const auto sessions = std::get<Listing>(client.ask(List{.of = Subject::sessions}));
      const auto services = std::get<Listing>(client.ask(List{.of = Subject::services}));
      return sessions.sessions.empty() && services.services.at(0).used == 0 && services.services.at(0).waiting == 0;
    } catch (const Error&) {
      return false;
    }
  });
}

}  // namespace

TEST_CASE("ten thousand requests each end in one outcome while workers are killed frozen and started") {
  Yard yard;
  Witness witness(yard);
  witness.begin();
  constexpr int total = 10'000;
  constexpr int threads = 16;
  std::atomic<int> next{0}, served{0}, wrong{0};
  std::mutex mutex;
  std::map<std::string, int> outcomes;
  std::atomic<bool> over{false};

  std::thread chaos([&] {
    std::mt19937 random(20261);
    while (!over) {
      const int i = static_cast<int>(random() % workers_count);
      if (random() % 2 == 0) {
        yard.fleet[i]->signal(SIGKILL);
        yard.fleet[i]->wait(5s);
        yard.start_worker(i);
      } else {
        yard.fleet[i]->signal(SIGSTOP);
        eventually(1500ms, [&] { return over.load(); });
        yard.fleet[i]->signal(SIGCONT);
      }
      eventually(200ms, [&] { return over.load(); });
    }
  });

  std::vector<std::thread> crowd;
  Client client(yard.options());
  for (int t = 0; t < threads; ++t) {
    crowd.emplace_back([&] {
      for (int i; (i = next++) < total;) {
        std::string outcome = "served";
        const std::string text = "request " + std::to_string(i);
        try {
          const Payload answer = client.call("echo", {text}, {.wait = 10s, .reassign = 5}, {.limit = 20s});
          ++served;
          if (answer.size() != 1 || answer[0].view() != text) ++wrong;
        } catch (const Error& error) {
          outcome = std::string(word(error.code));
        }
        const std::lock_guard lock(mutex);
        ++outcomes[outcome];
      }
    });
  }
  for (auto& thread : crowd) thread.join();
  over = true;
  chaos.join();

  int ended = 0;
  for (const auto& [outcome, count] : outcomes) {
    MESSAGE(outcome << ": " << count);
    ended += count;
  }
  CHECK(ended == total);
  CHECK(wrong == 0);
  CHECK(served >= total * 99 / 100);
  CHECK(settled(client, 60s));
  witness.finish();
  for (const auto& problem : witness.problems) FAIL_CHECK(problem);
  CHECK(witness.grants >= static_cast<std::uint64_t>(served.load()));
}

TEST_CASE("a broker that is killed and restarted under load breaks no session and requests resume") {
  Yard yard;
  Client client(yard.options());
  std::vector<Session> held;
  for (int i = 0; i < 4; ++i) held.push_back(client.acquire("echo", {.reassign = 0}));
  for (auto& session : held) CHECK(session.call({"before"}) == Payload{"before"});

  std::atomic<bool> over{false};
  std::atomic<int> direct{0}, served{0}, failed{0};
  std::vector<std::thread> crowd;
  for (auto& session : held) {
    crowd.emplace_back([&] {
      while (!over) {
        session.call({"x"}, {.limit = 5s});  // no reassignment: any trouble would throw and end the test
        ++direct;
      }
    });
  }
  for (int t = 0; t < 4; ++t) {
    crowd.emplace_back([&] {
      while (!over) {
        try {
          client.call("echo", {"y"}, {.wait = 15s, .absent = true}, {.limit = 20s});
          ++served;
        } catch (const Error& error) {
          MESSAGE(std::string(error.what()));
          ++failed;
        }
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    REQUIRE(eventually(10s, [&, was = served.load()] { return served >= was + 100; }));
    yard.broker->signal(SIGKILL);
    yard.broker->wait(5s);
    REQUIRE(eventually(10s, [&, was = direct.load()] { return direct >= was + 100; }));
    yard.start_broker();
  }
  REQUIRE(eventually(20s, [&, was = served.load()] { return served >= was + 100; }));
  over = true;
  for (auto& thread : crowd) thread.join();
  CHECK(failed == 0);

  // The new broker was told of the sessions that it never granted.
  CHECK(eventually(10s, [&] {
    return std::get<Listing>(client.ask(List{.of = Subject::sessions})).sessions.size() == held.size();
  }));
  for (auto& session : held) {
    CHECK(session.reassigned() == 0);
    session.release();
  }
  CHECK(settled(client, 20s));
}
