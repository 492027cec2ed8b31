// Doorkeeper: answers libzmq's question, for every connection of every socket of this process, whether it is
// let in.
//
// Knows no sockets: the transport's authentication thread brings requests and takes replies. Each socket has
// a gate with a rule, known by the ZAP domain that libzmq puts into its requests. Thread safe.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/machine.hpp"
#include "protocol/zap.hpp"

namespace pointsman {

// Somebody was not let in.
struct Turned {
  Door door = Door::broker;
  PublicKey key;  // none if it was not proved
  Entry entry = Entry::unknown;
  std::string address;  // where from, without its port; empty for ipc
};

class Doorkeeper {
 public:
  // Opens a gate and returns its domain, which no other ever has. `ring` is called, on any thread, when
  // somebody was turned away and nobody had been since the last take().
  std::string open(Door door, const GateRule& rule, std::function<void()> ring);
  void close(const std::string& domain);  // `ring` is not called any more once this returns

  // From now on these keys are those that are let in, and none without.
  void allow(const std::string& domain, std::shared_ptr<const AllowedKeys> allowed);

  // The connections of this key that are open at this gate are for somebody else to count.
  void limit(const std::string& domain, std::function<bool(const Allowance&)> has_room);

  // A reply to a request, both without the routing id and the empty frame.
  std::vector<std::string> answer(const std::vector<std::string>& request);

  // Those who were turned away since the last time; no more than the first 64.
  std::vector<Turned> take(const std::string& domain);
  EntryCounts counts(const std::string& domain) const;

 private:
  struct Gate {
    Door door;
    GateRule rule;
    std::function<void()> ring;
    std::function<bool(const Allowance&)> has_room;
    std::shared_ptr<const AllowedKeys> allowed;
    std::vector<Turned> turned;
    EntryCounts counts{};
  };

  static constexpr std::size_t turned_max = 64;

  mutable std::mutex mutex_;
  std::uint64_t opened_ = 0;
  std::map<std::string, Gate, std::less<>> gates_;
};

}  // namespace pointsman
