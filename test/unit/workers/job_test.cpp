// Jobs: what a function says, and what is taken of it.

#include "workers/job.hpp"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

#include "protocol/system.hpp"

namespace pointsman::workers {
namespace {

// A function's thread that takes what there is whenever the job asks for it.
struct Taker {
  explicit Taker(bool gather) : gathers(gather) {}

  void run(const std::function<void(Work&)>& function) {
    job.run(function);
    take();
  }
  void take() {
    while (auto event = job.take(now())) events.push_back(std::move(*event));
  }
  std::vector<Answered> parts() const {
    std::vector<Answered> all;
    for (const Event& event : events) {
      if (const auto* answered = std::get_if<Answered>(&event)) all.push_back(*answered);
    }
    return all;
  }

  bool gathers;
  int asked = 0;
  std::vector<Event> events;
  Job job{Serve{.session = 1, .number = 1, .gather = gathers}, [this](Job&) {
            ++asked;
            take();
          }};
};

std::function<void(Work&)> saying(std::size_t count, std::size_t size) {
  return [count, size](Work& work) {
    for (std::size_t i = 0; i < count; ++i) work.part({std::to_string(i) + std::string(size, 'x')});
  };
}

TEST_CASE("a job's parts come out as they went in, gathered or not") {
  for (const bool gather : {false, true}) {
    Taker taker(gather);
    taker.run(saying(10'000, 10));
    std::size_t next = 0;
    for (const Answered& answered : taker.parts()) {
      if (!answered.more) continue;
      CHECK(answered.payload.size() == answered.parts);
      for (const Frame& frame : answered.payload)
        CHECK(frame.str() == std::to_string(next++) + std::string(10, 'x'));
    }
    CHECK(next == 10'000);
    CHECK_FALSE(taker.parts().back().more);
  }
}

TEST_CASE("a part alone leaves at once, and those that follow it closely are gathered, if the call lets them") {
  Taker plain(false);
  plain.run(saying(640, 10));
  CHECK(plain.parts().size() == 641);
  Taker gathering(true);
  gathering.run(saying(640, 10));
  CHECK(gathering.parts().front().parts == 1);
  CHECK(gathering.parts().size() < 641);
  for (const Answered& answered : gathering.parts()) CHECK(answered.payload.size() <= Job::gathered_frames);
}

TEST_CASE("not more is gathered than its bound, and nothing that has another number of frames") {
  Taker taker(true);
  taker.run([](Work& work) {
    for (int i = 0; i < 3; ++i) work.part({std::string(40'000, 'x')});
    work.part({"one", "two"});
    work.part({});
    work.part({});
  });
  std::vector<std::uint64_t> parts;
  std::size_t frames = 0;
  for (const Answered& answered : taker.parts()) {
    parts.push_back(answered.parts);
    frames += answered.payload.size();
  }
  CHECK(parts == std::vector<std::uint64_t>(7, 1));
  CHECK(frames == 5);
}

TEST_CASE("what is gathered is due a moment after something left") {
  Taker taker(true);
  taker.run([&](Work& work) {
    CHECK(taker.job.due() == never);
    work.part({"one"});
    CHECK(taker.job.due() == never);
    work.part({"two"});
    if (taker.asked == 1) CHECK(taker.job.due() <= now() + Job::gathered_for);
  });
}

TEST_CASE("a function whose call is cancelled hears that nobody wants its parts") {
  Taker taker(true);
  taker.run([&](Work& work) {
    CHECK(work.part({"one"}));
    taker.job.cancel();
    CHECK(work.cancelled());
    CHECK_FALSE(work.part({"two"}));
  });
}

}  // namespace
}  // namespace pointsman::workers
