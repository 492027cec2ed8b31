// Helm: threads that take turns at driving one transport, so that what comes is handled by whoever waits for it and
// is not handed from thread to thread.
//
// One lock guards the transport and all that is driven by it. A thread that waits for something drives meanwhile,
// unless another one does; then it follows, until it is called or its turn has come. While nobody waits a keeper
// drives: a thread that has nothing else to do. It does not step in at once, for who has just left mostly comes back.
// Every function but lock() and mine() wants the lock to be held.

#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "protocol/machine.hpp"

namespace pointsman {

class Helm {
 public:
  // Holds the lock, and knows who does.
  class Lock {
   public:
    explicit Lock(Helm& helm) : helm_(helm) { lock(); }
    ~Lock() {
      if (lock_.owns_lock()) unlock();
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    void lock();
    void unlock();

   private:
    friend class Helm;
    Helm& helm_;
    std::unique_lock<std::mutex> lock_;
  };

  // Where a thread waits. It outlives the wait, and belongs to one thread at a time.
  class Place {
   public:
    Place() = default;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    friend class Helm;
    std::condition_variable called_;
    bool following_ = false;
    std::list<Place*>::iterator at_{};
  };

  using Over = std::function<bool()>;
  using Turn = std::function<void(Lock&)>;

  // `turn` does one turn of the transport. It lets go of the lock while it waits, and does not throw.
  Helm(Turn turn, std::function<void()> wake, Duration grace)
      : turn_(std::move(turn)), wake_(std::move(wake)), grace_(grace) {}
  Helm(const Helm&) = delete;
  Helm& operator=(const Helm&) = delete;

  // True if the calling thread has the lock.
  bool mine() const { return holder_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

  // Waits until `over()`, and drives meanwhile or follows. Who leaves the helm hands it to the first who follows, or
  // with `lazily` to nobody: the keeper steps in after the grace.
  void wait(Lock& lock, Place& place, const Over& over, bool lazily = false);

  // The keeper's part, until `over()`. `chores` is called before each turn and whenever urge() was.
  void keep(Lock& lock, const Over& over, const Turn& chores);

  // What this place waits for may be there: its thread looks.
  void call(Place& place);
  // The same for every thread, also for who drives and for the keeper.
  void call_all();

  // Somebody is to drive from now on, at once: a follower, or the keeper.
  void man();
  // The keeper is to do its chores.
  void urge();
  // If the keeper drives it makes room, for whoever is about to wait.
  void make_room() { room_ = driven_ && driver_ == nullptr; }

  bool driven() const { return driven_; }
  // Where who drives waits, while somebody does and it is not the keeper.
  Place* driver() const { return driver_; }
  // True if the calling thread drives: this is within its turn.
  bool driving() const { return driven_ && driving_ == std::this_thread::get_id(); }

 private:
  void drive(Lock& lock, const Over& over);
  void follow(Lock& lock, Place& place);
  void rest(Lock& lock, const Over& over);
  bool hand_over();

  const Turn turn_;
  const std::function<void()> wake_;
  const Duration grace_;
  std::mutex mutex_;
  std::atomic<std::thread::id> holder_{};
  bool driven_ = false;
  Place* driver_ = nullptr;
  std::thread::id driving_{};
  std::uint64_t drives_ = 0;     // how often somebody began to drive
  std::list<Place*> followers_;  // whoever follows for longest first
  std::condition_variable keeper_;
  bool asleep_ = false;  // the keeper rests until somebody calls it
  bool urged_ = false;
  bool manned_ = false;  // the keeper is to drive at once
  bool room_ = false;
};

}  // namespace pointsman
