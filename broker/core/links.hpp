// Chain: a doubly linked list through the records themselves: no allocation, erase in O(1).

#pragma once

#include <cstddef>

#include "protocol/must.hpp"

namespace pointsman::broker {

template <class T>
struct Link {
  T* before = nullptr;
  T* after = nullptr;
  bool linked = false;
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
  static bool contains(const T& record) { return (record.*link).linked; }

  void append(T& record) {
    MUST(!contains(record));
    record.*link = {last_, nullptr, true};
    (last_ ? (last_->*link).after : first_) = &record;
    last_ = &record;
    ++size_;
  }

  void erase(T& record) {
    MUST(contains(record));
    const Link<T> was = record.*link;
    (was.before ? (was.before->*link).after : first_) = was.after;
    (was.after ? (was.after->*link).before : last_) = was.before;
    record.*link = {};
    --size_;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pointsman::broker
