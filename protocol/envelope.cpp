// A packed envelope is each frame behind one byte that is its length.

#include "protocol/envelope.hpp"

#include "protocol/limits.hpp"
#include "protocol/must.hpp"

namespace pointsman {

static_assert(limits::envelope_bytes <= 255);

namespace {

constexpr std::size_t hop_bytes = 9;

}  // namespace

std::size_t envelope_frames(std::span<const Frame> frames) {
  for (std::size_t i = 0; i < frames.size() && i < limits::envelope_frames; ++i) {
    if (frames[i].size() == 0) return i + 1;
  }
  return 0;
}

std::string pack_envelope(std::span<const Frame> frames) {
  std::string packed;
  for (const Frame& frame : frames) {
    MUST(frame.size() <= 255);
    packed += static_cast<char>(static_cast<unsigned char>(frame.size()));
    packed += frame.view();
  }
  return packed;
}

std::vector<std::string_view> unpack_envelope(std::string_view packed) {
  std::vector<std::string_view> frames;
  while (!packed.empty()) {
    const std::size_t size = static_cast<unsigned char>(packed.front());
    packed.remove_prefix(1);
    MUST(size <= packed.size());
    frames.push_back(packed.substr(0, size));
    packed.remove_prefix(size);
  }
  return frames;
}

// A hop is a frame of a number and of whether there was an envelope: the empty frame at the end of one is ours if not.
std::optional<std::string> add_hop(const Hop& hop) {
  std::string packed(1, static_cast<char>(hop_bytes));
  for (int shift = 56; shift >= 0; shift -= 8) packed += static_cast<char>(static_cast<unsigned char>(hop.peer >> shift));
  packed += hop.envelope.empty() ? '\0' : '\1';
  packed += hop.envelope.empty() ? std::string(1, '\0') : hop.envelope;
  std::size_t bytes = 0;
  const auto frames = unpack_envelope(packed);
  for (const std::string_view frame : frames) bytes += frame.size();
  if (bytes > limits::envelope_bytes || frames.size() > limits::envelope_frames) return std::nullopt;
  return packed;
}

std::optional<Hop> take_hop(std::string_view packed) {
  const auto frames = unpack_envelope(packed);
  if (frames.size() < 2 || frames.front().size() != hop_bytes) return std::nullopt;
  Hop hop;
  for (const char byte : frames.front().substr(0, 8)) hop.peer = hop.peer << 8 | static_cast<unsigned char>(byte);
  if (frames.front().back() != '\0') hop.envelope = packed.substr(1 + hop_bytes);
  return hop;
}

}  // namespace pointsman
