// Namespaces by holder processes, the rest by `ip` and `nft` within them.
#include "test/faults/nets.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>

namespace pointsman::faults {

using namespace std::chrono_literals;

namespace {

const std::string hub = "hub";

std::unique_ptr<Process> hold() {
  auto holder = std::make_unique<Process>(std::vector<std::string>{POINTSMAN_FAULTS_PARTY, "nets"});
  if (!holder->wait_for_line("ready", 10s)) return nullptr;
  return holder;
}

Result enter(const Process& holder, const std::string& command) {
  return run({"nsenter", "-t", std::to_string(holder.pid()), "-n", "sh", "-c", command}, {}, 20s);
}

}  // namespace

std::string Nets::why_not() {
  if (::geteuid() != 0) return "network namespaces need root";
  for (const char* tool : {"ip", "nft", "nsenter"}) {
    if (run({"sh", "-c", std::string("PATH=$PATH:/usr/sbin command -v ") + tool}).code != 0) {
      return std::string("there is no `") + tool + "`: run scripts/setup";
    }
  }
  const auto holder = hold();
  if (!holder) return "this kernel gives no network namespace";
  const Result tried = enter(*holder, "PATH=$PATH:/usr/sbin; ip link add br0 type bridge && ip link add veth0 type veth peer name veth1 && "
                                      "nft add table inet cut && nft add chain inet cut in '{ type filter hook input priority 0; }'");
  return tried.code == 0 ? "" : "this kernel lacks bridges, veth or nftables: " + tried.err;
}

Nets::Nets(const std::vector<std::string>& parties) : parties_(parties) {
  held_[hub] = hold();
  REQUIRE(held_[hub]);
  in(hub, "ip link add br0 type bridge && ip link set br0 up");
  for (const auto& party : parties) {
    held_[party] = hold();
    REQUIRE(held_[party]);
    const std::string port = "v" + address(party).substr(address(party).rfind('.') + 1);
    in(hub, "ip link add " + port + " type veth peer name eth0 netns " + std::to_string(held_[party]->pid()) +
                " && ip link set " + port + " master br0 up");
    in(party, "ip link set lo up && ip addr add " + address(party) + "/24 dev eth0 && ip link set eth0 up && "
              "nft add table inet cut && nft add chain inet cut in '{ type filter hook input priority 0; }' && "
              "nft add chain inet cut out '{ type filter hook output priority 0; }'");
  }
}

std::string Nets::address(const std::string& party) const {
  const auto found = std::find(parties_.begin(), parties_.end(), party);
  REQUIRE(found != parties_.end());
  return "10.77.0." + std::to_string(found - parties_.begin() + 1);
}

std::map<std::string, std::string> Nets::holders() const {
  std::map<std::string, std::string> all;
  for (const auto& party : parties_) all[party] = std::to_string(held_.at(party)->pid());
  return all;
}

void Nets::second(const std::vector<std::string>& parties) {
  in(hub, "ip link add br1 type bridge && ip link set br1 up");
  for (const auto& party : parties) {
    const std::string port = "u" + address(party).substr(address(party).rfind('.') + 1);
    in(hub, "ip link add " + port + " type veth peer name eth1 netns " +
                std::to_string(held_.at(party)->pid()) + " && ip link set " + port + " master br1 up");
    in(party, "ip addr add " + second_address(party) + "/24 dev eth1 && ip link set eth1 up");
  }
}

std::string Nets::second_address(const std::string& party) const {
  return "10.78.0." + address(party).substr(address(party).rfind('.') + 1);
}

std::vector<std::string> Nets::within(const std::string& party) const {
  return {"nsenter", "-t", std::to_string(held_.at(party)->pid()), "-n"};
}

void Nets::in(const std::string& party, const std::string& command) const {
  const Result result = enter(*held_.at(party), "PATH=$PATH:/usr/sbin; " + command);
  if (result.code != 0) FAIL("in the network of " << party << ": " << command << ": " << result.err);
}

void Nets::cut(const std::string& one, const std::string& other) {
  in(one, "nft add rule inet cut in ip saddr " + address(other) + " drop && nft add rule inet cut out ip daddr " +
              address(other) + " drop");
}

void Nets::mute(const std::string& from, const std::string& to) {
  in(from, "nft add rule inet cut out ip daddr " + address(to) + " drop");
}

void Nets::heal(const std::string& party) { in(party, "nft flush table inet cut"); }

}  // namespace pointsman::faults
