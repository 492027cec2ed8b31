// Every bound that is exceeded is named in the fault, so that its sender can be told.

#include "protocol/incoming.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "protocol/codec.hpp"
#include "protocol/envelope.hpp"

namespace pointsman {

namespace {

Garbled garbled(Address&& from, Code code, std::string reason) {
  return {std::move(from), {.code = code, .reason = std::move(reason)}};
}

}  // namespace

Incoming understand(Address from, std::vector<Frame>& frames, std::size_t seen,
                    const TransportLimits& limits) {
  const std::size_t around = envelope_frames(frames);
  const std::span<const Frame> envelope(frames.data(), around);
  std::size_t envelope_bytes = 0;
  for (const Frame& frame : envelope) envelope_bytes += frame.size();
  if (envelope_bytes > limits::envelope_bytes) {
    return garbled(std::move(from), Code::limit_reached,
                   "the return envelope has " + std::to_string(envelope_bytes) + " bytes, more than " +
                       std::to_string(limits::envelope_bytes));
  }
  from.envelope = pack_envelope(envelope);
  if (around == frames.size()) {
    return garbled(std::move(from), Code::bad_message, "there is no body: a frame is missing");
  }

  const std::string_view body = frames[around].view();
  if (body.size() > limits.body_bytes) {
    from.codec = body.starts_with('{') ? Codec::json : Codec::msgpack;
    return garbled(std::move(from), Code::limit_reached,
                   "the body has " + std::to_string(body.size()) + " bytes, more than " +
                       std::to_string(limits.body_bytes));
  }
  auto decoded = decode(body, from.codec);
  if (auto* fault = std::get_if<Fault>(&decoded)) return Garbled{std::move(from), std::move(*fault)};

  const std::size_t count = seen - around - 1;
  if (count > limits.payload_frames) {
    return garbled(std::move(from), Code::limit_reached,
                   std::to_string(count) + " payload frames follow the body, more than " +
                       std::to_string(limits.payload_frames));
  }
  Payload payload;
  payload.reserve(count);
  std::size_t payload_bytes = 0;
  for (std::size_t i = around + 1; i < frames.size(); ++i) {
    payload_bytes += frames[i].size();
    payload.push_back(std::move(frames[i]));
  }
  if (payload_bytes > limits.payload_bytes) {
    return garbled(std::move(from), Code::limit_reached,
                   "the payload has " + std::to_string(payload_bytes) + " bytes, more than " +
                       std::to_string(limits.payload_bytes));
  }
  return Received{std::move(from), std::move(std::get<Message>(decoded)), std::move(payload)};
}

}  // namespace pointsman
