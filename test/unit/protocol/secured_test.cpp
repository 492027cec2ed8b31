// The transport with keys, against raw ZeroMQ peers and its own connections: who is let in, and what reaches
// whom.

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.hpp>

#include "protocol/codec.hpp"
#include "protocol/transport.hpp"

namespace pointsman {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::shared_ptr<const AllowedKeys> only(const PublicKey& key, Roles roles,
                                        Standing standing = Standing::good) {
  return std::make_shared<const AllowedKeys>(
      AllowedKeys({Allowance{.key = key, .name = "x", .roles = roles, .standing = standing}}));
}

// A listener for clients that encrypts, and answers with `welcome`.
struct House {
  Transport transport;
  SharedKeyPair own = make_key_pair();
  SharedKeyPair client = make_key_pair();
  std::string endpoint;
  std::vector<Received> received;
  std::vector<Garbled> garbled;
  std::vector<Turned> turned;

  House() {
    transport.allow(only(client->key, {Role::client}));
    transport.on_turned([this](const Turned& who) { turned.push_back(who); });
    endpoint = transport.listen(Door::clients, "tcp://127.0.0.1:*", {}, false,
                                {.own = own, .roles = {Role::client, Role::admin}});
  }

  template <class Done>
  bool until(Done done) {
    const Instant end = now() + seconds(10);
    while (!done() && now() < end) {
      transport.turn(now() + milliseconds(10), [this](Incoming&& incoming) {
        if (auto* message = std::get_if<Received>(&incoming)) {
          transport.send({message->from, Welcome{.program = "house"}, {}});
          received.push_back(std::move(*message));
        } else if (auto* fault = std::get_if<Garbled>(&incoming)) {
          garbled.push_back(std::move(*fault));
        }
      });
    }
    return done();
  }

  std::uint64_t count(Entry entry) const {
    return transport.entries(Door::clients)[static_cast<std::size_t>(entry)];
  }
};

// A connection of ours, which says hello once in a while.
struct Caller {
  Transport transport;
  std::uint64_t peer;
  std::vector<Handshake> handshakes;
  std::vector<Received> answers;

  Caller(const std::string& endpoint, const Credentials& credentials)
      : peer(transport.connect(Door::broker, endpoint, {}, credentials)) {
    transport.on_handshake(peer, [this](const Handshake& told) { handshakes.push_back(told); });
  }
  void turn() {
    transport.turn(now() + milliseconds(5), [this](Incoming&& incoming) {
      if (auto* message = std::get_if<Received>(&incoming)) answers.push_back(std::move(*message));
    });
  }
  void hello() { transport.send({{.door = Door::broker, .peer = peer}, Hello{}, {}}); }
};

Handshake::Result result_of(House& house, const Credentials& credentials) {
  Caller caller(house.endpoint, credentials);
  caller.hello();
  REQUIRE(house.until([&] {
    caller.turn();
    return !caller.handshakes.empty();
  }));
  const Handshake& told = caller.handshakes.front();
  CHECK(told.peer == caller.peer);
  CHECK(told.reason.empty() == (told.result == Handshake::Result::done));
  CHECK(told.remedy.empty() == told.reason.empty());
  return told.result;
}

}  // namespace

TEST_CASE("secured: an allowed key is let in, and its messages carry it, both ways") {
  House house;
  Caller caller(house.endpoint, {.own = house.client, .server = house.own->key});
  caller.hello();
  REQUIRE(house.until([&] {
    caller.turn();
    return !caller.answers.empty();
  }));
  REQUIRE(house.received.size() == 1);
  CHECK(house.received[0].key == house.client->key);
  CHECK(caller.answers[0].key == house.own->key);
  CHECK(caller.handshakes.at(0).result == Handshake::Result::done);
  CHECK(house.count(Entry::admitted) == 1);
  CHECK(house.turned.empty());
}

TEST_CASE("secured: every message of a connection carries the key, also those behind a wait") {
  House house;
  Caller caller(house.endpoint, {.own = house.client, .server = house.own->key});
  for (std::size_t i = 1; i <= 20; ++i) {
    caller.hello();
    if (i % 3 == 0) caller.hello();
    REQUIRE(house.until([&] {
      caller.turn();
      return caller.answers.size() >= i;
    }));
  }
  for (const Received& received : house.received) CHECK(received.key == house.client->key);
}

