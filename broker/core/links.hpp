// Chain, PoolChain: doubly linked lists through the records themselves: no allocation, erase in O(1).

#pragma once

#include <cstddef>
#include <cstdint>

#include "broker/core/pool.hpp"
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

// The same of records that live in a pool, in half the room: numbers in the place of pointers, each plus 1; 0: none.
struct PoolLink {
  std::uint32_t before = 0;  // of the first the record itself; none: it is in no chain
  std::uint32_t after = 0;
};

template <class T, PoolLink T::*link>
class PoolChain {
 public:
  explicit PoolChain(Pool<T>& pool) : pool_(&pool) {}
  PoolChain(const PoolChain&) = delete;
  PoolChain& operator=(const PoolChain&) = delete;

  bool empty() const { return first_ == 0; }
  std::size_t size() const { return size_; }
  T* first() const { return at(first_); }
  T* after(const T& record) const { return at((record.*link).after); }
  static bool contains(const T& record) { return (record.*link).before != 0; }

  void append(T& record) {
    MUST(!contains(record));
    const std::uint32_t number = record.number + 1;
    record.*link = {last_ != 0 ? last_ : number, 0};
    (last_ != 0 ? (at(last_)->*link).after : first_) = number;
    last_ = number;
    ++size_;
  }

  void erase(T& record) {
    MUST(contains(record));
    const PoolLink was = record.*link;
    const bool first = was.before == record.number + 1;
    (first ? first_ : (at(was.before)->*link).after) = was.after;
    if (was.after != 0) {
      (at(was.after)->*link).before = first ? was.after : was.before;
    } else {
      last_ = first ? 0 : was.before;
    }
    record.*link = {};
    --size_;
  }

 private:
  T* at(std::uint32_t number) const { return number == 0 ? nullptr : &pool_->at(number - 1); }

  Pool<T>* pool_;
  std::uint32_t first_ = 0;
  std::uint32_t last_ = 0;
  std::size_t size_ = 0;
};

}  // namespace pointsman::broker
