// The story of a run: who was told and said what, in the notation. And its hash, by which two runs are compared.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "protocol/machine.hpp"

namespace pointsman::sim {

class Story {
 public:
  enum class Telling : std::uint8_t { none, last, kept, all };  // the last lines or all are kept; or printed as they come

  Story(Telling telling, bool hashing) : telling_(telling), hashing_(hashing) {}

  bool wanted() const { return telling_ != Telling::none || hashing_; }
  void tell(Instant now, const std::string& who, std::string_view what);

  const std::deque<std::string>& lines() const { return lines_; }
  std::uint64_t hash() const { return hash_; }

 private:
  static constexpr std::size_t last = 80;
  static constexpr std::size_t most = 200'000;
  Telling telling_;
  bool hashing_;
  std::deque<std::string> lines_;
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace pointsman::sim
