// Bodies: the two ways to write a body, each in a file of its own that alone knows its library.

#pragma once

#include <string>
#include <string_view>

#include "protocol/messages.hpp"
#include "protocol/tree.hpp"

namespace pointsman {

// Parses all of `body` into `tree`. Returns what is wrong with it, or nothing; then the tree is whole. If something
// is wrong, the tree has what came before.
std::string parse_msgpack(std::string_view body, Tree& tree);
std::string parse_json(std::string_view body, Tree& tree);

// Appends the body.
void write_msgpack(const Message& message, std::string& out);
void write_json(const Message& message, std::string& out);

}  // namespace pointsman
