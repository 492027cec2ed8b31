// Errand: what a call of a load test asks of its own workers, and how its answer is known.
//
// A request is `NUMBER PARTS BYTES`, then a frame of padding. Its answer has so many parts of so many bytes, each of
// which begins with the number. Pure.

#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/frame.hpp"

namespace pointsman::load {

struct Errand {
  std::uint64_t number = 0;
  std::uint64_t parts = 1;
  std::uint64_t bytes = 0;  // of each part
};

inline Payload write_errand(const Errand& errand, std::uint64_t padding) {
  Payload payload;
  payload.emplace_back(std::to_string(errand.number) + " " + std::to_string(errand.parts) + " " +
                       std::to_string(errand.bytes));
  if (padding > 0) payload.emplace_back(std::string(padding, '.'));
  return payload;
}

inline std::optional<Errand> read_errand(const Payload& payload) {
  if (payload.empty()) return {};
  const std::string_view text = payload.front().view();
  Errand errand;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::uint64_t* figure : {&errand.number, &errand.parts, &errand.bytes}) {
    while (at != end && *at == ' ') ++at;
    const auto read = std::from_chars(at, end, *figure);
    if (read.ec != std::errc()) return {};
    at = read.ptr;
  }
  return errand;
}

// One part of its answer: the number, then as many dots as are missing.
inline Frame part_of(const Errand& errand) {
  std::string text = std::to_string(errand.number) + " ";
  text.resize(std::max<std::size_t>(text.size(), errand.bytes), '.');
  return text;
}

inline bool is_answer(const Payload& answer, const Errand& errand) {
  const std::string begin = std::to_string(errand.number) + " ";
  const std::size_t size = std::max<std::size_t>(begin.size(), errand.bytes);
  return answer.size() == errand.parts && std::all_of(answer.begin(), answer.end(), [&](const Frame& frame) {
           return frame.size() == size && frame.view().starts_with(begin);
         });
}

}  // namespace pointsman::load
