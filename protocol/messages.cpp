// What a message does whatever it is: is copied, moved and ended.
#include "protocol/messages.hpp"

namespace pointsman {

Message::Message() = default;
Message::Message(const Message& other) = default;
Message::Message(Message&& other) noexcept = default;
Message& Message::operator=(const Message& other) = default;
Message& Message::operator=(Message&& other) noexcept = default;
Message::~Message() = default;

}  // namespace pointsman
