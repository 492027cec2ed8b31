// Shows that the keys in force follow their file, and that the self-test finds a door that is open.
#include "broker/keyring.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "broker/selftest.hpp"
#include "protocol/keyfile.hpp"
#include "protocol/transport.hpp"
#include "test/folder.hpp"

using namespace pointsman;

namespace {

struct Place {
  const TemporaryFolder folder;
  const std::string path = folder / "allowed";
  void write(const std::string& text) const {
    std::ofstream(path) << text;
    REQUIRE(::chmod(path.c_str(), 0644) == 0);
  }
};

const std::string line = "ann rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 client";

}  // namespace

TEST_CASE(
    "a keyring takes what its file says when that changes, and keeps what it has when the file is bad") {
  Place place;
  place.write(line + " until=2027-01-31\n");
  broker::Keyring ring(place.path, 0);
  CHECK(ring.keys()->list().size() == 1);
  CHECK_FALSE(ring.look(0).changed);

  place.write("ann nonsense client\n");
  const auto bad = ring.look(0);
  CHECK_FALSE(bad.changed);
  CHECK(bad.problem.find("line 1") != std::string::npos);
  CHECK(ring.look(0).problem.empty());  // told once
  CHECK(ring.keys()->list().size() == 1);

  std::filesystem::remove(place.path);
  CHECK_FALSE(ring.look(0).problem.empty());
  CHECK(ring.keys()->list().size() == 1);

  place.write("# nobody\n");
  CHECK(ring.look(0).changed);
  CHECK(ring.keys()->list().empty());
  CHECK(ring.look(0, true).changed);
}

TEST_CASE("a keyring tells when a key's time is over, without a change of its file") {
  Place place;
  place.write(line + " until=2027-01-31\n");
  broker::Keyring ring(place.path, 0);
  CHECK_FALSE(ring.look(1801439999).changed);
  CHECK(ring.keys()->list()[0].standing == Standing::good);
  CHECK(ring.look(1801440000).changed);
  CHECK(ring.keys()->list()[0].standing == Standing::expired);
  CHECK_FALSE(ring.look(1801440001).changed);
}

TEST_CASE("a keyring is not made of a file that is missing, bad, or open to others") {
  Place place;
  CHECK_THROWS_AS(broker::Keyring(place.path, 0), KeyError);
  place.write("x\n");
  CHECK_THROWS_AS(broker::Keyring(place.path, 0), KeyError);
  place.write(line);
  REQUIRE(::chmod(place.path.c_str(), 0664) == 0);
  CHECK_THROWS_AS(broker::Keyring(place.path, 0), KeyError);
}

TEST_CASE("the self-test passes a listener that turns strangers away, and no other") {
  Transport transport;
  const auto own = make_key_pair();
  const auto locked =
      transport.listen(Door::clients, "tcp://127.0.0.1:*", {}, false, {.own = own, .roles = {Role::client}});
  CHECK_FALSE(broker::test_lock(locked, own->key).none());
  const auto open =
      transport.listen(Door::clients, "tcp://127.0.0.1:*", {}, false, {.own = own, .strangers = true});
  CHECK_THROWS_AS(broker::test_lock(open, own->key), TransportError);
  const auto plain = transport.listen(Door::clients, "tcp://127.0.0.1:*", {});
  CHECK_THROWS_AS(broker::test_lock(plain, own->key), TransportError);
}
