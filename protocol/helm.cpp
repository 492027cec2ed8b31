// Who drives, who follows, and when the keeper steps in.
#include "protocol/helm.hpp"

#include <chrono>

#include "protocol/must.hpp"

namespace pointsman {

void Helm::Lock::lock() {
  if (lock_.mutex() == nullptr) {
    lock_ = std::unique_lock(helm_.mutex_);
  } else {
    lock_.lock();
  }
  helm_.holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
}

void Helm::Lock::unlock() {
  helm_.holder_.store({}, std::memory_order_relaxed);
  lock_.unlock();
}

void Helm::wait(Lock& lock, Place& place, const Over& over, bool lazily) {
  while (!over()) {
    if (driven_) {
      follow(lock, place);
      continue;
    }
    driver_ = &place;
    drive(lock, over);
    driver_ = nullptr;
  }
  // Also who was handed the helm and does not want it any more hands it on.
  if (driven_ || (!lazily && hand_over())) return;
  if (asleep_) keeper_.notify_one();
  asleep_ = false;
}

void Helm::drive(Lock& lock, const Over& over) {
  driven_ = true;
  driving_ = std::this_thread::get_id();
  ++drives_;
  do turn_(lock);
  while (!over());
  driven_ = false;
}

void Helm::follow(Lock& lock, Place& place) {
  place.at_ = followers_.insert(followers_.end(), &place);
  place.following_ = true;
  holder_.store({}, std::memory_order_relaxed);
  while (place.following_) place.called_.wait(lock.lock_);
  holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
}

void Helm::call(Place& place) {
  if (&place == driver_ && !driving()) wake_();  // it waits in its turn
  if (!place.following_) return;
  place.following_ = false;
  followers_.erase(place.at_);
  place.called_.notify_one();
}

void Helm::call_all() {
  while (!followers_.empty()) call(*followers_.front());
  if (driven_) wake_();
  urge();
}

bool Helm::hand_over() {
  if (followers_.empty()) return false;
  call(*followers_.front());
  return true;
}

void Helm::man() {
  if (driven_ || hand_over()) return;
  manned_ = true;
  keeper_.notify_one();
}

void Helm::urge() {
  urged_ = true;
  if (driving()) return keeper_.notify_one();
  if (driven_ && driver_ == nullptr) {
    wake_();
  } else {
    keeper_.notify_one();
  }
}

void Helm::keep(Lock& lock, const Over& over, const Turn& chores) {
  const auto enough = [&] { return over() || urged_ || room_; };
  while (!over()) {
    if (std::exchange(urged_, false)) {
      chores(lock);
      continue;
    }
    if (!driven_ && !std::exchange(room_, false)) {
      manned_ = false;
      drive(lock, enough);
      if (!over() && !urged_ && !followers_.empty()) hand_over();
      if (urged_) continue;
    }
    room_ = false;
    rest(lock, over);
  }
}

// Until nobody has driven for the whole of the grace, or the keeper is wanted. While one thread drives for long there
// is nothing to look at: it calls when it leaves.
void Helm::rest(Lock& lock, const Over& over) {
  const auto wanted = [&] { return over() || urged_ || (manned_ && !driven_); };
  holder_.store({}, std::memory_order_relaxed);
  for (std::uint64_t seen = ~drives_; !wanted() && (driven_ || seen != drives_);) {
    if (driven_ && seen == drives_) {
      asleep_ = true;
      while (asleep_ && !wanted()) keeper_.wait(lock.lock_);
      asleep_ = false;
    }
    seen = drives_;
    keeper_.wait_for(lock.lock_, grace_);
  }
  holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
}

}  // namespace pointsman
