// Garbage on every socket of a broker, while a client and a worker on it go on working.

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "clients/client.hpp"
#include "test/e2e/eventually.hpp"
#include "test/e2e/stranger.hpp"
#include "workers/worker.hpp"

namespace pointsman {
namespace {

using namespace std::chrono_literals;

int dial(const std::string& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(socket, static_cast<const sockaddr*>(static_cast<const void*>(&address)),
                    sizeof address) == 0);
  return socket;
}

void say(int socket, const std::string& bytes) {
  static_cast<void>(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

// A TCP connection that says whatever it likes, until it is closed or has said it all.
void babble(const std::string& endpoint, const std::string& bytes) {
  const int socket = dial(endpoint);
  say(socket, bytes);
  ::close(socket);
}

std::string random_bytes(std::mt19937_64& chance, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(chance());
  return bytes;
}

// Shakes hands as a DEALER by ZMTP 3.0 with the NULL mechanism; libzmq ends who says more before it has answered.
int introduced(const std::string& endpoint) {
  std::string text("\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL", 16);
  text.resize(64, '\0');
  text += std::string(
      "\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06"
      "DEALER",
      30);
  const int socket = dial(endpoint);
  say(socket, text);
  const timeval patience{20, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  // A greeting of 64 bytes, and a command with its length in front.
  std::string heard;
  char byte = 0;
  while (heard.size() < 66 || heard.size() < 66U + static_cast<unsigned char>(heard[65])) {
    REQUIRE(::recv(socket, &byte, 1, 0) == 1);
    heard += byte;
  }
  return socket;
}

// True if the other end closes the connection.
bool is_closed(int socket) {
  char bytes[256];
  ssize_t got = 1;
  while (got > 0) got = ::recv(socket, bytes, sizeof bytes, 0);
  return got == 0 || errno == ECONNRESET;
}

// A worker and a client of good manners.
class WellBehaved {
 public:
  explicit WellBehaved(const BrokerProcess& broker)
      : worker_({.broker = broker.workers, .services = {{.service = "echo"}}, .slots = 2}),
        serving_([this] { worker_.serve([](Work& work) { work.answer(work.request()); }); }),
        calling_([this, endpoint = broker.clients] { call(endpoint); }) {}
  ~WellBehaved() {
    stop_ = true;
    calling_.join();
    worker_.stop();
    serving_.join();
  }

  int good() const { return good_; }
  int bad() const { return bad_; }

 private:
  void call(const std::string& endpoint) {
    Client client({.broker = endpoint});
    while (!stop_) {
      try {
        const std::string text = "call " + std::to_string(good_);
        const Payload answer = client.call("echo", {text}, {.wait = 20s, .absent = true});
        (answer == Payload{text} ? good_ : bad_)++;
      } catch (const Error& error) {
        MESSAGE(error.what());
        ++bad_;
      }
    }
  }

  std::atomic<bool> stop_ = false;
  std::atomic<int> good_ = 0;
  std::atomic<int> bad_ = 0;
  Worker worker_;
  std::thread serving_;
  std::thread calling_;
};

std::map<std::string, std::uint64_t> counters(const BrokerProcess& broker) {
  std::map<std::string, std::uint64_t> all;
  const auto answer = Stranger(broker.clients).ask({encode(Status{})});
  REQUIRE(answer);
  for (const auto& counter : std::get<Stats>(*answer).counters) all[counter.name] = counter.value;
  return all;
}

std::string nested(std::size_t depth) {
  return R"({"op":"request","id":"x","service":"echo","exclude":)" + std::string(depth, '[') +
         std::string(depth, ']') + "}";
}

TEST_CASE("garbage on every socket is answered and counted, and nobody else notices") {
  BrokerProcess broker;
  WellBehaved others(broker);
  REQUIRE(eventually(60s, [&] { return others.good() >= 3; }));

  std::mt19937_64 chance(2);
  for (const std::string& door : {broker.clients, broker.workers}) {
    CAPTURE(door);
    // Below ZeroMQ: random bytes, ZMTP 1.0, another protocol, a connection that says nothing.
    for (int i = 0; i < 30; ++i) babble(door, random_bytes(chance, 1 + chance() % 4000));
    babble(door, std::string("\x01\x00\x03\x00hi", 6));
    babble(door, "GET / HTTP/1.1\r\nHost: broker\r\n\r\n");
    babble(door, "");
    // After a handshake: random bytes, half a frame, a promise of eight exabytes.
    const int wild = introduced(door);
    say(wild, random_bytes(chance, 500));
    ::close(wild);
    const int torn = introduced(door);
    say(torn, std::string("\x00\x64", 2) + "no hundred bytes");
    ::close(torn);
    const int boastful = introduced(door);
    say(boastful, std::string("\x02\x7f\xff\xff\xff\xff\xff\xff\xff", 9));
    CHECK(is_closed(boastful));
    ::close(boastful);

    // Wrong frames.
    Stranger peer(door);
    CHECK(peer.refusal({""}) == Code::bad_message);
    CHECK(peer.refusal({"a", "b", ""}) == Code::bad_message);
    CHECK(peer.refusal({std::string(255, 'e'), "more", "", R"({"op":"hello"})"}) == Code::limit_reached);
    CHECK(peer.refusal({"", R"({"op":"hello"})", "payload"}) == Code::limit_reached);
    // Wrong bodies, in both codecs.
    CHECK(peer.refusal({"{"}) == Code::bad_message);
    CHECK(peer.refusal({"{}"}) == Code::bad_message);
    CHECK(peer.refusal({R"({"op":17})"}) == Code::bad_message);
    CHECK(peer.refusal({R"({"op":"request","id":7,"service":[]})"}) == Code::bad_message);
    CHECK(peer.refusal({nested(5)}) == Code::bad_message);
    CHECK(peer.refusal({nested(100'000)}) == Code::bad_message);
    CHECK(peer.refusal({"\xc1"}) == Code::bad_message);
    CHECK(peer.refusal({std::string("\xdf\xff\xff\xff\xff", 5)}) == Code::bad_message);
    CHECK(peer.refusal({std::string(100'000, '\x91')}) == Code::bad_message);
    CHECK(peer.refusal({"{" + std::string(limits::body_bytes, ' ') + "}"}) == Code::limit_reached);
    // Wrong words.
    CHECK(peer.refusal({R"({"op":"dance"})"}) == Code::unknown_op);
    CHECK(peer.refusal({"\x81\xa2op\xa5"
                        "dance"}) == Code::unknown_op);
    CHECK(peer.refusal({R"({"op":"hello","v":99})"}) == Code::wrong_version);
    CHECK(peer.refusal({encode(Queued{.id = "x", .position = 1})}) == Code::wrong_role);
    if (door == broker.clients) {
      CHECK(peer.refusal({encode(Heartbeat{.lease = 1, .beat = 1})}) == Code::wrong_role);
    } else {
      CHECK(peer.refusal({encode(Request{.id = "x", .service = "echo"}, Codec::json)}) == Code::wrong_role);
      CHECK(peer.refusal({encode(Heartbeat{.lease = 1, .beat = 1})}) == Code::unknown_lease);
    }
    // Random bytes as bodies: an answer each.
    for (int i = 0; i < 300; ++i) {
      CHECK(peer.ask({random_bytes(chance, 1 + chance() % 300)}).has_value());
    }
    // The same connection is still good for something.
    CHECK(std::holds_alternative<Welcome>(peer.ask({R"({"op":"hello"})"}).value()));
    // Larger than a frame may be: the connection ends.
    Stranger giant(door);
    giant.send({std::string(8 * 1024 * 1024, 'x')});
  }

  const int before = others.good();
  CHECK(eventually(60s, [&] { return others.good() >= before + 3; }));
  CHECK(others.bad() == 0);
  auto counted = counters(broker);
  CHECK(counted["garbled"] >= 600);
  CHECK(counted["wrong_role"] == 4);
  CHECK(counted["refused_wrong-version"] == 2);
  CHECK(counted["refused_unknown-op"] >= 4);
  CHECK(counted["refused_unknown-lease"] == 1);
  CHECK(counted["granted"] >= static_cast<std::uint64_t>(before));
  CHECK(counted["leases_expired"] == 0);
}

}  // namespace
}  // namespace pointsman
