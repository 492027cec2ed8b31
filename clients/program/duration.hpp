// Times and sizes as people write and read them: "250ms", "1h", "forever", "16M".
//
// Pure functions, thread safe.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/messages.hpp"

namespace pointsman::program {

inline constexpr std::string_view duration_remedy =
    "write a number and a unit, without a space: 250ms, 5s, 2m, 1h, or forever";
inline constexpr std::string_view size_remedy = "write a number of bytes, or one with K, M or G: 512K, 16M";

// "250ms", "1.5s", "2m", "1h", "1d", "0", "forever". Nothing if it is none of these, finer than a millisecond or longer
// than a year.
std::optional<Milliseconds> parse_duration(std::string_view text);

// Exact, in the largest unit that has no remainder; parse_duration reads it back.
std::string exact(Milliseconds duration);

// For tables: two figures at most, "3.2s", "4m10s", "2h05m", "3d04h"; "-" for zero.
std::string rough(Milliseconds duration);

// Bytes; K, M and G are powers of 1024. Nothing if it is no size or does not fit.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace pointsman::program
