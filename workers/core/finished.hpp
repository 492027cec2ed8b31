// Which calls of a session are finished, so that none is worked on twice.
//
// Kept as ranges of numbers: a client that counts its calls up, as PROTOCOL.md asks, has one range, and as many more as
// numbers that never came. At most `finished_ranges` are kept, the highest; calls below them are not known any more.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

namespace pointsman::workers {

inline constexpr std::size_t finished_ranges = 64;

class Finished {
 public:
  void add(std::uint64_t number) {
    if (contains(number)) return;
    const auto next = above(number);
    const bool joins_next = next != ranges_.end() && next->first == number + 1;
    const bool joins_last = next != ranges_.begin() && std::prev(next)->last + 1 == number;
    if (joins_last && joins_next) {
      std::prev(next)->last = next->last;
      ranges_.erase(next);
    } else if (joins_last) {
      std::prev(next)->last = number;
    } else if (joins_next) {
      next->first = number;
    } else {
      ranges_.insert(next, {number, number});
      if (ranges_.size() > finished_ranges) ranges_.erase(ranges_.begin());
    }
  }

  bool contains(std::uint64_t number) const {
    const auto next = std::upper_bound(ranges_.begin(), ranges_.end(), number, begins_after);
    return next != ranges_.begin() && std::prev(next)->last >= number;
  }

  std::size_t ranges() const { return ranges_.size(); }

 private:
  struct Range {
    std::uint64_t first, last;
  };

  static bool begins_after(std::uint64_t number, const Range& range) { return number < range.first; }
  std::vector<Range>::iterator above(std::uint64_t number) {
    return std::upper_bound(ranges_.begin(), ranges_.end(), number, begins_after);
  }

  std::vector<Range> ranges_;  // ascending; neither overlapping nor touching
};

}  // namespace pointsman::workers
