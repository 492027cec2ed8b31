// Self-test: whether a listener that encrypts really turns strangers away, tried before anybody else can.

#pragma once

#include <string>

#include "protocol/key.hpp"

namespace pointsman::broker {

// Connects with a key made by chance, which is returned; throws TransportError unless it is refused within
// five seconds.
PublicKey test_lock(const std::string& endpoint, const PublicKey& server);

}  // namespace pointsman::broker
