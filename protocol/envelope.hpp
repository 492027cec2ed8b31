// Envelope: how the frames of one message fall into return envelope, body and payload.
//
// Pure functions, thread safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/frame.hpp"

namespace pointsman {

// How many of the first frames are the return envelope: everything up to and including the first empty one,
// or none where none of the first limits::envelope_frames is empty.
std::size_t envelope_frames(std::span<const Frame> frames);

// The frames as one string, for Address::envelope; empty for no frames. Each has at most 255 bytes.
std::string pack_envelope(std::span<const Frame> frames);

// The frames again, as views of `packed`, which pack_envelope() made.
std::vector<std::string_view> unpack_envelope(std::string_view packed);

// One party on the way of a message: to whom there its answer goes.
struct Hop {
  std::uint64_t peer = 0;
  std::string envelope;  // packed; as it came
};

// The packed envelope of a message that is passed on: its hop in front. None if that is more than
// limits::envelope_bytes.
std::optional<std::string> add_hop(const Hop& hop);

// The hop that add_hop() put in front of a packed envelope; none if it did not.
std::optional<Hop> take_hop(std::string_view packed);

}  // namespace pointsman
