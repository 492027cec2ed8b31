// Helms: who drives, who follows, and when the keeper does.
#include "protocol/helm.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>
#include <vector>

namespace pointsman {
namespace {

// Something to drive: numbers come from outside; each is handed to whoever wants it.
struct Wheel {
  explicit Wheel(Duration grace = std::chrono::milliseconds(1))
      : helm([this](Helm::Lock& lock) { turn(lock); }, [this] { wake(); }, grace),
        keeper([this] { keep(); }) {}
  ~Wheel() {
    {
      Helm::Lock lock(helm);
      over = true;
      helm.call_all();
    }
    keeper.join();
  }

  void turn(Helm::Lock& lock) {
    lock.unlock();
    int number = 0;
    {
      std::unique_lock inner(mutex);
      came.wait(inner, [this] { return woken || !numbers.empty(); });
      woken = false;
      if (!numbers.empty()) {
        number = numbers.front();
        numbers.pop_front();
      }
    }
    lock.lock();
    if (number == 0) return;
    turned_by.push_back(std::this_thread::get_id());
    if (wants.size() > static_cast<std::size_t>(number) && wants[static_cast<std::size_t>(number)]) {
      helm.call(*wants[static_cast<std::size_t>(number)]);
      helm.make_room();
    }
    seen.resize(std::max<std::size_t>(seen.size(), static_cast<std::size_t>(number) + 1));
    seen[static_cast<std::size_t>(number)] = true;
  }
  void wake() {
    {
      const std::lock_guard inner(mutex);
      woken = true;
    }
    came.notify_all();
  }
  void bring(int number) {
    {
      const std::lock_guard inner(mutex);
      numbers.push_back(number);
    }
    came.notify_all();
  }
  void keep() {
    Helm::Lock lock(helm);
    helm.keep(
        lock, [this] { return over; }, [this](Helm::Lock&) { ++chores; });
  }
  // Waits for a number that it brings itself.
  void fetch(int number) {
    Helm::Place place;
    Helm::Lock lock(helm);
    wants.resize(std::max<std::size_t>(wants.size(), static_cast<std::size_t>(number) + 1));
    wants[static_cast<std::size_t>(number)] = &place;
    bring(number);
    helm.wait(lock, place, [&] {
      return seen.size() > static_cast<std::size_t>(number) && seen[static_cast<std::size_t>(number)];
    });
    wants[static_cast<std::size_t>(number)] = nullptr;
  }
  template <class Condition>
  void until(const Condition& condition) {
    for (bool met = false; !met;) {
      std::this_thread::yield();
      Helm::Lock lock(helm);
      met = condition();
    }
  }

  std::mutex mutex;
  std::condition_variable came;
  std::deque<int> numbers;
  bool woken = false;

  bool over = false;
  int chores = 0;
  std::vector<Helm::Place*> wants;
  std::vector<bool> seen;
  std::vector<std::thread::id> turned_by;
  Helm helm;
  std::thread keeper;
};

TEST_CASE("a keeper drives while nobody waits") {
  Wheel wheel;
  wheel.bring(1);
  wheel.until([&] { return wheel.seen.size() == 2; });
  CHECK(wheel.turned_by.back() == wheel.keeper.get_id());
}

TEST_CASE("who waits again and again drives itself, and the keeper drives when it has gone") {
  Wheel wheel(std::chrono::hours(1));
  wheel.until([&] { return wheel.helm.driven(); });
  wheel.fetch(1);  // the keeper makes room
  for (int number = 2; number < 100; ++number) {
    wheel.fetch(number);
    CHECK(wheel.turned_by.back() == std::this_thread::get_id());
  }
  {
    Helm::Lock lock(wheel.helm);
    wheel.helm.man();  // the grace is not waited for
  }
  wheel.bring(100);
  wheel.until([&] { return wheel.seen.size() == 101; });
  CHECK(wheel.turned_by.back() == wheel.keeper.get_id());
}

TEST_CASE("many that wait all get what they want, whoever drives") {
  Wheel wheel;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&wheel, i] {
      for (int number = 1; number <= 200; ++number) wheel.fetch(number * 8 + i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  Helm::Lock lock(wheel.helm);
  CHECK(wheel.turned_by.size() == 1600);
}

TEST_CASE("the keeper does its chores when it is urged, also while another thread drives") {
  Wheel wheel(std::chrono::hours(1));
  wheel.until([&] { return wheel.helm.driven(); });
  wheel.fetch(1);  // the keeper makes room
  std::thread other([&] {
    Helm::Place place;
    Helm::Lock lock(wheel.helm);
    wheel.helm.wait(lock, place, [&] { return wheel.chores > 0; });
  });
  wheel.until([&] { return wheel.helm.driven(); });
  {
    Helm::Lock lock(wheel.helm);
    wheel.helm.urge();
  }
  wheel.until([&] { return wheel.chores > 0; });
  wheel.wake();
  other.join();
}

}  // namespace
}  // namespace pointsman
