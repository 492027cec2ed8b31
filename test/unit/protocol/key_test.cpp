// Shows that public keys are written and read as other programs write and read them.
#include "protocol/key.hpp"

#include <doctest/doctest.h>

#include <unordered_set>

using namespace pointsman;

TEST_CASE("a key is written as the examples of RFC 32 are") {
  const std::uint8_t hello[] = {0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b};
  char text[10];
  z85_encode(hello, sizeof hello, text);
  CHECK(std::string_view(text, sizeof text) == "HelloWorld");

  // The server's key of the RFC's test pair, which libzmq's manual has too.
  const auto key = key_from_z85("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7");
  REQUIRE(key);
  CHECK(key->bytes[0] == 0x54);
  CHECK(key->bytes[31] == 0x52);
  CHECK(to_z85(*key) == "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7");
}

TEST_CASE("what is no key is not read as one") {
  const std::string good = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
  CHECK(key_from_z85(good));
  CHECK_FALSE(key_from_z85(""));
  CHECK_FALSE(key_from_z85(good.substr(1)));
  CHECK_FALSE(key_from_z85(good + "0"));
  CHECK_FALSE(key_from_z85(good + "00000"));
  CHECK_FALSE(key_from_z85("~" + good.substr(1)));
  CHECK_FALSE(key_from_z85("\xff" + good.substr(1)));
  CHECK_FALSE(key_from_z85("#####" + good.substr(5)));  // more than 32 bits
  CHECK_FALSE(key_from_z85(std::string(40, '0')));      // no key
}

TEST_CASE("keys are values: compared, ordered and hashed") {
  PublicKey a, b;
  CHECK(a.none());
  b.bytes[31] = 1;
  CHECK_FALSE(b.none());
  CHECK(a != b);
  CHECK(a < b);
  CHECK(std::unordered_set<PublicKey>{a, b, a}.size() == 2);
  CHECK(to_z85(a) == std::string(40, '0'));
}
