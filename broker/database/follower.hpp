// Follower: reads a database on a thread of its own, says what has changed in it, and keeps the history of workers there.
//
// A broker never waits for a database: it goes on with what it knows. The thread looks every tenth of a second whether
// there was a change, reads all records if so, and keeps those that are others than before until they are taken. While
// the database cannot be read, it tries again and again. What workers did is written every ten seconds, and at the end;
// what cannot be written is kept, so much of it as there may be rows. Of a worker that came it reads what that did before; if
// that cannot be, the worker is one without a past. Safe for one thread beside its own.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/core/deeds.hpp"
#include "broker/core/known.hpp"
#include "broker/database/store.hpp"

namespace pointsman::broker {

class Follower {
 public:
  // What is new since it was asked last.
  struct News {
    std::vector<Known> records;  // of those that are gone, one that says nothing
    std::vector<Deeds> pasts;       // of workers that came, the sums of their instances
    std::vector<std::string> said;  // for the log
    bool away = false;              // it cannot be read now
    std::uint64_t troubles = 0;     // how often that began
    std::uint64_t unreadable = 0;   // records that are none, or too many
  };

  // Makes the database if it is not there, and reads it once: what it says counts from the beginning. One that is away
  // or damaged is read, or made, later; of another version it is a DatabaseError. `most`: records at most; `most_past`: rows
  // of the history. `wake` is called from the thread when there are news.
  Follower(std::string place, std::uint64_t most, std::uint64_t most_past, std::function<void()> wake);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  bool has_news() const { return news_there_.load(std::memory_order_acquire); }
  News take();

  // What workers did, for the history. Nothing more while it has not come to what it was given before.
  bool takes_deeds() const { return !deeds_there_.load(std::memory_order_acquire); }
  void note(std::vector<Deeds> deeds);

 private:
  using Names = std::pair<About, std::string>;

  void follow();
  void open();
  void look();
  void read();
  void failed(const DatabaseError& error);
  void gather();
  void recall();
  void write();

  const std::string place_;
  const std::uint64_t most_;
  const std::uint64_t most_past_;
  const std::function<void()> wake_;

  // Of the thread.
  std::unique_ptr<Store> store_;
  bool made_ = false;                // it was there once
  std::uint64_t seen_ = 0;           // changes()
  std::map<Names, Known> records_;  // as they were told
  std::map<std::pair<std::string, std::string>, Deeds> unwritten_;  // by worker and instance
  std::vector<std::string> came_;  // workers whose past is not read
  std::chrono::steady_clock::time_point write_at_;
  bool unwritable_ = false;  // as it was told

  std::mutex mutex_;
  std::condition_variable stop_asked_;
  bool stop_ = false;
  std::map<Names, Known> changed_;  // and not taken: no more than there are records, and were
  News news_;
  std::vector<Deeds> deeds_;
  std::atomic<bool> deeds_there_ = false;
  std::atomic<bool> news_there_ = false;
  std::thread thread_;
};

}  // namespace pointsman::broker
