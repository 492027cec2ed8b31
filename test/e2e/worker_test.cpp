// Shows the worker library at work: answers, parts, failures, cancelled work, and how it stops.
#include "workers/worker.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <exception>
#include <optional>
#include <string>
#include <thread>

#include "test/e2e/house.hpp"

using namespace pointsman;
using namespace pointsman::e2e;
using namespace std::chrono_literals;

namespace {

// A worker of the library on a thread of its own; stopped at the end.
class Serving {
 public:
  Serving(const House& house, std::function<void(Work&)> function, std::uint64_t slots = 2)
      : worker({.broker = house.workers, .services = {{.service = "work"}}, .slots = slots}),
        thread_([this, function = std::move(function)] {
          try {
            worker.serve(function);
          } catch (...) {
            error = std::current_exception();
          }
          over = true;
        }) {}
  ~Serving() {
    worker.stop(0ms);
    join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  Worker worker;
  std::exception_ptr error;
  std::atomic<bool> over = false;

 private:
  std::thread thread_;
};

AcquireOptions patient() {
  return {.wait = 20s, .absent = true};
}

}  // namespace

TEST_CASE("a function answers with frames with parts and with nothing") {
  const House house;
  Serving serving(house, [](Work& work) {
    const std::string what = joined(work.request());
    if (what == "parts") {
      for (int i = 0; i < 3; ++i) work.part({Frame(std::to_string(i))});
    } else if (what != "nothing") {
      Payload echo = work.request();
      echo.emplace_back(work.service());
      work.answer(std::move(echo));
    }
  });
  Client client(house.client());
  auto session = client.acquire("work", patient());
  CHECK(session.call({"a", "", "b"}) == Payload{"a", "", "b", "work"});
  CHECK(joined(session.call({"parts"})) == "012");
  CHECK(joined(session.call({"nothing"})).empty());
}

TEST_CASE("what a function throws fails its call only") {
  const House house;
  Serving serving(house, [](Work& work) {
    const std::string what = joined(work.request());
    if (what == "work failed") throw WorkFailed("no luck", 3, "the end");
    if (what == "exception") throw std::runtime_error("broken");
    if (what == "number") throw 5;
    if (what == "large") work.answer(Payload(limits::payload_frames + 1, "x"));
    work.answer({"fine"});
  });
  Client client(house.client());
  auto session = client.acquire("work", patient());
  for (const std::string what : {"work failed", "exception", "number", "large"}) {
    CHECK_THROWS_AS(session.call({Frame(what)}), Error);
  }
  CHECK(joined(session.call({"x"})) == "fine");
}

TEST_CASE("a hundred megabytes arrive in all their parts") {
  const House house;
  std::atomic<int> made = 0;
  constexpr int parts = 400;  // of 256 KiB each: 100 MB
  Serving serving(house, [&](Work& work) {
    const Frame block(std::string(256 * 1024, 'x'));
    for (int i = 0; i < parts && work.part({block}); ++i) ++made;
  });
  Client client(house.client());
  auto session = client.acquire("work", patient());
  int seen = 0;
  session.stream({"go"}, [&](Payload part) {
    if (!part.empty()) ++seen;
  });
  CHECK(seen == parts);
  CHECK(made == parts);
}

TEST_CASE("a function learns that nobody waits for it any more") {
  const House house;
  std::atomic<bool> learned = false;
  Serving serving(house, [&](Work& work) {
    learned = wait_for([&] { return work.cancelled(); });
    CHECK_FALSE(work.part({"too late"}));
  });
  Client client(house.client());
  auto session = client.acquire("work", patient());
  CHECK_THROWS_AS(session.call({"x"}, {.limit = 300ms}), Error);
  CHECK(wait_for([&] { return learned.load(); }));
}

TEST_CASE("slots work at the same time and calls of one session one after the other") {
  const House house;
  std::atomic<int> running = 0;
  std::atomic<bool> together = false;
  Serving serving(house, [&](Work& work) {
    if (++running == 2) together = true;
    if (joined(work.request()) == "meet") wait_for([&] { return together.load(); });
    --running;
  });
  Client client(house.client());
  auto one = client.acquire("work", patient());
  auto two = client.acquire("work", patient());
  std::atomic<int> done = 0;
  const auto count = [&](auto answer, auto) { done += answer.has_value(); };
  for (int i = 0; i < 5; ++i) one.call_async({"x"}, count);
  CHECK(wait_for([&] { return done == 5; }));
  CHECK_FALSE(together);
  one.call_async({"meet"}, count);
  two.call_async({"meet"}, count);
  CHECK(wait_for([&] { return done == 7; }));
  CHECK(together);
}

TEST_CASE("a function that sleeps longer than the lease keeps it") {
  const House house(1s);
  Serving serving(house, [](Work& work) {
    std::this_thread::sleep_for(2500ms);  // the work itself, not a wait of the test
    work.answer({"rested"});
  });
  Client client(house.client());
  AcquireOptions options = patient();
  options.reassign = 0;
  CHECK(joined(client.acquire("work", options).call({"x"})) == "rested");
}

TEST_CASE("a stopped worker finishes what it has and leaves") {
  const House house;
  std::atomic<bool> started = false, go = false;
  Serving serving(house, [&](Work& work) {
    started = true;
    wait_for([&] { return go.load(); });
    work.answer({"finished"});
  });
  Client client(house.client());
  auto session = client.acquire("work", patient());
  std::string answer;
  std::thread caller([&] { answer = joined(session.call({"x"})); });
  CHECK(wait_for([&] { return started.load(); }));
  serving.worker.stop(20s);
  go = true;
  caller.join();
  CHECK(answer == "finished");
  session.release();
  serving.join();
  CHECK_FALSE(serving.error);
  CHECK_THROWS_AS(client.acquire("work", {.wait = 0ms}), Error);
}

TEST_CASE("a name that is taken is refused in the end") {
  const House house;
  const auto sidecar = house.sidecar("cat", {.name = "mine"});
  Worker second({.broker = house.workers, .name = "mine", .services = {{.service = "work"}}, .patience = Milliseconds(1000)});
  CHECK_THROWS_AS(second.serve([](Work&) {}), WorkFailed);
}
