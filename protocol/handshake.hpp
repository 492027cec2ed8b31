// Handshake: how a connection got on with its listener, and what to do when it did not.
//
// Values, and functions without state.

#pragma once

#include <cstdint>
#include <string>

#include "protocol/keyfile.hpp"

namespace pointsman {

// How a connection shows who it is, and whom it talks to. Without `own` it does not encrypt.
struct Credentials {
  SharedKeyPair own;
  PublicKey server;  // none: where the broker is found, its key is, too
  Bytes realm;       // by which datagrams are known; empty: not
};

// From the file of a key pair, the broker's public key (Z85, or a file that has one) and the file of a realm's key. Empty:
// what $POINTSMAN_KEY, $POINTSMAN_BROKER_KEY and $POINTSMAN_REALM say; neither of the first two: no encryption. Throws
// KeyError, also if the broker's key is there without one's own.
Credentials read_credentials(const std::string& key_file, const std::string& broker_key,
                             const std::string& realm_file = {});

// For a broker whose key was said where it was found: that one counts. Empty: `credentials`, as they are. Throws KeyError
// for what is no key, and if the broker's key is not said anywhere.
Credentials credentials_at(const Credentials& credentials, const std::string& broker_key);

// Of a broker whose endpoint is all that is known of it: both keys, or none. Throws KeyError.
inline Credentials broker_credentials(const std::string& key_file, const std::string& broker_key) {
  return credentials_at(read_credentials(key_file, broker_key), {});
}

struct Handshake {
  enum class Result : std::uint8_t {
    done,
    refused,  // the listener does not let this key in
    full,     // the key has all connections of its quota
    unlike,   // one side encrypts and the other does not
    broken,   // the listener hung up meanwhile, as it does when it has another key than expected
  };
  std::uint64_t peer = 0;
  Result result = Result::done;
  std::string reason;  // empty when done, as is the remedy
  std::string remedy;

  // libzmq gives such a connection up; only a new one could do better. Others are tried again.
  bool final() const {
    return result == Result::refused || result == Result::full || result == Result::unlike;
  }
};

// With the reason and the remedy, for whoever runs the connecting program.
Handshake explain_handshake(std::uint64_t peer, Handshake::Result result, const Credentials& credentials);

}  // namespace pointsman
