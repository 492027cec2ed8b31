// IndexedHeap: a binary heap of records that know their place in it.
//
// First, insert, erase and reorder cost O(log n) at most; nothing is ever searched. The records are owned
// elsewhere and must stay where they are while they are in the heap. Not thread safe.

#pragma once

#include <cstddef>
#include <vector>

#include "protocol/must.hpp"

namespace pointsman::broker {

// A record's place in a heap. 0: in none.
using Place = std::uint32_t;

// `place` is the member of T that holds its place; `Before` orders: the least comes first.
template <class T, Place T::*place, class Before>
class IndexedHeap {
 public:
  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  T& first() const { return *heap_.front(); }
  static bool contains(const T& record) { return record.*place != 0; }

  void insert(T& record) {
    MUST(!contains(record));
    heap_.push_back(&record);
    record.*place = static_cast<Place>(heap_.size());
    rise(heap_.size() - 1);
  }

  void erase(T& record) {
    MUST(contains(record));
    const std::size_t hole = record.*place - 1;
    record.*place = 0;
    T* last = heap_.back();
    heap_.pop_back();
    if (last == &record) return;
    put(hole, last);
    sink(rise(hole));
  }

  // After what orders `record` has changed.
  void reorder(T& record) {
    MUST(contains(record));
    sink(rise(record.*place - 1));
  }

  void check() const {
    for (std::size_t i = 0; i < heap_.size(); ++i) {
      MUST(heap_[i]->*place == i + 1);
      MUST(i == 0 || !before_(*heap_[i], *heap_[(i - 1) / 2]));
    }
  }

 private:
  void put(std::size_t at, T* record) {
    heap_[at] = record;
    record->*place = static_cast<Place>(at + 1);
  }

  std::size_t rise(std::size_t at) {
    T* record = heap_[at];
    while (at > 0 && before_(*record, *heap_[(at - 1) / 2])) {
      put(at, heap_[(at - 1) / 2]);
      at = (at - 1) / 2;
    }
    put(at, record);
    return at;
  }

  void sink(std::size_t at) {
    T* record = heap_[at];
    for (;;) {
      std::size_t child = 2 * at + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && before_(*heap_[child + 1], *heap_[child])) ++child;
      if (!before_(*heap_[child], *record)) break;
      put(at, heap_[child]);
      at = child;
    }
    put(at, record);
  }

  std::vector<T*> heap_;
  [[no_unique_address]] Before before_;
};

}  // namespace pointsman::broker
