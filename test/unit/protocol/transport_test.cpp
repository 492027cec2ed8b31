// The transport against raw ZeroMQ peers, over loopback and ipc.

#include "protocol/transport.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include "protocol/codec.hpp"
#include "protocol/doorstep.hpp"
#include "test/folder.hpp"

namespace pointsman {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Frames = std::vector<std::string>;

// A transport with one listener that answers every message with `welcome`, and garbled ones with `refused`.
struct Bench {
  Transport transport;
  std::string endpoint;
  std::vector<Received> received;
  std::vector<Garbled> garbled;
  std::vector<Gone> gone;
  bool answering = true;

  explicit Bench(const std::string& where = "tcp://127.0.0.1:*", const TransportLimits& limits = {})
      : endpoint(transport.listen(Door::clients, where, limits)) {}

  void take(Incoming&& incoming) {
    if (auto* message = std::get_if<Received>(&incoming)) {
      if (answering) transport.send({message->from, Welcome{.program = "bench"}, message->payload});
      received.push_back(std::move(*message));
    } else if (auto* fault = std::get_if<Garbled>(&incoming)) {
      if (answering) {
        transport.send({fault->from, Refused{.code = fault->fault.code, .reason = fault->fault.reason}, {}});
      }
      garbled.push_back(std::move(*fault));
    } else {
      gone.push_back(std::get<Gone>(incoming));
    }
  }

  // Turns until `done`, a minute at most.
  template <class Done>
  bool until(Done done) {
    const Instant end = now() + seconds(60);
    while (!done() && now() < end) {
      transport.turn(now() + milliseconds(20), [this](Incoming&& incoming) { take(std::move(incoming)); });
    }
    return done();
  }
};

// A peer that knows nothing of Pointsman.
struct Peer {
  zmq::context_t context;
  zmq::socket_t socket;

  explicit Peer(zmq::socket_type type) : socket(context, type) { socket.set(zmq::sockopt::linger, 0); }

