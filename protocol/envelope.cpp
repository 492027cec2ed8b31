// A packed envelope is each frame behind one byte that is its length.

#include "protocol/envelope.hpp"

#include "protocol/limits.hpp"
#include "protocol/must.hpp"

namespace pointsman {

static_assert(limits::envelope_bytes <= 255);

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

}  // namespace pointsman
