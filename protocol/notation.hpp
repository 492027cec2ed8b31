// Notation: a message as one line of text, and back. The form of traces, scenarios, the simulator's
// reports and the examples in PROTOCOL.md.
//
//   request id=r1 service=zip wait_ms=5000 exclude=[w1 "w 2"]
//   assign lease=7 first=1 sessions=[{session=9 service=zip ttl_ms=5000}] applied=0
//
// op, then key=value for every field that is not at its default, in the order of the message's list. Words
// of [A-Za-z0-9_./:@+*-] stand bare, other text in double quotes with \" \\ \n \t \xHH; bytes as b64"…";
// durations are numbers or `forever`; lists in [], rows in {}. Pure functions, thread safe.

#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "protocol/machine.hpp"

namespace pointsman {

std::string to_line(const Message& message);
std::variant<Message, Fault> from_line(std::string_view line);

// With payload frames: after the fields ` | `, then each frame as a text.
//   call session=9 number=1 | hello "two words"
std::string to_line(const Message& message, const Payload& payload);
std::variant<Message, Fault> from_line(std::string_view line, Payload& payload);

// A text in double quotes, whatever it contains; and one that stands bare if it can.
std::string quoted(std::string_view text);
std::string shown(std::string_view text);

}  // namespace pointsman
