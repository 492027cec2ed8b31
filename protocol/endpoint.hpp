// Endpoint: whether a ZeroMQ endpoint may be bound or connected to, judged before libzmq sees it.
//
// libzmq of Debian speaks more than tcp and ipc, takes a live listener's ipc path away without a word, and
// explains little; so only what passes here is handed to it. Problems are thrown as TransportError.

#pragma once

#include <string>

namespace pointsman {

// The endpoint to bind, with `localhost` replaced by its number. Refuses schemes other than tcp and ipc, tcp
// that is reachable from other machines unless `insecure`, and an ipc path that is in use or no socket.
std::string bindable(const std::string& endpoint, bool insecure);

// The endpoint to connect to.
std::string connectable(const std::string& endpoint);

}  // namespace pointsman
