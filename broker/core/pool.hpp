// Pool and Index: records that stay where they are and are used again, and a table that finds them by name.
//
// A pool makes 256 records at a time and never gives them back; what is freed is made again first. An index holds eight
// bytes for a place, a part of the hash and the number of the record, so that it seldom looks at a record in vain, and
// grows without looking at any. Not thread safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "protocol/must.hpp"

namespace pointsman::broker {

// T has a member `number`, which is the pool's alone to write; a record just made is as T{} is.
template <class T>
class Pool {
 public:
  T& make() {
    if (free_.empty()) {
      const auto first = static_cast<std::uint32_t>(chunks_.size() * chunk);
      chunks_.push_back(std::make_unique<T[]>(chunk));
      for (std::uint32_t i = chunk; i-- > 0;) free_.push_back(first + i);
    }
    T& record = at(free_.back());
    record.number = free_.back();
    free_.pop_back();
    return record;
  }

  void free(T& record) {
    const std::uint32_t number = record.number;
    MUST(&at(number) == &record);
    record = T{};
    free_.push_back(number);
  }

  T& at(std::uint32_t number) { return chunks_[number / chunk][number % chunk]; }
  const T& at(std::uint32_t number) const { return chunks_[number / chunk][number % chunk]; }

 private:
  static constexpr std::uint32_t chunk = 256;
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::vector<std::uint32_t> free_;  // last freed, first made
};

// Open addressing, linear probing; what is erased leaves no trace. Hashes must be well mixed.
template <class T>
class Index {
 public:
  explicit Index(const Pool<T>& pool) : pool_(&pool), places_(16) {}

  std::size_t size() const { return size_; }

  // The record of that hash that `same` says it is; none if there is none.
  template <class Same>
  T* find(std::uint32_t hash, const Same& same) const {
    for (std::size_t i = home(hash); places_[i].number != 0; i = next(i)) {
      if (places_[i].hash != hash) continue;
      // The pool is the broker's; the index only says where.
      T& record = const_cast<T&>(pool_->at(places_[i].number - 1));
      if (same(record)) return &record;
    }
    return nullptr;
  }

  void insert(std::uint32_t hash, const T& record) {
    if ((size_ + 1) * 4 > places_.size() * 3) grow();
    put({hash, record.number + 1});
    ++size_;
  }

  void erase(std::uint32_t hash, const T& record) {
    std::size_t hole = home(hash);
    while (places_[hole].number != record.number + 1) {
      MUST(places_[hole].number != 0);
      hole = next(hole);
    }
    // Those behind it move up, unless that would put them before their home.
    for (std::size_t i = next(hole); places_[i].number != 0; i = next(i)) {
      const std::size_t from_home = (i - home(places_[i].hash)) & (places_.size() - 1);
      if (from_home < ((i - hole) & (places_.size() - 1))) continue;
      places_[hole] = places_[i];
      hole = i;
    }
    places_[hole] = {};
    --size_;
  }

  template <class Visit>
  void each(const Visit& visit) const {
    for (const Place& place : places_) {
      if (place.number != 0) visit(pool_->at(place.number - 1));
    }
  }

 private:
  struct Place {
    std::uint32_t hash = 0;
    std::uint32_t number = 0;  // of the record, and 1; 0: nothing is here
  };

  std::size_t home(std::uint32_t hash) const { return (std::uint64_t{hash} * places_.size()) >> 32; }
  std::size_t next(std::size_t i) const { return (i + 1) & (places_.size() - 1); }

  void put(Place place) {
    std::size_t i = home(place.hash);
    while (places_[i].number != 0) i = next(i);
    places_[i] = place;
  }

  void grow() {
    std::vector<Place> old(places_.size() * 2);
    old.swap(places_);
    for (const Place& place : old) {
      if (place.number != 0) put(place);
    }
  }

  const Pool<T>* pool_;
  std::vector<Place> places_;
  std::size_t size_ = 0;
};

// 32 well mixed bits of any 64.
constexpr std::uint32_t mixed(std::uint64_t bits) {
  bits = (bits ^ (bits >> 32)) * 0x9e3779b97f4a7c15ULL;
  return static_cast<std::uint32_t>((bits ^ (bits >> 29)) * 0xbf58476d1ce4e5b9ULL >> 32);
}

}  // namespace pointsman::broker
