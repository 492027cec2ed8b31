// Reading: a message out of a tree, or what is wrong with it. Every field is checked for its type and its bounds here,
// so that nothing else has to. Pure functions, thread safe.

#pragma once

#include <string>
#include <variant>

#include "protocol/messages.hpp"
#include "protocol/tree.hpp"

namespace pointsman {

// `tree` must be whole.
std::variant<Message, Fault> read(const Tree& tree);

// The fault of a body that could not be parsed to its end; looks in what there is for what the message was.
Fault broken(const Tree& tree, std::string problem);

}  // namespace pointsman
