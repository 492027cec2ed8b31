// Shows which address a broker tells to whom: the one that works from there, or none.
#include "broker/beacons.hpp"

#include <doctest/doctest.h>

using namespace pointsman;
using namespace pointsman::broker;

namespace {

const NetAddress four{
    .interface = "eth0", .index = 2, .address = "10.0.0.5", .six = false, .loopback = false};
const NetAddress six{.interface = "eth0", .index = 2, .address = "fd00::5", .six = true, .loopback = false};
const NetAddress link_local{
    .interface = "eth0", .index = 2, .address = "fe80::5", .six = true, .loopback = false};
const NetAddress home{.interface = "lo", .index = 1, .address = "127.0.0.1", .six = false, .loopback = true};

}  // namespace

TEST_CASE("a listener on all addresses is told with the address on which the question came in") {
  CHECK(told_endpoint("tcp://0.0.0.0:5570", {four, six, link_local}, false) == "tcp://10.0.0.5:5570");
  CHECK(told_endpoint("tcp://0.0.0.0:5570", {home}, false) == "tcp://127.0.0.1:5570");
  CHECK(told_endpoint("tcp://[::]:5570", {four, six, link_local}, false) == "tcp://10.0.0.5:5570");
  CHECK(told_endpoint("tcp://[::]:5570", {four, six, link_local}, true) == "tcp://[fd00::5]:5570");
  CHECK(told_endpoint("tcp://[::]:5570", {link_local}, true) == "tcp://[fe80::5]:5570");
  // By IPv6 to a listener that has IPv4 only.
  CHECK(told_endpoint("tcp://0.0.0.0:5570", {four, six}, true) == "tcp://10.0.0.5:5570");
  CHECK(told_endpoint("tcp://0.0.0.0:5570", {six}, true) == "");
  CHECK(told_endpoint("tcp://0.0.0.0:5570", {}, false) == "");
}

TEST_CASE("a listener on one address is told as it is") {
  CHECK(told_endpoint("tcp://192.168.1.1:5570", {four}, false) == "tcp://192.168.1.1:5570");
  CHECK(told_endpoint("tcp://[fd00::1]:5570", {home}, false) == "tcp://[fd00::1]:5570");
}

TEST_CASE("what is for this machine only is told to this machine only") {
  for (const char* endpoint : {"tcp://127.0.0.1:5570", "tcp://[::1]:5570", "ipc:///run/c"}) {
    CHECK(told_endpoint(endpoint, {home}, false) == endpoint);
    CHECK(told_endpoint(endpoint, {four}, false) == "");
  }
}