  void send(const Frames& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      socket.send(zmq::buffer(frames[i]),
                  i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
  bool readable() { return (socket.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0; }
  Frames receive() {
    Frames frames;
    zmq::message_t frame;
    do {
      if (!socket.recv(frame, zmq::recv_flags::dontwait)) return frames;
      frames.push_back(frame.to_string());
    } while (frame.more());
    return frames;
  }
};

Frames ask(Bench& bench, Peer& peer, const Frames& question) {
  peer.send(question);
  REQUIRE(bench.until([&] { return peer.readable(); }));
  return peer.receive();
}

// Where a peer is that takes next to nothing ahead, after its first message.
Address met(Bench& bench, Peer& peer) {
  peer.socket.set(zmq::sockopt::rcvhwm, 1);
  peer.socket.set(zmq::sockopt::rcvbuf, 64 * 1024);  // or the kernel takes up to tcp_rmem's largest for it: 32 MB here and there
  peer.socket.connect(bench.endpoint);
  peer.send({encode(Hello{})});
  REQUIRE(bench.until([&] { return bench.received.size() == 1; }));
  return bench.received[0].from;
}

// Sends messages that begin with their number until one has to wait; returns how many that were. How many leave before is
// the kernel's to say: here 3 MB, there 30.
int fill(Bench& bench, const Address& to) {
  int sent = 0;
  for (const Instant end = now() + seconds(60); !bench.transport.congested(to) && now() < end; ++sent) {
    bench.transport.send({to, Explained{.subject = std::to_string(sent) + std::string(limits::text - 8, 'x')}, {}});
  }
  REQUIRE(bench.transport.congested(to));
  return sent;
}

const std::string json_hello = R"({"op":"hello"})";
const std::string json_welcome = encode(Welcome{.program = "bench"}, Codec::json);
const std::string msgpack_welcome = encode(Welcome{.program = "bench"});

TEST_CASE("transport: every kind of peer is answered in its codec and its envelope") {
  TemporaryFolder folder;
  std::string where = "tcp://127.0.0.1:*";
  SUBCASE("over tcp") {}
  SUBCASE("over ipc") {
    where = "ipc://" + folder / "socket";
  }
  Bench bench(where);

  Peer req(zmq::socket_type::req);
  req.socket.connect(bench.endpoint);
  CHECK(ask(bench, req, {json_hello}) == Frames{json_welcome});
  CHECK(ask(bench, req, {encode(Hello{})}) == Frames{msgpack_welcome});

  Peer relaxed(zmq::socket_type::req);
  relaxed.socket.set(zmq::sockopt::req_correlate, 1);
  relaxed.socket.set(zmq::sockopt::req_relaxed, 1);
  relaxed.socket.connect(bench.endpoint);
  CHECK(ask(bench, relaxed, {json_hello}) == Frames{json_welcome});
  CHECK(ask(bench, relaxed, {encode(Hello{})}) == Frames{msgpack_welcome});

  Peer dealer(zmq::socket_type::dealer);
  dealer.socket.connect(bench.endpoint);
  CHECK(ask(bench, dealer, {json_hello}) == Frames{json_welcome});
  CHECK(ask(bench, dealer, {"", encode(Hello{})}) == Frames{"", msgpack_welcome});
  CHECK(ask(bench, dealer, {"far", "further", "", json_hello}) == Frames{"far", "further", "", json_welcome});
  CHECK(bench.garbled.empty());
}

TEST_CASE("transport: two transports talk, each over its own socket") {
  Bench bench;
  Transport other;
  const std::uint64_t link = other.connect(Door::broker, bench.endpoint, {});
  other.send({{.door = Door::broker, .peer = link}, Hello{}, {}});
  std::vector<Received> answers;
  REQUIRE(bench.until([&] {
    other.turn(now() + milliseconds(5), [&](Incoming&& in) { answers.push_back(std::get<Received>(in)); });
    return !answers.empty();
  }));
  CHECK(answers[0].from == Address{.door = Door::broker, .peer = link});
  CHECK(answers[0].message == Message(Welcome{.program = "bench"}));
}

TEST_CASE("transport: what cannot be read is reported with the address to answer to") {
  Bench bench;
  Peer peer(zmq::socket_type::dealer);
  peer.socket.connect(bench.endpoint);
  const auto code_of = [&](const Frames& question) {
    const Frames answer = ask(bench, peer, question);
    return bench.garbled.empty() || answer.empty() ? Code::none : bench.garbled.back().fault.code;
  };
  CHECK(code_of({"garbage"}) == Code::bad_message);
  CHECK(code_of({""}) == Code::bad_message);
  CHECK(code_of({"a", "b", ""}) == Code::bad_message);
  CHECK(code_of({"", std::string(1000, '\xc1')}) == Code::bad_message);
  CHECK(code_of({"", R"({"op":"dance"})"}) == Code::unknown_op);
  CHECK(code_of({std::string(200, 'a'), std::string(56, 'a'), "", json_hello}) == Code::limit_reached);
  CHECK(code_of({"", json_hello, "a payload where none may be"}) == Code::limit_reached);
  CHECK(code_of({"", std::string(limits::body_bytes + 1, '{')}) == Code::limit_reached);
  CHECK(bench.garbled.back().from.codec == Codec::json);
  CHECK(bench.received.empty());
  CHECK(ask(bench, peer, {json_hello}) == Frames{json_welcome});
}

TEST_CASE("transport: payload beyond its bounds is named") {
  TransportLimits limits = direct_limits();
  limits.payload_bytes = 1000;
  Bench bench("tcp://127.0.0.1:*", limits);
  Peer peer(zmq::socket_type::dealer);
  peer.socket.connect(bench.endpoint);
  Frames many{"", json_hello};
  many.resize(2 + limits::payload_frames + 1, "x");
  ask(bench, peer, many);
  REQUIRE(bench.garbled.size() == 1);
  CHECK(bench.garbled[0].fault.reason == "65 payload frames follow the body, more than 64");
  many.resize(1000, "x");
  ask(bench, peer, many);
  CHECK(bench.garbled.back().fault.reason == "998 payload frames follow the body, more than 64");
  ask(bench, peer, {"", json_hello, std::string(1001, 'x')});
  CHECK(bench.garbled.back().fault.reason == "the payload has 1001 bytes, more than 1000");
}

TEST_CASE("transport: a frame above ZMQ_MAXMSGSIZE costs its sender the connection and nobody else") {
  Bench bench;
  Peer good(zmq::socket_type::dealer);
  good.socket.connect(bench.endpoint);
  CHECK(ask(bench, good, {json_hello}) == Frames{json_welcome});

  Peer bad(zmq::socket_type::dealer);
  bad.socket.connect(bench.endpoint);
  bad.send({std::string(TransportLimits{}.message_bytes + 1, 'x')});
  CHECK(bench.until([&] {
    bad.socket.send(zmq::buffer(json_hello), zmq::send_flags::dontwait);  // lost, until it has connected anew
    return bad.readable();
  }));
  CHECK(bench.garbled.empty());
  CHECK(ask(bench, good, {json_hello}) == Frames{json_welcome});
}

TEST_CASE("transport: a peer that chose its routing id is told to leave it unset") {
  Bench bench;
  Peer peer(zmq::socket_type::dealer);
  peer.socket.set(zmq::sockopt::routing_id, "myself");
  peer.socket.connect(bench.endpoint);
  const Frames answer = ask(bench, peer, {json_hello});
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].find("routing id") != std::string::npos);
  CHECK(bench.received.empty());
}

TEST_CASE("transport: payload frames of any size come through byte for byte") {
  Bench bench("tcp://127.0.0.1:*", direct_limits());
  Transport other;
  const std::uint64_t link = other.connect(Door::direct, bench.endpoint, direct_limits());
  Payload payload;
  SUBCASE("64 frames, some of them empty") {
    for (std::size_t i = 0; i < limits::payload_frames; ++i)
      payload.emplace_back(std::string(i * 37 % 500, 'a'));
    payload[0] = Frame();
  }
  SUBCASE("one frame of a megabyte") {
    std::string megabyte(1 << 20, '\0');
    for (std::size_t i = 0; i < megabyte.size(); ++i) megabyte[i] = static_cast<char>(i * 2654435761U >> 24);
    payload.emplace_back(std::move(megabyte));
  }
  SUBCASE("as much as may be") {
    payload.emplace_back(std::string(limits::payload_bytes, 'z'));
  }
  other.send({{.door = Door::direct, .peer = link}, Hello{}, payload});
  std::vector<Received> answers;
  REQUIRE(bench.until([&] {
    other.turn(now() + milliseconds(5), [&](Incoming&& in) { answers.push_back(std::get<Received>(in)); });
    return !answers.empty();
  }));
  CHECK((bench.received[0].payload == payload));
  CHECK((answers[0].payload == payload));
}

TEST_CASE("transport: a peer that does not read is gone in the end, and nobody else suffers") {
  TransportLimits limits;
  limits.outbox = 8;
  limits.send_queue = 2;
  Bench bench("tcp://127.0.0.1:*", limits);
  Peer slow(zmq::socket_type::dealer);
  slow.socket.set(zmq::sockopt::rcvhwm, 1);
  slow.socket.set(zmq::sockopt::rcvbuf, 4096);
  slow.socket.connect(bench.endpoint);
  Peer good(zmq::socket_type::dealer);
  good.socket.connect(bench.endpoint);
  slow.send({json_hello});
  REQUIRE(bench.until([&] { return bench.received.size() == 1; }));
  const Address to_slow = bench.received[0].from;

  const Explained much{.subject = std::string(100'000, 'x')};
  bool congested = false;
  REQUIRE(bench.until([&] {
    for (int i = 0; i < 16 && bench.gone.empty(); ++i) {
      bench.transport.send({to_slow, much, {}});
      congested |= bench.transport.congested(to_slow);
    }
    return !bench.gone.empty();
  }));
  CHECK(congested);
  CHECK(bench.gone[0].peer == to_slow.peer);
  CHECK(bench.gone[0].door == Door::clients);
  CHECK(ask(bench, good, {json_hello}) == Frames{json_welcome});
}

TEST_CASE("transport: a peer that reads again gets everything in order") {
  TransportLimits limits;
  limits.send_queue = 2;
  Bench bench("tcp://127.0.0.1:*", limits);
  Peer peer(zmq::socket_type::dealer);
  const Address to = met(bench, peer);
  const int sent = fill(bench, to);
  std::vector<std::string> heard;
  REQUIRE(bench.until([&] {
    for (Frames frames = peer.receive(); !frames.empty(); frames = peer.receive()) heard.push_back(frames[0]);
    return heard.size() == static_cast<std::size_t>(sent) + 1;
  }));
  for (int i = 0; i < sent; ++i) {
    CHECK(heard[static_cast<std::size_t>(i) + 1].find(std::to_string(i) + "xx") != std::string::npos);
  }
  CHECK(bench.transport.idle());
  CHECK(bench.gone.empty());
}

TEST_CASE("transport: who waits for room in an outbox hears of it") {
  TransportLimits limits;
  limits.send_queue = 64;  // libzmq speaks up for each 32 that left
  Bench bench("tcp://127.0.0.1:*", limits);
  Peer peer(zmq::socket_type::dealer);
  const Address to = met(bench, peer);
  const int sent = fill(bench, to);
  // The welcome and all but the last leave by themselves.
  zmq::pollitem_t come{peer.socket.handle(), 0, ZMQ_POLLIN, 0};
  for (int heard = 0; heard < sent; ++heard) {
    REQUIRE(zmq::poll(&come, 1, seconds(60)) == 1);
    peer.receive();
  }
  const Instant end = now() + seconds(10);
  while (bench.transport.congested(to) && now() < end) bench.transport.turn(end, [](Incoming&&) {});
  CHECK(now() < end);
}

TEST_CASE("transport: sending to a peer that left reports it gone") {
  Bench bench;
  {
    Peer peer(zmq::socket_type::dealer);
    peer.socket.connect(bench.endpoint);
    ask(bench, peer, {json_hello});
  }
  const Address left = bench.received[0].from;
  REQUIRE(bench.until([&] {
    bench.transport.send({left, Hello{}, {}});
    return !bench.gone.empty();
  }));
  CHECK(bench.gone[0].peer == left.peer);
}

TEST_CASE("transport: what was sent before the other end listens arrives once it does") {
  TemporaryFolder folder;
  const std::string where = "ipc://" + folder / "socket";
  Transport early;
  const std::uint64_t link = early.connect(Door::direct, where, {});
  const Address to{.door = Door::direct, .peer = link};
  early.send({to, Hello{}, {}});
  early.send({to, Status{}, {}});
  CHECK(early.congested(to));
  early.turn(now() + milliseconds(30), [](Incoming&&) {});
  Bench bench(where);
  REQUIRE(bench.until([&] {
    early.turn(now() + milliseconds(5), [](Incoming&&) {});
    return bench.received.size() == 2;
  }));
  CHECK(bench.received[0].message == Message(Hello{}));
  CHECK(bench.received[1].message == Message(Status{}));
}

TEST_CASE("transport: nothing waits for a broker's next life") {
  TemporaryFolder folder;
  const std::string where = "ipc://" + folder / "socket";
  Transport early;
  const Address to{.door = Door::broker, .peer = early.connect(Door::broker, where, {})};
  early.send({to, Hello{}, {}});
  CHECK_FALSE(early.idle());
  const Instant end = now() + seconds(10);
  while (!early.idle() && now() < end) early.turn(end, [](Incoming&&) {});
  CHECK(early.idle());
  Bench bench(where);
  REQUIRE(bench.until([&] {
    early.send({to, Status{}, {}});  // again and again: the connection may take longer than it lives
    early.turn(now() + milliseconds(50), [](Incoming&&) {});
    return !bench.received.empty();
  }));
  CHECK(bench.received[0].message == Message(Status{}));
}

TEST_CASE("transport: a connection that is being made goes on, without what waited for it") {
  TemporaryFolder folder;
  const std::string where = "ipc://" + folder / "socket";
  Transport early;
  const Address to{.door = Door::broker, .peer = early.connect(Door::broker, where, {})};
  early.send({to, Hello{}, {}});
  CHECK(early.still_connecting(to.peer));
  CHECK(early.idle());
  Bench bench(where);
  REQUIRE(bench.until([&] {
    early.send({to, Status{}, {}});
    early.turn(now() + milliseconds(50), [](Incoming&&) {});
    return !bench.received.empty();
  }));
  CHECK(bench.received[0].message == Message(Status{}));
  CHECK_FALSE(early.still_connecting(to.peer));
  CHECK_FALSE(early.still_connecting(early.connect(Door::direct, where, {})));
  CHECK_FALSE(early.still_connecting(to.peer + 7));
}

TEST_CASE("transport: without descriptors a connection is refused with its remedy") {
  Bench bench;
  Transport other;
  other.connect(Door::broker, bench.endpoint, {});  // libzmq has what it needs for itself
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  // One more each time: it has to fail wherever it stands then.
  int refused = 0;
  bool made = false;
  for (rlim_t more = 0; more < 16 && !made; ++more) {
    const rlimit few{open_descriptors() + more, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    try {
      other.disconnect(other.connect(Door::broker, bench.endpoint, {}));
      made = true;
    } catch (const TransportError& error) {
      CHECK_MESSAGE(std::string(error.what()).find("ulimit -n") != std::string::npos, error.what());
      ++refused;
    }
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  }
  CHECK(made);
  CHECK(refused > 0);
}

TEST_CASE("transport: a connection can be closed, also from within its own message") {
  Bench bench;
  Transport other;
  const std::uint64_t link = other.connect(Door::broker, bench.endpoint, {});
  other.send({{.peer = link}, Hello{}, {}});
  other.send({{.peer = link}, Status{}, {}});
  int heard = 0;
  CHECK(bench.until([&] {
    other.turn(now(), [&](Incoming&&) {
      ++heard;
      other.disconnect(link);
    });
    return heard > 0 && bench.received.size() == 2;
  }));
  other.turn(now() + milliseconds(50), [&](Incoming&&) { ++heard; });
  CHECK(heard == 1);
  other.send({{.peer = link}, Hello{}, {}});  // to nobody: dropped
  other.disconnect(link);
}

TEST_CASE("transport: what was sent just before a disconnect still leaves") {
  Bench bench;
  Transport other;
  const std::uint64_t link = other.connect(Door::broker, bench.endpoint, {});
  other.send({{.peer = link}, Hello{}, {}});
  REQUIRE(bench.until([&] {
    other.turn(now(), [](Incoming&&) {});
    return bench.received.size() == 1;
  }));
  other.send({{.peer = link}, Status{}, {}});
  other.disconnect(link);
  CHECK(bench.until([&] { return bench.received.size() == 2; }));
}

TEST_CASE("transport: wake ends a turn from another thread") {
  Transport transport;
  std::thread other([&] { transport.wake(); });
  transport.turn(never, [](Incoming&&) {});
  other.join();
}

TEST_CASE("transport: a line that was used while another thread was caught up with ends the turn that waits") {
  Bench bench;
  Transport other;
  const std::uint64_t one = other.connect(Door::broker, bench.endpoint, {});
  const std::uint64_t two = other.connect(Door::broker, bench.endpoint, {});
  const auto greet = [&](std::uint64_t link) { other.send({{.door = Door::broker, .peer = link}, Hello{}, {}}); };
  int come = 0;
  for (const std::uint64_t link : {one, two, one}) greet(link);
  REQUIRE(bench.until([&] {
    other.turn(now() + milliseconds(5), [&](Incoming&&) { ++come; });
    return come == 3;
  }));
  greet(one);
  REQUIRE(bench.until([&] { return bench.received.size() == 4; }));
  // Nobody says that the answer has come: one looks again and again, by sending something.
  const Instant end = now() + seconds(10);
  while (come == 3 && now() < end) {
    greet(one);
    other.catch_up([&](Incoming&&) {
      ++come;
      greet(two);
    });
    std::this_thread::sleep_for(milliseconds(2));
  }
  REQUIRE(come > 3);
  other.turn(end, [](Incoming&&) {});
  CHECK(now() < end);
}

TEST_CASE("transport: a watched descriptor ends a turn and calls its handler") {
  Transport transport;
  const int descriptor = ::eventfd(1, EFD_CLOEXEC);
  int calls = 0;
  transport.watch(descriptor, [&] {
    ++calls;
    transport.unwatch(descriptor);
  });
  transport.turn(never, [](Incoming&&) {});
  CHECK(calls == 1);
  transport.turn(now() + milliseconds(1), [](Incoming&&) {});
  CHECK(calls == 1);
  ::close(descriptor);
}

TEST_CASE("transport: a peer that speaks ZMTP 1.0 is refused") {
  Bench bench;
  const int peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(bench.endpoint.substr(bench.endpoint.rfind(':') + 1))));
  REQUIRE(::connect(peer, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address) ==
          0);
  const std::string greeting("\x01\x00\x0f\x00{\"op\":\"hello\"}", 18);  // no identity, then one message
  REQUIRE(::send(peer, greeting.data(), greeting.size(), MSG_NOSIGNAL) == 18);
  char byte = 0;
  CHECK(bench.until([&] {
    const ssize_t got = ::recv(peer, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }));
  CHECK(bench.received.empty());
  ::close(peer);
}

TEST_CASE("transport: a listener that is in use is told with its remedy, and keeps working") {
  TemporaryFolder folder;
  std::string where = "tcp://127.0.0.1:*";
  SUBCASE("tcp") {}
  SUBCASE("ipc") {
    where = "ipc://" + folder / "socket";
  }
  Bench bench(where);
  Transport second;
  std::string problem;
  try {
    second.listen(Door::clients, bench.endpoint, {});
  } catch (const TransportError& error) {
    problem = error.what();
  }
  CHECK(problem.find("in use") != std::string::npos);
  CHECK(problem.find(bench.endpoint) != std::string::npos);
  Peer peer(zmq::socket_type::req);
  peer.socket.connect(bench.endpoint);
  CHECK(ask(bench, peer, {json_hello}) == Frames{json_welcome});
}

TEST_CASE("transport: an ipc socket left by a dead process is taken over, and removed at the end") {
  TemporaryFolder folder;
  const std::string path = folder / "socket";
  const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  path.copy(static_cast<char*>(static_cast<void*>(&storage)) + sizeof(sa_family_t), path.size());
  REQUIRE(::bind(dead, static_cast<const sockaddr*>(static_cast<const void*>(&storage)),
                 static_cast<socklen_t>(sizeof(sa_family_t) + path.size() + 1)) == 0);
  ::close(dead);
  REQUIRE(std::filesystem::exists(path));
  {
    Bench bench("ipc://" + path);
    Peer peer(zmq::socket_type::req);
    peer.socket.connect(bench.endpoint);
    CHECK(ask(bench, peer, {json_hello}) == Frames{json_welcome});
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("transport: more than a thousand connections fit in one process") {
  Bench bench;
  Transport other;
  std::vector<std::uint64_t> links;
  for (int i = 0; i < 1200; ++i) {
    links.push_back(other.connect(Door::direct, bench.endpoint, {}));
    other.send({{.door = Door::direct, .peer = links.back()}, Hello{}, {}});
  }
  std::size_t answers = 0;
  CHECK(bench.until([&] {
    other.turn(now() + milliseconds(1), [&](Incoming&&) { ++answers; });
    return answers == links.size();
  }));
}

TEST_CASE("time moves on and is never zero, names differ") {
  const Instant before = now();
  CHECK(before > Instant{});
  CHECK(now() >= before);
  CHECK(random_name() != random_name());
  CHECK(random_name().size() == 32);
  CHECK(random_key().data.size() == 32);
  CHECK(unix_microseconds() > 1'600'000'000'000'000);
}

}  // namespace
}  // namespace pointsman
