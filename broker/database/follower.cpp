// Looks, reads, compares. All records are read where one has changed: no table of changes has to be kept, or to be right.
#include "broker/database/follower.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <variant>

namespace pointsman::broker {

namespace {

constexpr std::chrono::milliseconds look_every{100};
constexpr std::chrono::milliseconds try_every{1000};  // while it is away
constexpr std::chrono::seconds write_every{10};
constexpr std::size_t batch = 1000;  // rows of the history that are written at once

}  // namespace

Follower::Follower(std::string place, std::uint64_t most, std::uint64_t most_past, std::function<void()> wake)
    : place_(std::move(place)),
      most_(most),
      most_past_(most_past),
      wake_(std::move(wake)),
      write_at_(std::chrono::steady_clock::now() + write_every) {
  try {
    open();
    look();
  } catch (const DatabaseError& error) {
    if (error.kind() == DatabaseError::Kind::foreign) throw;
    failed(error);
  }
  thread_ = std::thread([this] { follow(); });
}

Follower::~Follower() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_asked_.notify_all();
  thread_.join();
}

Follower::News Follower::take() {
  const std::lock_guard lock(mutex_);
  news_there_ = false;
  News news = std::exchange(news_, {.away = news_.away, .troubles = news_.troubles, .unreadable = news_.unreadable});
  for (auto& [whom, known] : changed_) news.records.push_back(std::move(known));
  changed_.clear();
  return news;
}

void Follower::note(std::vector<Deeds> deeds) {
  const std::lock_guard lock(mutex_);
  for (Deeds& one : deeds) deeds_.push_back(std::move(one));
  deeds_there_ = true;
}

// Of what is not written the newest figures, and all failures.
void Follower::gather() {
  std::vector<Deeds> more;
  {
    const std::lock_guard lock(mutex_);
    more.swap(deeds_);
    deeds_there_ = false;
  }
  for (Deeds& one : more) {
    if (std::exchange(one.came, false)) came_.push_back(one.worker);
    std::pair whom(one.worker, one.instance);
    auto found = unwritten_.find(whom);
    if (found == unwritten_.end()) {
      if (unwritten_.size() < most_past_) unwritten_.emplace(std::move(whom), std::move(one));
      continue;
    }
    Deeds& before = found->second;
    before.jobs = std::max(before.jobs, one.jobs);
    before.busy = std::max(before.busy, one.busy);
    before.failures += one.failures;
  }
}

// After what is written: whatever its instances have done is in it, but for the last seconds.
void Follower::recall() {
  const std::vector<std::string> came = std::exchange(came_, {});
  if (came.empty() || !store_) return;
  std::vector<Deeds> pasts;
  try {
    for (const std::string& worker : came) {
      if (Deeds past = store_->past_of(worker); past.jobs > 0) pasts.push_back(std::move(past));
    }
  } catch (const DatabaseError&) {
    // look() tells of it
  }
  if (pasts.empty()) return;
  const std::lock_guard lock(mutex_);
  for (Deeds& past : pasts) news_.pasts.push_back(std::move(past));
  news_there_ = true;
}

// In batches: what is written of them stays so. A batch whose answer was lost is written again, which changes no figure but
// that of failures.
void Follower::write() {
  write_at_ = std::chrono::steady_clock::now() + write_every;
  if (unwritten_.empty() || !store_) return;
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  try {
    const auto store = open_store(place_, Purpose::note);
    while (!unwritten_.empty()) {
      std::vector<Deeds> some;
      auto end = unwritten_.begin();
      for (; end != unwritten_.end() && some.size() < batch; ++end) some.push_back(end->second);
      store->note(some, static_cast<std::uint64_t>(now.count()), most_past_);
      unwritten_.erase(unwritten_.begin(), end);
    }
    unwritable_ = false;
  } catch (const DatabaseError& error) {
    if (std::exchange(unwritable_, true)) return;
    const std::lock_guard lock(mutex_);
    news_.said.push_back("the history of workers is not written: " + std::string(error.what()));
    news_there_ = true;
  }
}

void Follower::follow() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the broker's
  for (std::unique_lock lock(mutex_);;) {
    const auto pause = store_ ? look_every : try_every;
    const bool last = stop_asked_.wait_for(lock, pause, [this] { return stop_; });
    lock.unlock();
    gather();
    if (last) return write();
    look();
    recall();
    if (write_at_ <= std::chrono::steady_clock::now()) write();
    const bool news = has_news();
    if (news) wake_();
    lock.lock();
  }
}

// Makes it if it is not there, until it was there once: what is gone after that was not to be forgotten.
void Follower::open() {
  if (!made_) open_store(place_, Purpose::edit);
  made_ = true;
  store_ = open_store(place_, Purpose::look);
  seen_ = 0;
}

// A file that was replaced, or a server that was started anew, is opened again at once.
void Follower::look() {
  for (;;) {
    const bool opened_before = store_ != nullptr;
    try {
      if (!store_) open();
      const std::uint64_t changes = store_->changes();
      if (changes == seen_) return;
      read();
      seen_ = changes;  // what came in between is read once more
      return;
    } catch (const DatabaseError& error) {
      store_.reset();
      if (!opened_before) return failed(error);
    }
  }
}

void Follower::read() {
  std::map<Names, Known> there;
  std::uint64_t unreadable = 0;
  std::string first;
  store_->each([&](const Columns& row) {
    auto read = known_of(row);
    if (there.size() >= most_ || std::holds_alternative<KnownFault>(read)) {
      if (++unreadable > 1) return;
      first = there.size() >= most_ ? "known_max is " + std::to_string(most_)
                                    : std::get<KnownFault>(read).problem;
      return;
    }
    auto& known = std::get<Known>(read);
    Names whom{known.about, known.name};
    there.emplace(std::move(whom), std::move(known));
  });

  std::map<Names, Known> changed;
  for (const auto& [whom, known] : records_) {
    if (!there.contains(whom)) changed.emplace(whom, Known{.about = whom.first, .name = whom.second});
  }
  for (const auto& [whom, known] : there) {
    const auto before = records_.find(whom);
    if (before == records_.end() || before->second != known) changed.emplace(whom, known);
  }
  records_ = std::move(there);

  const std::lock_guard lock(mutex_);
  for (auto& [whom, known] : changed) changed_.insert_or_assign(whom, std::move(known));
  if (news_.away) news_.said.push_back(shown_place(place_) + " is read again");
  if (unreadable > 0 && unreadable != news_.unreadable) {
    news_.said.push_back(shown_place(place_) + " has " + std::to_string(unreadable) + " records that do not count: " + first);
  }
  news_.away = false;
  news_.unreadable = unreadable;
  news_there_ = true;
}

// Told once, until it is read again.
void Follower::failed(const DatabaseError& error) {
  const std::lock_guard lock(mutex_);
  if (news_.away) return;
  news_.away = true;
  ++news_.troubles;
  news_.said.push_back(std::string(error.what()) + " (what is known of it stays in force)");
  news_there_ = true;
}

}  // namespace pointsman::broker
