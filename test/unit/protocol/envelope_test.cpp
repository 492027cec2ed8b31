// Return envelopes: packing, and the hops of those who pass messages on.

#include "protocol/envelope.hpp"

#include <doctest/doctest.h>

#include <string>

#include "protocol/limits.hpp"

using namespace pointsman;

namespace {

std::string packed(const std::vector<std::string>& frames) {
  std::vector<Frame> all;
  for (const std::string& frame : frames) all.emplace_back(frame);
  return pack_envelope(all);
}

}  // namespace

TEST_CASE("envelope: what was packed comes back") {
  const std::string both = packed({"far", "further", ""});
  CHECK(unpack_envelope(both) == std::vector<std::string_view>{"far", "further", ""});
  CHECK(unpack_envelope("").empty());
}

TEST_CASE("envelope: a hop goes in front and comes off again") {
  for (const std::string& envelope : {packed({}), packed({""}), packed({"far", "further", ""})}) {
    const auto around = add_hop({.peer = 0x8123456789abcdefU, .envelope = envelope});
    REQUIRE(around);
    // It ends with an empty frame, whatever it is around, and has no other.
    const auto frames = unpack_envelope(*around);
    for (std::size_t i = 0; i < frames.size(); ++i) CHECK(frames[i].empty() == (i + 1 == frames.size()));
    const auto hop = take_hop(*around);
    REQUIRE(hop);
    CHECK(hop->peer == 0x8123456789abcdefU);
    CHECK(hop->envelope == envelope);
    // A relay behind a relay.
    const auto twice = add_hop({.peer = 7, .envelope = *around});
    REQUIRE(twice);
    CHECK(take_hop(*twice)->envelope == *around);
  }
}

TEST_CASE("envelope: a hop that would make it too large is none") {
  CHECK(add_hop({.envelope = packed({std::string(limits::envelope_bytes - 9, 'x'), ""})}));
  CHECK_FALSE(add_hop({.envelope = packed({std::string(limits::envelope_bytes - 8, 'x'), ""})}));
  std::vector<std::string> frames(limits::envelope_frames - 2, "x");
  frames.emplace_back();
  CHECK(add_hop({.envelope = packed(frames)}));
  frames.insert(frames.begin(), "x");
  CHECK_FALSE(add_hop({.envelope = packed(frames)}));
}

TEST_CASE("envelope: what has no hop is told from what has one") {
  CHECK_FALSE(take_hop(""));
  CHECK_FALSE(take_hop(packed({""})));
  CHECK_FALSE(take_hop(packed({"far", ""})));
  CHECK_FALSE(take_hop(packed({"123456789"})));
}
