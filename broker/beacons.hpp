// Beacons: the broker's answers to those who look for brokers on the local networks.
//
// Off unless a group is named. It answers to whoever asks for that one, or for all, and tells of its listeners only what
// can be reached from there: a loopback address or a Unix socket to this machine alone, and of a listener on all addresses
// the one on which the question came in. A broker that listens on loopback addresses only is not heard of by any other
// machine: it does not even listen there.
//
// Used by the thread of the transport, which outlives it.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/beacon.hpp"
#include "protocol/multicast.hpp"

namespace pointsman::broker {

struct BeaconOptions {
  std::string group;
  std::string clients;  // as bound
  std::string workers;
  PublicKey key;
  std::uint64_t epoch = 0;
  Bytes realm;  // empty, or 32 bytes
};

// A bound endpoint as somebody can use it who asked on an interface that has these addresses of ours; empty: not at all.
// `six`: the question came by IPv6.
std::string told_endpoint(const std::string& bound, const std::vector<NetAddress>& ours, bool six);

class Beacons {
 public:
  using Offers = std::function<bool(std::string_view service, std::string_view when)>;

  // `offers` says whether a service is offered here, by a worker that meets a condition if there is one. Throws TransportError if nothing can be listened to.
  Beacons(Transport& transport, BeaconOptions options, Offers offers,
          std::function<void(const std::string&)> say);
  Beacons(const Beacons&) = delete;
  Beacons& operator=(const Beacons&) = delete;

  // When to tick() next: interfaces come and go.
  Instant due() const { return due_; }
  void tick();

  // Questions that were not answered since they were not sealed as they should be, damaged, or too many.
  std::uint64_t ignored() const { return ignored_; }

 private:
  void hear(const Datagram& datagram);
  void ignore(const Datagram& datagram, std::string_view why);
  bool may_answer();

  const BeaconOptions options_;
  const std::string name_;
  const Offers offers_;
  const std::function<void(const std::string&)> say_;
  Listener listener_;
  std::vector<NetAddress> addresses_;  // of this machine
  Instant due_{};
  double tokens_;     // answers that may be given
  Instant filled_{};  // when they were counted
  std::uint64_t ignored_ = 0;
  std::uint64_t told_ = 0;  // of these, when that was said last
};

}  // namespace pointsman::broker
