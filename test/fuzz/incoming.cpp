// Fuzzes what the transport makes of the frames of one message, on a listener and on a link.

#include "protocol/incoming.hpp"

#include "protocol/codec.hpp"
#include "protocol/envelope.hpp"
#include "protocol/must.hpp"
#include "test/fuzz/input.hpp"
#include "test/fuzz/list.hpp"
#include "test/unit/protocol/random_messages.hpp"

namespace pointsman::fuzz {

namespace {

// One byte for the limits; then frames, each behind two bytes that are its length.
std::vector<Frame> frames_of(Input& input) {
  std::vector<Frame> frames;
  while (!input.empty() && frames.size() < 100) frames.emplace_back(std::string(input.take(input.number(2))));
  return frames;
}

std::string seed_of(char kind, const std::vector<std::string>& frames) {
  std::string seed(1, kind);
  for (const std::string& frame : frames) {
    seed += static_cast<char>(frame.size() & 0xff);
    seed += static_cast<char>(frame.size() >> 8);
    seed += frame;
  }
  return seed;
}

}  // namespace

void run_incoming(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t kind = input.byte();
  TransportLimits limits = (kind & 1) != 0 ? direct_limits() : TransportLimits{};
  if ((kind & 2) != 0) limits.body_bytes = 64;
  if ((kind & 4) != 0) limits.payload_bytes = 16;
  std::vector<Frame> frames = frames_of(input);
  if (frames.empty()) frames.emplace_back();
  const std::vector<Frame> before = frames;
  const std::size_t unseen = (kind & 8) != 0 ? 1000 : 0;  // frames beyond those that were kept
  const Incoming incoming = understand({.door = Door::clients, .peer = 7}, frames, before.size() + unseen, limits);

  MUST(!std::holds_alternative<Gone>(incoming));
  if (const auto* garbled = std::get_if<Garbled>(&incoming)) {
    MUST(garbled->from.peer == 7 && garbled->fault.code != Code::none && !garbled->fault.reason.empty());
    return;
  }
  const auto& received = std::get<Received>(incoming);
  MUST(received.from.peer == 7 && received.from.envelope.size() <= limits::envelope_bytes + limits::envelope_frames);
  MUST(received.payload.size() <= limits.payload_frames && unseen == 0);
  // What goes back goes behind the same frames.
  const auto envelope = unpack_envelope(received.from.envelope);
  MUST(envelope.size() + 1 + received.payload.size() == before.size());
  for (std::size_t i = 0; i < envelope.size(); ++i) MUST(envelope[i] == before[i].view());
  std::size_t payload = 0;
  for (const Frame& frame : received.payload) payload += frame.size();
  MUST(payload <= limits.payload_bytes);
}

std::vector<std::string> incoming_seeds() {
  const std::string status = encode(Status{});
  const std::string call = encode(Call{.session = 9, .number = 1});
  return {seed_of(0, {status}),
          seed_of(0, {"", status}),
          seed_of(0, {"abcd", "", status}),
          seed_of(1, {"", call, "hello", "world"}),
          seed_of(1, {call, "hello"}),
          seed_of(0, {"", call, "a payload where none may be"}),
          seed_of(5, {"", call, "a payload of too many bytes"}),
          seed_of(2, {"", encode(Request{.id = std::string(60, 'i'), .service = "s"}, Codec::json)}),
          seed_of(9, {"", call, "hello"}),
          seed_of(0, {"1", "2", "3", "4", "5", "6", "7", "8", "", status}),
          seed_of(0, {std::string(300, 'e'), "", status}),
          seed_of(0, {""}),
          seed_of(0, {"", "", status})};
}

}  // namespace pointsman::fuzz
