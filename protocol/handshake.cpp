// What libzmq tells is a number; what it means depends on who has a key.
#include "protocol/handshake.hpp"

#include <cstdlib>

#include "protocol/names.hpp"

namespace pointsman {

namespace {

std::string given_or_set(const std::string& given, const std::string& variable) {
  if (!given.empty()) return given;
  const char* set = std::getenv((std::string(environment_prefix) + variable).c_str());
  return set != nullptr ? set : "";
}

}  // namespace

Credentials read_credentials(const std::string& key_file, const std::string& broker_key,
                             const std::string& realm_file) {
  const std::string own = given_or_set(key_file, "KEY");
  const std::string server = given_or_set(broker_key, "BROKER_KEY");
  const std::string realm = given_or_set(realm_file, "REALM");
  Credentials credentials;
  if (!realm.empty()) credentials.realm = read_realm_key(realm);
  if (own.empty() && server.empty()) return credentials;
  if (own.empty()) {
    throw KeyError("there is a broker's key, but none of one's own; add --key FILE (or POINTSMAN_KEY), made by `pointsman "
                   "keys make FILE`");
  }
  hide_memory();
  credentials.own = read_key_pair(own);
  if (!server.empty()) credentials.server = public_key_of(server);
  return credentials;
}

Credentials credentials_at(const Credentials& credentials, const std::string& broker_key) {
  if (!credentials.own || (broker_key.empty() && !credentials.server.none())) return credentials;
  if (broker_key.empty()) {
    throw KeyError(
        "there is a key, but not the broker's; add --broker-key KEY (or POINTSMAN_BROKER_KEY): the 40 "
        "characters "
        "that `pointsman keys show` says of the broker's key file, or its .pub file");
  }
  return {.own = credentials.own, .server = public_key_of(broker_key)};
}

Handshake explain_handshake(std::uint64_t peer, Handshake::Result result, const Credentials& credentials) {
  using Result = Handshake::Result;
  const bool secured = credentials.own != nullptr;
  Handshake told{.peer = peer, .result = result};
  switch (result) {
    case Result::done: break;
    case Result::refused:
      if (secured) {
        told.reason =
            "the broker does not let this key in: it is not allowed, or revoked, expired or without the role";
        told.remedy = "have it allowed where the broker runs: pointsman keys allow --allowed FILE NAME '" +
                      to_z85(credentials.own->key) + "' --role client (or worker)";
      } else {
        told.reason = "the broker does not let anybody in without a key";
        told.remedy = "give --key FILE and --broker-key KEY, or set POINTSMAN_KEY and POINTSMAN_BROKER_KEY";
      }
      break;
    case Result::full:
      told.reason = "this key has all the connections to the broker that its quota allows";
      told.remedy =
          "end other programs that use the key, give this one a key of its own, or raise `connections` in "
          "the "
          "broker's file of allowed keys";
      break;
    case Result::unlike:
      if (secured) {
        told.reason = "this connection is to be encrypted, and the listener there does not encrypt";
        told.remedy = "start the broker with --key and --allowed, or leave --key and --broker-key out here";
      } else {
        told.reason = "the listener there asks for keys, and this program was given none";
        told.remedy = "give --key FILE and --broker-key KEY, or set POINTSMAN_KEY and POINTSMAN_BROKER_KEY";
      }
      break;
    case Result::broken:
      told.reason = "the listener there hung up while the keys were compared: likely its key is not " +
                    to_z85(credentials.server) + ", or it does not encrypt";
      told.remedy =
          "compare --broker-key with what `pointsman keys show` says of the broker's key file, and the "
          "endpoint with the broker's";
      break;
  }
  return told;
}

}  // namespace pointsman
