// Registrations: what a broker is to the one above it: a worker for each class of its own workers, with the slots that clients from
// above may take. A class of more than limits::slots is several, with an equal share of its slots each.
//
// A machine without a clock: it is told what the broker below has and how many passes each registration holds, and says what to change.
// A class that is gone takes no more clients and, when its passes are over, leaves: not before the next look, for clients may be on
// their way. One that comes back before then goes on.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "clients/program/uplink/core/census.hpp"

namespace pointsman::limits {

inline constexpr std::size_t registrations_above = 64;  // of one broker with another one

}  // namespace pointsman::limits

namespace pointsman::uplink {

// A registration begins.
struct Join {
  std::string name;
  WorkerClass of;
  std::uint64_t slots = 1;
  std::uint64_t weight = 1;
};

// It has other slots; 0: none for now.
struct Change {
  std::string name;
  std::uint64_t slots = 0;
  std::uint64_t weight = 1;
};

// It ends, with no pass open.
struct Leave {
  std::string name;
};

using Step = std::variant<Join, Change, Leave>;

class Registrations {
 public:
  using Passes = std::function<std::uint64_t(const std::string& name)>;

  // The first class of workers without attributes has this name, others one that begins with it.
  explicit Registrations(std::string name) : name_(std::move(name)) {}

  // What the broker below has now; nothing while it is not there. `passes` says how many a registration holds. Where there is not room
  // for all, each class comes before second shares of any.
  std::vector<Step> look(const Census& census, const Passes& passes);

  // It has left as it was said to, and may join again.
  void left(std::string_view name);

  // The broker above told it to leave: it does not join again while there is such a class.
  void sent_away(std::string_view name);

  // How many registrations the last look had no place for.
  std::size_t left_out() const { return left_out_; }

  // How much longer a name can be than the one given.
  static constexpr std::size_t longer = 9;

 private:
  enum class Stage : std::uint8_t { joined, leaving, sent_away };
  struct Registration {
    std::string name;
    std::uint64_t slots = 0;  // as was said last; 0: none
    Stage stage = Stage::joined;
  };

  using Key = std::pair<std::string, std::uint64_t>;  // of a class, and which of its shares

  void look_at(const Key& key, const WorkerClass& of, std::uint64_t passes, std::vector<Step>& steps);
  std::string name_for(const Key& key, const WorkerClass& one) const;
  bool taken(std::string_view name) const;
  void look_at_gone(const Census& census, const Passes& passes, std::vector<Step>& steps);

  const std::string name_;
  std::map<Key, Registration> shares_;  // at most limits::registrations_above
  std::size_t left_out_ = 0;
};

// How many registrations a class is; at most limits::registrations_above.
std::uint64_t shares_of(const WorkerClass& one);

// How many of the slots of a class clients from above may have by this share of it. `passes` are there already by all its shares. At
// least 1, so that they may wait below; at most limits::slots.
std::uint64_t slots_above(const WorkerClass& one, std::uint64_t passes, std::uint64_t share = 0);

}  // namespace pointsman::uplink