TEST_CASE("secured: a key that is unknown, revoked, expired or without the role is turned away and told") {
  House house;
  const Credentials good{.own = house.client, .server = house.own->key};
  Entry entry = Entry::admitted;
  SUBCASE("unknown") {
    house.transport.allow(only(house.own->key, {Role::client}));
    entry = Entry::unknown;
  }
  SUBCASE("revoked") {
    house.transport.allow(only(house.client->key, {Role::client}, Standing::revoked));
    entry = Entry::revoked;
  }
  SUBCASE("expired") {
    house.transport.allow(only(house.client->key, {Role::client}, Standing::expired));
    entry = Entry::expired;
  }
  SUBCASE("without the role") {
    house.transport.allow(only(house.client->key, {Role::worker}));
    entry = Entry::wrong_role;
  }
  SUBCASE("no keys at all") {
    house.transport.allow(nullptr);
    entry = Entry::unknown;
  }
  CHECK(result_of(house, good) == Handshake::Result::refused);
  REQUIRE(house.until([&] { return !house.turned.empty(); }));
  CHECK(house.turned[0].entry == entry);
  CHECK(house.turned[0].key == house.client->key);
  CHECK(house.turned[0].door == Door::clients);
  CHECK(house.count(entry) == 1);
  CHECK(house.count(Entry::admitted) == 0);
  CHECK(house.received.empty());
}

TEST_CASE("secured: a connection that expects another key of the listener is told so") {
  House house;
  CHECK(result_of(house, {.own = house.client, .server = house.client->key}) == Handshake::Result::broken);
  CHECK(house.until([&] { return house.count(Entry::broken) > 0; }));
  CHECK(house.received.empty());
}

TEST_CASE("secured: where only one side encrypts, the connecting one is told") {
  House house;
  CHECK(result_of(house, {}) == Handshake::Result::unlike);
  CHECK(house.until([&] { return house.count(Entry::mechanism) + house.count(Entry::broken) > 0; }));
  CHECK(house.received.empty());

  Transport plain;
  const std::string endpoint = plain.listen(Door::clients, "tcp://127.0.0.1:*", {});
  Caller caller(endpoint, {.own = house.client, .server = house.own->key});
  CHECK(house.until([&] {
    caller.turn();
    plain.turn(Instant{}, [](Incoming&&) {});
    return !caller.handshakes.empty();
  }));
  // Who notices first hangs up.
  const Handshake::Result result = caller.handshakes.at(0).result;
  CHECK((result == Handshake::Result::unlike || result == Handshake::Result::broken));
}

TEST_CASE("secured: a key that is revoked loses effect on connections that stand") {
  House house;
  Caller caller(house.endpoint, {.own = house.client, .server = house.own->key});
  caller.hello();
  REQUIRE(house.until([&] {
    caller.turn();
    return !caller.answers.empty();
  }));
  house.transport.allow(only(house.client->key, {Role::client}, Standing::revoked));
  const std::size_t before = house.received.size();
  for (int i = 0; i < 100; ++i) caller.hello();
  REQUIRE(house.until([&] {
    caller.turn();
    return house.transport.dropped() == 100;
  }));
  CHECK(house.received.size() == before);
  CHECK(house.garbled.empty());

  house.transport.allow(only(house.client->key, {Role::client}));
  caller.hello();
  CHECK(house.until([&] {
    caller.turn();
    return house.received.size() == before + 1;
  }));
}

TEST_CASE("secured: a key has no more connections than its quota, spoken or silent, and gets the room back") {
  House house;
  house.transport.allow(std::make_shared<const AllowedKeys>(AllowedKeys(
      {Allowance{.key = house.client->key, .name = "x", .roles = {Role::client}, .connections = 2}})));
  const Credentials good{.own = house.client, .server = house.own->key};
  auto spoken = std::make_unique<Caller>(house.endpoint, good);
  spoken->hello();
  Caller silent(house.endpoint, good);
  REQUIRE(house.until([&] {
    spoken->turn();
    silent.turn();
    return !spoken->answers.empty() && !silent.handshakes.empty();
  }));
  CHECK(silent.handshakes[0].result == Handshake::Result::done);
  CHECK(result_of(house, good) == Handshake::Result::full);
  CHECK(house.count(Entry::too_many) == 1);
  spoken.reset();
  bool room = false;
  CHECK(house.until([&] { return room = room || result_of(house, good) == Handshake::Result::done; }));
}

