// A network of our own for each party, joined by a switch, with cuts between any two of them: network namespaces,
// veth pairs, a bridge, and nftables.
//
// Nothing has a name outside: the namespaces live as long as the processes that hold them, which die with the test.
// Needs root, `ip` and `nft`; why_not() says what is missing.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "test/e2e/process.hpp"

namespace pointsman::faults {

class Nets {
 public:
  // Why there can be none here; empty: there can.
  static std::string why_not();

  explicit Nets(const std::vector<std::string>& parties);

  std::string address(const std::string& party) const;             // 10.77.0.N
  std::map<std::string, std::string> holders() const;              // party -> process, for GroundOptions::nets

  void cut(const std::string& one, const std::string& other);      // both ways
  void mute(const std::string& from, const std::string& to);       // one way: nothing of `from` arrives at `to`
  void heal(const std::string& party);                             // what was cut or muted in the name of `party` first

  // A second switch, where these have an interface each: eth1, 10.78.0.N.
  void second(const std::vector<std::string>& parties);
  std::string second_address(const std::string& party) const;

  // What starts a command in the network of a party.
  std::vector<std::string> within(const std::string& party) const;
  void in(const std::string& party, const std::string& command) const;

 private:
  std::map<std::string, std::unique_ptr<Process>> held_;
  std::vector<std::string> parties_;
};

}  // namespace pointsman::faults
