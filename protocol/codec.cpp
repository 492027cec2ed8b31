// The codec: parse into a tree, read the tree.
#include "protocol/codec.hpp"

#include "protocol/bodies.hpp"
#include "protocol/reading.hpp"

namespace pointsman {

void encode(const Message& message, Codec codec, std::string& out) {
  out.clear();
  codec == Codec::json ? write_json(message, out) : write_msgpack(message, out);
}

std::string encode(const Message& message, Codec codec) {
  std::string out;
  encode(message, codec, out);
  return out;
}

std::variant<Message, Fault> decode(std::string_view body, Codec& seen) {
  seen = body.starts_with('{') ? Codec::json : Codec::msgpack;
  if (body.empty()) {
    return Fault{.code = Code::bad_message, .reason = "the body is empty; a msgpack map or a JSON object was expected"};
  }

  // One a thread, so that a message on its way in allocates nothing but its own fields.
  thread_local Tree tree;
  const std::string problem = seen == Codec::json ? parse_json(body, tree) : parse_msgpack(body, tree);
  if (!problem.empty()) return broken(tree, "the body cannot be read: " + problem);
  return read(tree);
}

}  // namespace pointsman
