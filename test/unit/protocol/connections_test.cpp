// Shows that a key's connections are counted from when it is let in until they are closed, said they something or not.
#include "protocol/connections.hpp"

#include <doctest/doctest.h>

using namespace pointsman;

namespace {

PublicKey key_number(std::uint8_t number) {
  PublicKey key;
  key.bytes.fill(number);
  return key;
}

const PublicKey a = key_number(1), b = key_number(2);

}  // namespace

TEST_CASE("a connection counts for its key from when it was let in until it is closed") {
  Connections all;
  CHECK(all.of(a) == 0);
  all.opened(5);
  all.let_in(a);
  CHECK(all.of(a) == 1);
  for (int i = 0; i < 3; ++i) all.heard(5, a);
  CHECK(all.of(a) == 1);
  all.opened(6);
  all.let_in(a);
  all.heard(6, a);
  CHECK(all.of(a) == 2);
  all.closed(5);
  CHECK(all.of(a) == 1);
  all.closed(6);
  CHECK(all.of(a) == 0);
  all.closed(6);
  CHECK(all.of(a) == 0);
}

TEST_CASE("connections that say nothing count, and are forgotten when as many silent ones are closed") {
  Connections all;
  for (int i = 0; i < 4; ++i) {
    all.opened(i);
    all.let_in(i < 2 ? a : b);
  }
  CHECK(all.of(a) == 2);
  CHECK(all.of(b) == 2);
  all.heard(2, b);
  all.closed(0);
  all.closed(1);
  CHECK(all.of(a) == 0);
  CHECK(all.of(b) == 2);
  all.closed(2);
  all.closed(3);
  CHECK(all.of(b) == 0);
}

TEST_CASE("a connection that is closed before it was let in takes nobody's count away") {
  Connections all;
  all.opened(3);
  all.let_in(a);
  all.opened(4);  // shakes hands still
  all.closed(4);
  CHECK(all.of(a) == 1);
}

TEST_CASE("events that come late and descriptors that are used again do not upset the counts") {
  Connections all;
  all.let_in(a);
  all.heard(7, a);  // before its event
  all.opened(7);
  CHECK(all.of(a) == 1);
  // Closed, opened and heard again before either event is told.
  all.let_in(b);
  all.heard(7, b);
  all.closed(7);
  all.opened(7);
  CHECK(all.of(a) == 0);
  CHECK(all.of(b) <= 1);
  all.closed(7);
  CHECK(all.of(b) == 0);
  all.opened(-1);
  all.closed(-1);
  all.heard(-1, a);
  CHECK(all.of(a) == 0);
}