TEST_CASE("secured: a listener for strangers takes any key and tells which") {
  Transport worker;
  const auto own = make_key_pair(), client = make_key_pair();
  const std::string endpoint = worker.listen(Door::direct, "tcp://127.0.0.1:*", direct_limits(), false,
                                             {.own = own, .strangers = true});
  Transport other;
  const std::uint64_t peer =
      other.connect(Door::direct, endpoint, direct_limits(), {.own = client, .server = own->key});
  other.send({{.door = Door::direct, .peer = peer}, Open{.ticket = {"t"}}, {}});
  std::vector<Received> received;
  const Instant end = now() + seconds(10);
  while (received.empty() && now() < end) {
    other.turn(Instant{}, [](Incoming&&) {});
    worker.turn(now() + milliseconds(5), [&](Incoming&& incoming) {
      if (auto* message = std::get_if<Received>(&incoming)) received.push_back(std::move(*message));
    });
  }
  REQUIRE(received.size() == 1);
  CHECK(received[0].key == client->key);
}

// R10: what the decoder has seen is what was received or garbled.
TEST_CASE("secured: no byte of a peer that was not let in reaches the decoder") {
  House house;
  zmq::context_t context;
  std::vector<zmq::socket_t> strangers;
  for (int i = 0; i < 12; ++i) {
    zmq::socket_t socket(context, i % 2 == 0 ? zmq::socket_type::dealer : zmq::socket_type::req);
    socket.set(zmq::sockopt::linger, 0);
    if (i % 3 != 0) {  // plain ones, and those with a key of their own: the right listener's and a wrong one
      const auto pair = make_key_pair();
      const PublicKey server = i % 3 == 1 ? house.own->key : pair->key;
      REQUIRE(zmq_setsockopt(socket.handle(), ZMQ_CURVE_SERVERKEY, server.bytes.data(), 32) == 0);
      REQUIRE(zmq_setsockopt(socket.handle(), ZMQ_CURVE_PUBLICKEY, pair->key.bytes.data(), 32) == 0);
      REQUIRE(zmq_setsockopt(socket.handle(), ZMQ_CURVE_SECRETKEY, pair->secret.data(), 32) == 0);
    }
    socket.connect(house.endpoint);
    socket.send(zmq::str_buffer("{\"op\":\"hello\"}"), zmq::send_flags::dontwait);
    strangers.push_back(std::move(socket));
  }
  // And bytes that are none of ZeroMQ's: a whole ZMTP 3 greeting for NULL with a READY and a message behind
  // it.
  std::string greeting("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);
  greeting.resize(64, '\0');
  greeting += std::string("\4\x19\5READY\x0bSocket-Type\0\0\0\6DEALER", 27);
  greeting += std::string("\0\x0e{\"op\":\"hello\"}", 16);
  const int raw = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(house.endpoint.substr(house.endpoint.rfind(':') + 1))));
  REQUIRE(::connect(raw, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address) ==
          0);
  REQUIRE(::send(raw, greeting.data(), greeting.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(greeting.size()));
  char byte = 0;
  bool closed = false;
  CHECK(house.until([&] {
    ssize_t got = 0;
    while (!closed && (got = ::recv(raw, &byte, 1, MSG_DONTWAIT)) > 0) {
    }
    closed |= got == 0 || (got < 0 && errno == ECONNRESET);
    return closed && house.count(Entry::unknown) >= 4;
  }));
  ::close(raw);
  // Somebody who is let in comes after all of them.
  Caller caller(house.endpoint, {.own = house.client, .server = house.own->key});
  caller.hello();
  REQUIRE(house.until([&] {
    caller.turn();
    return !caller.answers.empty();
  }));
  CHECK(house.received.size() == 1);
  CHECK(house.garbled.empty());
  CHECK(house.count(Entry::admitted) == 1);
}

TEST_CASE("secured: an address that others can reach may be bound with keys") {
  Transport transport;
  CHECK_THROWS_AS(transport.listen(Door::clients, "tcp://0.0.0.0:*", {}), TransportError);
  const std::string endpoint = transport.listen(Door::clients, "tcp://0.0.0.0:*", {}, false,
                                                {.own = make_key_pair(), .roles = {Role::client}});
  CHECK(endpoint.starts_with("tcp://0.0.0.0:"));
}

}  // namespace pointsman
