// Shows that a ticket opens only what it was sealed for: no flipped bit, other key or other length passes.
#include "protocol/ticket.hpp"

#include <doctest/doctest.h>

using namespace pointsman;

namespace {

const Bytes master{std::string(32, 'm')};
const Ticket sample{.epoch = 1'700'000'000'000'000,
                    .session = 9,
                    .lease = 7,
                    .holder = 0x1fffffffffffff,
                    .service = 3,
                    .issued_ms = Milliseconds{1000},
                    .ttl_ms = Milliseconds{5000},
                    .term_ms = Milliseconds{30000},
                    .key = {{1, 2, 3, 0xff}}};

}  // namespace

TEST_CASE("a ticket comes back as it was sealed") {
  const Bytes key = ticket_key(master, sample.lease);
  const auto ticket = unseal(seal(sample, key), key);
  REQUIRE(ticket.has_value());
  CHECK(*ticket == sample);
}

TEST_CASE("every flipped bit of a ticket is refused") {
  const Bytes key = ticket_key(master, sample.lease);
  Bytes sealed = seal(sample, key);
  for (std::size_t bit = 0; bit < sealed.data.size() * 8; ++bit) {
    const auto mask = static_cast<char>(1U << (bit % 8));
    sealed.data[bit / 8] = static_cast<char>(sealed.data[bit / 8] ^ mask);
    CHECK_FALSE(unseal(sealed, key).has_value());
    sealed.data[bit / 8] = static_cast<char>(sealed.data[bit / 8] ^ mask);
  }
  CHECK(unseal(sealed, key).has_value());
}

TEST_CASE("a ticket of another length or under another key is refused") {
  const Bytes key = ticket_key(master, sample.lease);
  const Bytes sealed = seal(sample, key);
  for (std::size_t length = 0; length < sealed.data.size(); ++length) {
    CHECK_FALSE(unseal({sealed.data.substr(0, length)}, key).has_value());
  }
  CHECK_FALSE(unseal({sealed.data + '\0'}, key).has_value());
  CHECK_FALSE(unseal(sealed, ticket_key(master, sample.lease + 1)).has_value());
  CHECK_FALSE(unseal(sealed, ticket_key({std::string(32, 'n')}, sample.lease)).has_value());
  CHECK_FALSE(unseal(sealed, {}).has_value());
}

TEST_CASE("the lease can be read before the seal is checked") {
  const Bytes sealed = seal(sample, ticket_key(master, sample.lease));
  CHECK(lease_of(sealed) == 7);
  CHECK_FALSE(lease_of({"short"}).has_value());
  Bytes other = sealed;
  other.data[0] = 1;
  CHECK_FALSE(lease_of(other).has_value());
}

TEST_CASE("fingerprints differ by name and by what they are of and stay below 2 to the 53rd") {
  CHECK(holder_of("ann") != holder_of("abe"));
  CHECK(holder_of("ann") != service_of("ann"));
  CHECK(holder_of("ann") == holder_of("ann"));
  CHECK(holder_of("ann") <= limits::number);
}

TEST_CASE("a ticket has the layout that the document gives") {
  const Bytes sealed = seal(sample, ticket_key(master, sample.lease));
  REQUIRE(sealed.data.size() == 130);
  CHECK(sealed.data.substr(0, 2) == "\x02\x01");
  CHECK(sealed.data.substr(10, 8) == std::string("\0\0\0\0\0\0\0\x09", 8));
  CHECK(sealed.data.substr(18, 8) == std::string("\0\0\0\0\0\0\0\x07", 8));
  CHECK(sealed.data.substr(66, 5) == std::string("\1\2\3\xff\0", 5));
}
