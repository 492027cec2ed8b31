// Member: keeps this broker in a list in etcd, each question an errand, so that nobody waits for etcd.
//
// Used by the thread of the transport, which outlives it.

#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "broker/membership/core/membership.hpp"
#include "protocol/errand.hpp"
#include "protocol/etcd.hpp"
#include "protocol/finder/core/sources.hpp"

namespace pointsman::broker {

class Member {
 public:
  // Enters `row` by its name. `permitted` is told until when the broker may grant, and the revision of its entry. Both
  // are called in tick() and in the transport's turn().
  Member(Transport& transport, finder::EtcdList list, BrokerRow row, Duration term,
         std::function<void(const Permit&)> permitted, std::function<void(const std::string&)> say);
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // tick() is due then. Throws TransportError if another broker has the name.
  Instant due() const { return clash_.empty() ? core_.deadline() : Instant{}; }
  void tick();

  // Takes the broker out of the list; when departed(), it is out, or will be when its lease ends.
  void depart() { step(Departs{}); }
  bool departed() const { return core_.departed(); }

 private:
  void step(const MemberEvent& event);
  template <class Read>
  void ask(const etcd::Question& question, Read read);

  const finder::EtcdList list_;
  const BrokerRow row_;
  const Duration patience_;  // with one question
  const std::function<void(const Permit&)> permitted_;
  const std::function<void(const std::string&)> say_;
  Membership core_;
  std::size_t url_ = 0;  // the one that is asked
  std::string clash_;    // who has the name; empty: nobody else
  Errands errands_;
};

}  // namespace pointsman::broker
