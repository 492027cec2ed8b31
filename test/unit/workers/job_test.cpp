// Jobs: what a function says, and the thread that takes it.

#include "workers/job.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <variant>

namespace pointsman::workers {
namespace {

// A function that says `count` parts of `size` bytes, on a thread of its own.
struct Talker {
  Talker(std::size_t count, std::size_t size)
      : thread([this, count, size] {
          job.run([&](Work& work) {
            for (std::size_t i = 0; i < count && work.part({std::string(size, 'x')}); ++i) ++said;
          });
        }) {}
  ~Talker() {
    job.cancel();
    thread.join();
  }

  std::atomic<std::size_t> said{0}, stirred{0};
  Job job{Serve{.session = 1, .number = 1}, [this] { ++stirred; }};
  std::thread thread;
};

// Takes until the end, and waits for what is not there yet; how many parts there were.
std::size_t take_all(Talker& talker) {
  std::size_t parts = 0;
  while (!talker.job.over()) {
    const auto event = talker.job.take();
    if (!event) {
      std::this_thread::yield();
      continue;
    }
    parts += std::get<Answered>(*event).more;
  }
  return parts;
}

TEST_CASE("a job's parts come out as they went in, however many") {
  Talker talker(10'000, 10);
  CHECK(take_all(talker) == 10'000);
}

TEST_CASE("a function that says more than is taken waits: 64 parts, or 4 MiB of them, or one that is larger") {
  for (const auto& [size, most] : {std::pair{10, 64}, {1024 * 1024, 4}, {8 * 1024 * 1024, 1}}) {
    Talker talker(200, static_cast<std::size_t>(size));
    while (talker.said < static_cast<std::size_t>(most)) std::this_thread::yield();
    // It has said as much as it may; the next one has to wait for us.
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    CHECK(talker.said == most);
  }
}

TEST_CASE("who takes what a job says is stirred when there was nothing, not for each part") {
  Talker talker(64, 10);
  while (talker.said < 64) std::this_thread::yield();
  CHECK(talker.stirred <= 2);  // for the first part, and maybe for the end
  CHECK(take_all(talker) == 64);
}

TEST_CASE("a function whose call is cancelled does not wait for room") {
  Talker talker(200, 10);
  while (talker.said < 64) std::this_thread::yield();
  talker.job.cancel();
  CHECK(take_all(talker) == 64);
}

}  // namespace
}  // namespace pointsman::workers
