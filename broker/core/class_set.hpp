// ClassSet: some of the classes that the workers of a service fall into, a bit a class.
//
// A class is known by its index, which is small and given again when the class is gone. Not thread safe.

#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pointsman::broker {

class ClassSet {
 public:
  void add(std::size_t index) {
    if (index / bits >= words_.size()) words_.resize(index / bits + 1);
    words_[index / bits] |= bit(index);
  }
  void erase(std::size_t index) {
    if (index / bits < words_.size()) words_[index / bits] &= ~bit(index);
  }
  void clear() { words_.clear(); }
  bool contains(std::size_t index) const {
    return index / bits < words_.size() && (words_[index / bits] & bit(index)) != 0;
  }

  bool meets(const ClassSet& other) const {
    for (std::size_t i = 0; i < std::min(words_.size(), other.words_.size()); ++i) {
      if ((words_[i] & other.words_[i]) != 0) return true;
    }
    return false;
  }

  // Calls `visit` with each index that is in this set and, if there is another, in that one, too.
  template <class Visit>
  void each(const ClassSet* also, Visit&& visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      std::uint64_t word = words_[i];
      if (also) word &= i < also->words_.size() ? also->words_[i] : 0;
      for (; word != 0; word &= word - 1) visit(i * bits + static_cast<std::size_t>(std::countr_zero(word)));
    }
  }

 private:
  static constexpr std::size_t bits = 64;
  static std::uint64_t bit(std::size_t index) { return std::uint64_t{1} << (index % bits); }

  std::vector<std::uint64_t> words_;
};

}  // namespace pointsman::broker
