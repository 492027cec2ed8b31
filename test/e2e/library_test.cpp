// Shows the client library with a real broker and real workers, each a process of its own.
#include <doctest/doctest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "clients/client.hpp"
#include "protocol/system.hpp"
#include "test/e2e/eventually.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

class Party {
 public:
  explicit Party(std::vector<std::string> words) {
    words.insert(words.begin(), POINTSMAN_LIBRARY_PARTY);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    REQUIRE(posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) == 0);
  }
  ~Party() { kill(); }
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;

  void kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

// A broker and two workers, alpha and beta, of two slots each.
class Yard {
 public:
  Yard() {
    start_broker();
    for (const std::string worker : {"alpha", "beta"}) start_worker(worker);
    Client client(options());
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    for (std::size_t workers = 0; workers < 2;) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      workers = std::get<Listing>(client.ask(List{.of = Subject::workers})).workers.size();
    }
  }
  Yard(const Yard&) = delete;
  Yard& operator=(const Yard&) = delete;

  void start_broker() {
    parties["broker"] = std::make_unique<Party>(words({"broker", clients(), workers()}));
  }
  void start_worker(const std::string& name) {
    parties[name] = std::make_unique<Party>(words({"worker", workers(), name, "2"}));
  }
  std::string clients() const { return "ipc://" + folder / "clients"; }
  std::string workers() const { return "ipc://" + folder / "workers"; }
  ClientOptions options() const { return {.broker = clients(), .patience = 10s, .pulse = 100ms}; }

  const TemporaryFolder folder;
  std::map<std::string, std::unique_ptr<Party>> parties;

 private:
  static std::vector<std::string> words(std::vector<std::string> list) { return list; }
};

std::optional<Code> code_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    return error.code;
  }
  return std::nullopt;
}

std::uint64_t used_slots(Client& client) {
  std::uint64_t used = 0;
  const auto page = std::get<Listing>(client.ask(List{.of = Subject::workers}));
  for (const auto& row : page.workers) used += row.used;
  return used;
}

}  // namespace

TEST_CASE("library: a client that connects ahead holds nothing, and finds its connections there") {
  const Yard yard;
  Client client(yard.options());
  CHECK(code_of([&] { client.warm("nothing"); }) == Code::unknown_service);
  CHECK(client.warm("echo") == 1);
  CHECK(client.warm("echo", 5) == 2);
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (used_slots(client) > 0) REQUIRE(std::chrono::steady_clock::now() < deadline);
  CHECK(client.call("echo", {"echo", "x"}).size() == 3);
}

TEST_CASE("library: a client comes back to the worker that it is connected to where the policy sees no difference") {
  const Yard yard;
  const auto visit = [](Client& client) {
    std::string worker;
    {
      auto session = client.acquire("echo");
      CHECK(session.call({"echo", "x"}).size() == 3);
      worker = session.grant().worker;
    }
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (used_slots(client) > 0) REQUIRE(std::chrono::steady_clock::now() < deadline);
    return worker;
  };
  Client client(yard.options());
  client.ask(Configure{.service = "echo", .policy = Policy::least_connections});
  const std::string first = visit(client);
  for (int i = 0; i < 4; ++i) CHECK(visit(client) == first);
  ClientOptions to_any = yard.options();
  to_any.linked_max = 0;
  Client any(to_any);
  const std::string one = visit(any);
  CHECK(visit(any) != one);
}

