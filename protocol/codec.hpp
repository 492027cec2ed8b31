// Codec: a message as the bytes of one body, and back. msgpack or JSON; the first byte tells which.
//
// Pure functions, thread safe. encode and decode are each other's inverse for every message that is within
// the bounds of its fields; test/unit/protocol/codec_test.cpp shows it.

#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "protocol/machine.hpp"

namespace pointsman {

// Replaces `out` by the body's bytes; keeps its capacity, so a reused buffer is not allocated anew.
// Fields at their defaults are left out; text is cut to its bound, and mended where it is no UTF-8.
void encode(const Message& message, Codec codec, std::string& out);
std::string encode(const Message& message, Codec codec = Codec::msgpack);

// What a body says, or what is wrong with it. `seen` gets the codec that it was written in (msgpack if
// neither). Never throws for what is in `body`, and allocates in proportion to its size at most.
std::variant<Message, Fault> decode(std::string_view body, Codec& seen);

}  // namespace pointsman
