// Store: the database in which operators put down what is known of workers, clients and keys, and brokers what workers did.
//
// One interface, a kind of database behind each implementation. All have the same tables: `known`, a row a record with
// the columns of broker/core/known.hpp; `pointsman`, one row with the version of the tables and a number that grows
// with every change of those (whoever edits by SQL adds one to it); and `history`, a row an instance of a worker. That one came
// later: it is made where it is missing, and programs of before do not mind it. Not thread safe. Everything may throw
// DatabaseError.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/deeds.hpp"
#include "broker/core/known.hpp"

namespace pointsman::broker {

inline constexpr std::uint64_t database_version = 1;

// What is wrong with a database, and what to do about it.
class DatabaseError : public std::runtime_error {
 public:
  enum class Kind {
    missing,  // there is none yet
    foreign,  // of another version, or another program's: that does not pass by itself
    trouble,  // it is away, damaged, full, or in use
  };
  DatabaseError(Kind kind, const std::string& problem, const std::string& remedy)
      : std::runtime_error(problem + "; " + remedy), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

// A row of the history. Its deeds' failures are all of them.
struct Past {
  Deeds deeds;
  std::uint64_t since = 0;  // seconds of Unix: when it was noted first, and last
  std::uint64_t seen = 0;
};

class Store {
 public:
  Store() = default;
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Another number after each change, by whomever.
  virtual std::uint64_t changes() = 0;

  // Every record, in order of what it is about and of names.
  virtual void each(const std::function<void(const Columns&)>& visit) = 0;

  // From begin() to commit() nobody else changes anything; without commit() nothing has happened.
  virtual void begin() = 0;
  virtual void commit() = 0;
  virtual std::optional<Columns> find(std::string_view about, std::string_view name) = 0;
  virtual void put(const Columns& record) = 0;
  virtual bool remove(std::string_view about, std::string_view name) = 0;  // false: there was none
  virtual void clear() = 0;

  // Notes deeds in the history, all or nothing, and no change: figures as they are if they are more than before, failures
  // added. They are in order of worker and instance, so that two who do so do not wait for each other. Of more than `most`
  // rows those noted last longest ago leave. `now`: seconds of Unix.
  virtual void note(std::span<const Deeds> deeds, std::uint64_t now, std::uint64_t most) = 0;

  // Every row of the history, in order of worker, then of when it was noted first.
  virtual void each_past(const std::function<void(const Past&)>& visit) = 0;

  // The sums of what the history has of all instances of this worker.
  virtual Deeds past_of(const std::string& worker) = 0;

  // All of it as it is at this moment, in a new file.
  virtual void back_up(const std::string& path) = 0;

  // What is wrong with it, a line each; empty: nothing.
  virtual std::vector<std::string> check() = 0;
};

// What it is opened for.
enum class Purpose {
  look,  // nothing is changed; it is there
  edit,  // it is made if it is not there, and nobody else edits it: a file until it is closed, else from begin() on
  note,  // what workers did is noted; it is there
};

// `place`: the path of a file, sqlite:PATH, or postgresql://…, as libpq takes it.
std::unique_ptr<Store> open_store(const std::string& place, Purpose purpose);

// The place as it may be shown: without users and passwords; and how texts name it.
std::string place_without_secrets(const std::string& place);
std::string shown_place(const std::string& place);

}  // namespace pointsman::broker
