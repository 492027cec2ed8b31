// IndexedHeap: a heap of records that know their place in it.
//
// First, insert, erase and reorder cost O(log n) at most; nothing is ever searched. What orders a record is copied
// when the heap is told of it and lies beside its neighbours', so that a comparison looks at no record; a record has four
// below it, whose keys come in a cache line or two. The records are owned elsewhere and must stay where they are while
// they are in the heap. Not thread safe.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/must.hpp"

namespace pointsman::broker {

// A record's place in a heap. 0: in none.
using Place = std::uint32_t;

// `place` is the member of T that holds its place; the least key comes first.
template <class T, Place T::*place, class Key>
class IndexedHeap {
 public:
  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  T& first() const { return *heap_.front().record; }
  const Key& first_key() const { return heap_.front().key; }
  static bool contains(const T& record) { return record.*place != 0; }

  void insert(T& record, const Key& key) {
    MUST(!contains(record));
    heap_.push_back({});
    rise(heap_.size() - 1, {key, &record});
  }

  void erase(T& record) {
    MUST(contains(record));
    const std::size_t hole = record.*place - 1;
    record.*place = 0;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (last.record != &record) settle(hole, last);
  }

  void reorder(T& record, const Key& key) {
    MUST(contains(record));
    settle(record.*place - 1, {key, &record});
  }

  void check() const {
    for (std::size_t i = 0; i < heap_.size(); ++i) {
      MUST(heap_[i].record->*place == i + 1);
      MUST(i == 0 || !(heap_[i].key < heap_[(i - 1) / arity].key));
    }
  }

 private:
  struct Entry {
    Key key{};
    T* record = nullptr;
  };
  static constexpr std::size_t arity = 4;

  void put(std::size_t at, const Entry& entry) {
    heap_[at] = entry;
    entry.record->*place = static_cast<Place>(at + 1);
  }

  void settle(std::size_t at, const Entry& entry) {
    if (at > 0 && entry.key < heap_[(at - 1) / arity].key) return rise(at, entry);
    sink(at, entry);
  }

  void rise(std::size_t at, const Entry& entry) {
    while (at > 0 && entry.key < heap_[(at - 1) / arity].key) {
      put(at, heap_[(at - 1) / arity]);
      at = (at - 1) / arity;
    }
    put(at, entry);
  }

  void sink(std::size_t at, const Entry& entry) {
    for (std::size_t child = arity * at + 1; child < heap_.size(); child = arity * at + 1) {
      const std::size_t end = std::min(child + arity, heap_.size());
      std::size_t least = child;
      while (++child < end) {
        if (heap_[child].key < heap_[least].key) least = child;
      }
      if (!(heap_[least].key < entry.key)) break;
      put(at, heap_[least]);
      at = least;
    }
    put(at, entry);
  }

  std::vector<Entry> heap_;
};

}  // namespace pointsman::broker
