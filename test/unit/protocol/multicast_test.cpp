// Shows by which addresses a question goes out.
#include "protocol/multicast.hpp"

#include <doctest/doctest.h>

#include "protocol/finding.hpp"

using namespace pointsman;

namespace {

std::string asking(const std::vector<NetAddress>& all) {
  std::size_t left_out = 0;
  std::string text;
  for (const NetAddress& address : asking_addresses(all, left_out)) text += address.address + " ";
  return left_out == 0 ? text : text + "and " + std::to_string(left_out);
}

NetAddress at(unsigned index, const std::string& address) {
  return {.interface = "i" + std::to_string(index),
          .index = index,
          .address = address,
          .six = address.find(':') != std::string::npos,
          .loopback = address == "::1" || address.starts_with("127.")};
}

}  // namespace

TEST_CASE(
    "a question goes by each address of IPv4, and by IPv6 once for each interface, on the local link if it "
    "can") {
  CHECK(asking({at(1, "127.0.0.1"), at(1, "::1"), at(2, "10.0.0.5"), at(2, "192.168.1.5"), at(2, "fd00::5"),
                at(2, "fe80::5"), at(3, "fd00::6"), at(3, "fd01::6")}) ==
        "127.0.0.1 10.0.0.5 192.168.1.5 fe80::5 fd00::6 ");
  CHECK(asking({at(1, "::1")}) == "::1 ");
  CHECK(asking({}) == "");
}

TEST_CASE("a question goes by so many interfaces and no more, and it is said how many it does not go by") {
  std::vector<NetAddress> many;
  for (unsigned i = 1; i <= limits::interfaces + 3; ++i) {
    many.push_back(at(i, "10.0." + std::to_string(i) + ".1"));
    many.push_back(at(i, "fe80::" + std::to_string(i)));
  }
  std::size_t left_out = 0;
  CHECK(asking_addresses(many, left_out).size() == 2 * limits::interfaces);
  CHECK(left_out == 6);
}
