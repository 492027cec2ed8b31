// Line: the requests that wait for one service, in the order in which they are granted.
//
// A step of priority is worth a head start, so what counts is when a request arrived less its head start; of equals goes
// first who came first. Those of one priority therefore stand in the order of their arrival, in a Row of their own, and
// only the heads of the rows are compared: ten at most. Everything costs O(log n), a position O(log² n) where several
// priorities wait. The requests are owned elsewhere and stay where they are. Not thread safe.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::broker {

struct Asked;

// Requests in the order of their arrival. Whoever leaves leaves a gap; every 32 places have a count of those who stand
// there, in a tree of partial sums (Fenwick 1994), which finds places by order and the other way round. A row that has
// come to its end is packed, so a request costs 8 bytes, and at most half as much again for room.
class Row {
 public:
  static constexpr std::size_t places_kept = 128;  // that an empty row keeps for the next requests

  std::size_t size() const { return size_; }
  Asked& at(std::size_t order) const;  // 0: the first
  std::size_t order_of(const Asked& asked) const;
  void append(Asked& asked);
  void erase(Asked& asked);
  void sort();
  void check() const;

 private:
  void pack();
  void fill(const std::vector<Asked*>& all);
  void count(std::size_t block, std::uint32_t more);

  std::vector<Asked*> places_;         // none: a gap
  std::vector<std::uint32_t> counts_;  // of blocks, as sums; room for as many as places_ may have
  std::size_t size_ = 0;
};

class Line {
 public:
  // What puts a request before another, of the same service or not.
  using Turn = std::pair<Instant, std::uint64_t>;

  // `aging`: what a step of priority is worth; outlives the line, and may change.
  explicit Line(const Duration& aging) : aging_(aging) {}

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void append(Asked& asked);  // the newest of all
  void erase(Asked& asked);
  void sort();  // after requests were appended that are not the newest: looks at all
  std::size_t order_of(const Asked& asked) const;  // 0: the first
  std::size_t before(const Turn& turn) const;      // how many
  Turn turn_of(const Asked& asked) const;

  // One after the other, from any place on. The line must not change meanwhile.
  class Walk {
   public:
    Asked* next();  // none: that was all

   private:
    friend class Line;
    explicit Walk(const Line& line) : line_(&line) {}
    const Line* line_;
    std::array<std::size_t, limits::priority + 1> at_{};  // in each row
  };
  Walk walk(std::size_t from = 0) const;
  Asked& first() const { return *walk().next(); }

  void check() const;

 private:
  std::size_t before(const Turn& turn, const Row& row) const;

  const Duration& aging_;
  std::array<Row, limits::priority + 1> rows_;  // by priority
  std::size_t size_ = 0;
};

}  // namespace pointsman::broker
