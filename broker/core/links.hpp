// Chain: a doubly linked list through the records themselves: no allocation, erase in O(1).

#pragma once

#include <cstddef>

#include "protocol/must.hpp"

namespace pointsman::broker {

template <class T>
struct Link {
  T* before = nullptr;  // of the first the record itself; none: it is in no chain
  T* after = nullptr;
};

template <class T, Link<T> T::*link>
class Chain {
 public:
  Chain() = default;
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  bool empty() const { return !first_; }
  std::size_t size() const { return size_; }
  T* first() const { return first_; }
  static T* after(const T& record) { return (record.*link).after; }
  static bool contains(const T& record) { return (record.*link).before != nullptr; }

  void append(T& record) {
    MUST(!contains(record));
    record.*link = {last_ ? last_ : &record, nullptr};
    (last_ ? (last_->*link).after : first_) = &record;
    last_ = &record;
    ++size_;
  }

  void erase(T& record) {
    MUST(contains(record));
    const Link<T> was = record.*link;
    const bool first = was.before == &record;
    (first ? first_ : (was.before->*link).after) = was.after;
    if (was.after) {
      (was.after->*link).before = first ? was.after : was.before;
    } else {
      last_ = first ? nullptr : was.before;
    }
    record.*link = {};
    --size_;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pointsman::broker
