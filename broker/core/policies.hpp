// The policies: which of the seats that are free takes the next session.
//
// A Chooser holds exactly the free seats of one service, by the class of their workers, in an order that makes the
// choice cheap: O(log n) in their number, plus the number of classes that may be chosen from and have a free seat, for
// weighted-round-robin times that of distinct weights (100 at most). Seats are owned by the broker. Not thread safe; the
// same calls with the same seed give the same choices.
//
// weighted-round-robin  smooth weighted round robin, exactly as nginx defines it: every seat that may be chosen earns
//                       its weight, the richest is chosen and pays what all have earned
//                       (nginx src/http/ngx_http_upstream_round_robin.c; 5,1,1 gives a a b a c a a)
// least-connections     least connections / weight; ties by weighted turns
// least-busy            least total working time / weight
// shortest-expected-delay  least (connections + 1) * time that the worker takes for a session / weight
//                       (Weinrib, Shenker 1988, with the time as it was lately in place of a rate that somebody has set)
// least-recent          longest since its last completion; one that has none yet goes first
// two-choices           two at random, the one with less connections / weight (Mitzenmacher 2001)
// random                one at random
//
// A worker that the client is connected to already is taken where it is level with the best: by least-connections and
// least-busy, whose workers often are. It pays no turn for that, so those that come after spread as before.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/chance.hpp"
#include "broker/core/class_set.hpp"
#include "broker/core/seat.hpp"
#include "protocol/messages.hpp"

namespace pointsman::broker {

// Smooth weighted round robin without a scan over seats. With T the number of choices so far that a class took part in,
// a free seat of it has weight * T + credit; among seats of a class of equal weight the order never changes by time, so a
// heap for each weight holds it and only the heads are compared.
class SmoothOrder {
 public:
  void add(Seat& seat);
  void remove(Seat& seat);
  void touch(Seat&) {}
  Seat* best(const ClassSet& free, const ClassSet* among) const;
  void chosen(Seat& seat, const ClassSet& free, const ClassSet* among);
  std::size_t size(std::size_t index) const { return index < classes_.size() ? classes_[index].size : 0; }
  void check() const;

 private:
  // The richest first.
  struct Richer {
    std::int64_t credit = 0;
    std::uint64_t order = 0;
    bool operator<(const Richer& other) const {
      return credit != other.credit ? credit > other.credit : order < other.order;
    }
  };
  struct OfWeight {
    std::int64_t weight = 1;
    IndexedHeap<Seat, &Seat::place, Richer> heap;
  };
  struct OfClass {
    std::vector<OfWeight> by_weight;  // in order; may be empty
    std::int64_t turns = 0;
    std::int64_t weights = 0;  // sum over the free seats
    std::size_t size = 0;
  };
  static OfWeight& of_weight(OfClass& one, std::uint64_t weight);

  std::vector<OfClass> classes_;
};

// Least of a key first: least-connections, least-busy, shortest-expected-delay, least-recent.
class KeyOrder {
 public:
  explicit KeyOrder(Policy policy) : policy_(policy) {}
  void add(Seat& seat);
  void remove(Seat& seat);
  void touch(Seat& seat);
  Seat* best(const ClassSet& free, const ClassSet* among) const;
  void chosen(Seat& seat, const ClassSet& free, const ClassSet* among);
  // Whether only turns are between this one and the best, and it has no more sessions.
  bool level(const Seat& seat, const Seat& best) const;
  std::size_t size(std::size_t index) const { return index < heaps_.size() ? heaps_[index].size() : 0; }
  void check() const;

 private:
  // The least of value over weight first.
  struct Less {
    std::uint64_t value = 0;
    std::uint64_t weight = 1;
    std::uint64_t turn = 0;
    std::uint64_t order = 0;
    bool operator<(const Less& other) const {
      const auto left = value * other.weight;
      const auto right = other.value * weight;
      if (left != right) return left < right;
      return turn != other.turn ? turn < other.turn : order < other.order;
    }
  };
  Less key_of(const Seat& seat) const;

  std::vector<IndexedHeap<Seat, &Seat::place, Less>> heaps_;  // by class
  Policy policy_;
  std::uint64_t floor_ = 0;  // turn of the last chosen: one that comes (back) does not claim its absence
};

// Any order: random, two-choices.
class DenseOrder {
 public:
  DenseOrder(Policy policy, std::uint64_t seed) : policy_(policy), chance_(seed) {}
  void add(Seat& seat);
  void remove(Seat& seat);
  void touch(Seat&) {}
  Seat* best(const ClassSet& free, const ClassSet* among);
  void chosen(Seat&, const ClassSet&, const ClassSet*) {}
  std::size_t size(std::size_t index) const { return index < classes_.size() ? classes_[index].size() : 0; }
  void check() const;

 private:
  std::vector<std::vector<Seat*>> classes_;
  Policy policy_;
  Chance chance_;
};

class Chooser {
 public:
  Chooser(Policy policy, std::uint64_t seed);

  void add(Seat& seat);     // it has become free
  void remove(Seat& seat);  // it is no longer free
  void touch(Seat& seat);   // it is free and its inputs changed
  static bool contains(const Seat& seat) { return seat.place != 0; }

  // The choice among the free seats of these classes, or of all, whose workers are not in `exclude`, or none. Accounts
  // for it. Of `linked`, seats of this service, the first that is level with it goes before.
  Seat* choose(std::span<const std::string> exclude = {}, const ClassSet* among = nullptr,
               std::span<Seat* const> linked = {});

  std::size_t size() const { return size_; }
  std::size_t size(const ClassSet& among) const;
  const ClassSet& free() const { return free_; }  // classes that have a free seat
  void check() const;

 private:
  std::size_t size_of(std::size_t index) const;
  Seat* level(const Seat& best, std::span<Seat* const> linked, const ClassSet* among,
              std::span<const std::string> exclude) const;

  ClassSet free_;
  std::size_t size_ = 0;
  std::variant<SmoothOrder, KeyOrder, DenseOrder> order_;
};

}  // namespace pointsman::broker