TEST_CASE("library: many parts of an answer come in order, also beside calls of other threads") {
  const Yard yard;
  Client client(yard.options());
  std::atomic<bool> over{false};
  std::thread other([&] {
    auto session = client.acquire("echo");
    while (!over) CHECK(session.call({"echo"}).size() == 2);
  });
  auto session = client.acquire("echo");
  std::vector<std::string> seen;
  session.stream({"parts", "20000"}, [&](const Payload& part) {
    if (!part.empty()) seen.push_back(part.front().str());
  });
  over = true;
  other.join();
  REQUIRE(seen.size() == 20'000);
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == std::to_string(20'000 - i));
}

TEST_CASE("library: threads that wait at the same time miss nothing that another one found") {
  const Yard yard;
  ClientOptions options = yard.options();
  options.pulse = 60s;  // or a sign of life would make good what was missed
  Client client(options);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&client, &right] {
      auto session = client.acquire("echo");
      for (int round = 0; round < 200; ++round) {
        // More than are under way at a time. Shared, for they may come after a wait that was in vain.
        const auto come = std::make_shared<std::atomic<int>>(0);
        for (int call = 0; call < 40; ++call) {
          session.call_async({"echo"}, [come, &right](std::optional<Payload> answer, std::optional<Error>) {
            right += answer ? 1 : 0;
            ++*come;
          });
        }
        for (int call = 0; call < 10; ++call) right += session.call({"echo"}).size() == 2 ? 1 : 0;
        if (!eventually([&] { return *come == 40; })) return;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 4 * 200 * 50);
}

TEST_CASE("library: what comes while a callback takes its time waits at the worker, not in the client") {
  const Yard yard;
  ClientOptions options = yard.options();
  options.pulse = 60s;  // signs of life are not read meanwhile either
  Client client(options);
  std::atomic<bool> over{false};
  std::thread other([&] {  // so that somebody reads meanwhile
    auto session = client.acquire("echo");
    while (!over) session.call({"echo"});
  });
  std::promise<void> begins, ends;
  std::promise<std::string> came;
  auto session = client.acquire("echo");
  session.call_async({"echo"}, [&](std::optional<Payload>, std::optional<Error>) {
    begins.set_value();
    ends.get_future().wait();
  });
  begins.get_future().wait();
  const std::uint64_t before = resident_bytes();
  session.call_async({"parts", "3000", "65536"}, [&](std::optional<Payload> answer, std::optional<Error> error) {
    came.set_value(answer ? std::to_string(answer->size()) : error->what());
  });
  CHECK_FALSE(eventually(2s, [&] { return resident_bytes() > before + 100 * 1024 * 1024; }));
  ends.set_value();
  CHECK(came.get_future().get() == "3000");
  over = true;
  other.join();
}

TEST_CASE("library: acquire, call, stream, renew and release") {
  const Yard yard;
  Client client(yard.options());
  auto session = client.acquire("echo");
  const auto worker = session.grant().worker;
  CHECK(session.call({"echo", "x"}) == Payload{"echo", "x", Frame(worker)});
  CHECK(session.call({"parts", "3"}) == Payload{"3", "2", "1"});
  std::string seen;
  session.stream({"parts", "4"}, [&](const Payload& part) {
    for (const auto& frame : part) seen += frame.str();
  });
  CHECK(seen == "4321");
  try {
    session.call({"fail"});
    FAIL("it did not fail");
  } catch (const Error& error) {
    CHECK(error.code == Code::failed);
    CHECK(error.exit == 3);
    CHECK(error.detail == "the end of stderr");
  }
  session.renew(60s);
  std::promise<Payload> answer;
  session.call_async({"echo"}, [&](std::optional<Payload> payload, std::optional<Error>) {
    answer.set_value(payload.value_or(Payload{}));
  });
  CHECK(answer.get_future().get() == Payload{"echo", Frame(worker)});
  CHECK(used_slots(client) == 1);
  session.release();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (used_slots(client) > 0 && std::chrono::steady_clock::now() < deadline) {
  }
  CHECK(used_slots(client) == 0);
}

TEST_CASE("library: many threads at once share workers and links") {
  const Yard yard;
  Client client(yard.options());
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 25; ++i) {
        const Frame text(std::to_string(thread) + "." + std::to_string(i));
        const auto answer = client.call("echo", {"echo", text}, {.wait = 60s});
        right += answer.size() == 3 && answer[1] == text ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 200);
}

TEST_CASE("library: a thousand calls over one session") {
  const Yard yard;
  Client client(yard.options());
  auto session = client.acquire("echo");
  int right = 0;
  for (int i = 0; i < 1000; ++i)
    right += session.call({"echo", Frame(std::to_string(i))}).size() == 3 ? 1 : 0;
  CHECK(right == 1000);
  CHECK(session.reassigned() == 0);
}

TEST_CASE("library: a worker killed in mid-call is replaced and the call done") {
  Yard yard;
  Client client(yard.options());
  auto session = client.acquire("echo");
  const auto first = session.grant().worker;
  const std::string mark = yard.folder / "mark";
  auto answer = std::async(std::launch::async, [&] { return session.call({"once", Frame(mark)}); });
  while (!std::filesystem::exists(mark)) std::this_thread::yield();
  yard.parties.at(first)->kill();
  const std::string second = first == "alpha" ? "beta" : "alpha";
  CHECK(answer.get() == Payload{"once", Frame(mark), Frame(second)});
  CHECK(session.reassigned() == 1);
  CHECK(session.grant().worker == second);
}

TEST_CASE("library: sessions go on without the broker, and requests say that it is unreachable") {
  Yard yard;
  ClientOptions options = yard.options();
  options.patience = 500ms;
  Client client(options);
  auto session = client.acquire("echo");
  const auto worker = session.grant().worker;
  CHECK(session.call({"echo"}) == Payload{"echo", Frame(worker)});
  yard.parties.at("broker")->kill();
  CHECK(session.call({"echo"}) == Payload{"echo", Frame(worker)});
  CHECK(code_of([&] { client.acquire("echo"); }) == Code::unreachable);
  CHECK(code_of([&] { client.ask(Status{}); }) == Code::unreachable);
  CHECK(session.call({"echo"}) == Payload{"echo", Frame(worker)});
}

TEST_CASE("library: a request outlives a broker that is killed and started again") {
  Yard yard;
  Client client(yard.options());
  yard.parties.at("broker")->kill();
  auto answer = std::async(std::launch::async,
                           [&] { return client.call("echo", {"echo"}, {.wait = 60s, .absent = true}); });
  yard.start_broker();
  CHECK(answer.get().size() == 2);
}

TEST_CASE("library: a full house queues, tells positions and grants in turn") {
  const Yard yard;
  Client client(yard.options());
  std::vector<Session> held;
  for (int i = 0; i < 4; ++i) held.push_back(client.acquire("echo"));
  CHECK(code_of([&] { client.acquire("echo", {.wait = 0ms}); }) == Code::no_worker);
  CHECK(code_of([&] { client.acquire("echo", {.wait = 50ms}); }) == Code::timed_out);
  CHECK(code_of([&] { client.acquire("nothing"); }) == Code::unknown_service);

  std::promise<std::uint64_t> position;
  std::promise<Session> granted;
  client.acquire_async(
      "echo",
      [&](std::optional<Session> session, std::optional<Error>) { granted.set_value(std::move(*session)); },
      {.wait = 60s, .queued = [&, told = false](const Queued& queued) mutable {
         if (!std::exchange(told, true)) position.set_value(queued.position);
       }});
  CHECK(position.get_future().get() == 1);
  held.pop_back();
  CHECK(granted.get_future().get().call({"echo"}).size() == 2);
}

TEST_CASE("library: a watch sees what happens") {
  const Yard yard;
  Client client(yard.options());
  std::set<Happening> seen;
  bool called = false;
  client.watch(
      {},
      [&](const Happened& happened) {
        seen.insert(happened.kind);
        return happened.kind != Happening::closed;
      },
      [&] {
        if (!std::exchange(called, true)) CHECK(client.call("echo", {"echo"}).size() == 2);
        return true;
      });
  CHECK(seen.contains(Happening::granted));
}
