// Outboxes, over a wire that is full when the test says so.

#include "protocol/outbox.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

namespace pointsman {
namespace {

using std::chrono::milliseconds;

struct Wire {
  std::map<std::uint64_t, Outcome> answer;  // of peers that are not simply there
  std::vector<std::string> sent;

  Outboxes::Transmit transmit() {
    return [this](std::uint64_t peer, std::string_view, std::string_view body, const Payload&) {
      const auto found = answer.find(peer);
      if (found != answer.end() && found->second != Outcome::sent) return found->second;
      sent.push_back(std::to_string(peer) + ":" + std::string(body));
      return Outcome::sent;
    };
  }
};

Address to(std::uint64_t peer) {
  return {.peer = peer};
}
Instant at(int ms) {
  return Instant(milliseconds(ms));
}

TEST_CASE("an outbox keeps the order of what a slow peer gets, and lets others pass") {
  Wire wire;
  Outboxes outboxes({.messages = 10, .bytes = 1000}, wire.transmit());
  wire.answer[1] = Outcome::full;
  CHECK(outboxes.send(at(0), to(1), "a", {}) == Outcome::full);
  wire.answer[1] = Outcome::sent;
  CHECK(outboxes.send(at(1), to(1), "b", {}) == Outcome::full);  // behind a, although there is room now
  CHECK(outboxes.send(at(1), to(2), "c", {}) == Outcome::sent);
  CHECK(outboxes.holds(1));
  CHECK_FALSE(outboxes.holds(2));
  CHECK(outboxes.flush(at(10)).empty());
  CHECK(wire.sent == std::vector<std::string>{"2:c", "1:a", "1:b"});
  CHECK(outboxes.empty());
  CHECK(outboxes.next_flush() == never);
}

TEST_CASE("a peer whose outbox is full in number is gone, and what waited for it is dropped") {
  Wire wire;
  Outboxes outboxes({.messages = 2, .bytes = 1000}, wire.transmit());
  wire.answer[1] = Outcome::full;
  CHECK(outboxes.send(at(0), to(1), "a", {}) == Outcome::full);
  CHECK(outboxes.send(at(0), to(1), "b", {}) == Outcome::full);
  CHECK(outboxes.send(at(0), to(1), "c", {}) == Outcome::gone);
  CHECK(outboxes.empty());
}

TEST_CASE("an outbox counts bytes with the payload, but one message may always wait") {
  Wire wire;
  Outboxes outboxes({.messages = 10, .bytes = 100}, wire.transmit());
  wire.answer[1] = Outcome::full;
  CHECK(outboxes.send(at(0), to(1), "a", {Frame(std::string(500, 'x'))}) == Outcome::full);
  CHECK(outboxes.send(at(0), to(1), "b", {}) == Outcome::gone);
}

TEST_CASE("what waits for too long is dropped, what is younger goes out") {
  Wire wire;
  Outboxes outboxes({.messages = 10, .bytes = 100, .age = milliseconds(2000)}, wire.transmit());
  wire.answer[1] = Outcome::full;
  outboxes.send(at(0), to(1), "old", {});
  outboxes.send(at(1500), to(1), "young", {});
  CHECK(outboxes.next_flush() != never);
  wire.answer[1] = Outcome::sent;
  outboxes.flush(at(2000));
  CHECK(wire.sent == std::vector<std::string>{"1:young"});
}

TEST_CASE("a few peers that wait are tried at each flush, many once in a millisecond") {
  for (const auto& [peers, tried] : {std::pair{16, true}, {17, false}}) {
    Wire wire;
    Outboxes outboxes({.messages = 10, .bytes = 100}, wire.transmit());
    for (int peer = 1; peer <= peers; ++peer) {
      wire.answer[static_cast<std::uint64_t>(peer)] = Outcome::full;
      outboxes.send(at(0), to(static_cast<std::uint64_t>(peer)), "a", {});
    }
    outboxes.flush(at(10));
    wire.answer.clear();
    outboxes.flush(at(10));
    CHECK(outboxes.empty() == tried);
    outboxes.flush(at(11));
    CHECK(outboxes.empty());
  }
}

TEST_CASE("an outbox whose peer left while something waited reports it once") {
  Wire wire;
  Outboxes outboxes({.messages = 10, .bytes = 100}, wire.transmit());
  wire.answer[1] = Outcome::full;
  outboxes.send(at(0), to(1), "a", {});
  wire.answer[1] = Outcome::gone;
  CHECK(outboxes.flush(at(10)) == std::vector<std::uint64_t>{1});
  CHECK(outboxes.flush(at(20)).empty());
  CHECK(outboxes.empty());
}

}  // namespace
}  // namespace pointsman
