// Shows that encode and decode are each other's inverse in every codec, for every message and every field.
#include "protocol/codec.hpp"

#include <doctest/doctest.h>

#include "protocol/notation.hpp"
#include "test/unit/protocol/random_messages.hpp"

using namespace pointsman;
using Result = std::variant<Message, Fault>;

TEST_CASE("every message survives msgpack JSON and the notation") {
  Dice dice(20260);
  for (int round = 0; round < 40; ++round) {
    for (const Message& message : one_of_each(dice)) {
      const std::string line = to_line(message);
      for (const Codec codec : {Codec::msgpack, Codec::json}) {
        Codec seen{};
        const auto back = decode(encode(message, codec), seen);
        CHECK(seen == codec);
        REQUIRE_MESSAGE(back == Result(message), line);
      }
      REQUIRE_MESSAGE(from_line(line) == Result(message), line);
    }
  }
}

TEST_CASE("a message of defaults only survives every codec") {
  Dice dice(0);
  for (const Message& message : one_of_each(dice, Fill::required_only)) {
    for (const Codec codec : {Codec::msgpack, Codec::json}) {
      Codec seen{};
      CHECK(decode(encode(message, codec), seen) == Result(message));
    }
    CHECK(from_line(to_line(message)) == Result(message));
  }
}

TEST_CASE("fields at their defaults are left out") {
  const Message message = Request{.id = "r1", .service = "zip"};
  CHECK(encode(message, Codec::json) == R"({"op":"request","id":"r1","service":"zip"})");
  CHECK(to_line(message) == "request id=r1 service=zip");
}

TEST_CASE("a buffer that is used again keeps its memory") {
  std::string buffer;
  encode(Request{.id = "a-long-id-that-needs-room-for-itself", .service = "zip"}, Codec::msgpack, buffer);
  const char* before = buffer.data();
  encode(Status{}, Codec::msgpack, buffer);
  CHECK(buffer.data() == before);
}

TEST_CASE("whole numbers may come as real ones because some languages have no others") {
  Codec seen{};
  const auto json = decode(R"({"op":"status","v":1.0})", seen);
  CHECK(json == Result(Status{}));
  const std::string msgpack("\x82\xa2op\xa5probe\xa5lease\xcb\x40\x14\x00\x00\x00\x00\x00\x00", 25);
  CHECK(decode(msgpack, seen) == Result(Probe{.lease = 5}));
}

TEST_CASE("nil is a field that is left out") {
  Codec seen{};
  CHECK(decode(R"({"op":"request","id":"a","service":"b","client":null})", seen) ==
        Result(Request{.id = "a", .service = "b"}));
}

TEST_CASE("unknown keys are ignored whatever their values are") {
  Codec seen{};
  CHECK(decode(R"({"new":{"a":[1,{"b":2}]},"op":"probe","more":[[]],"lease":5,"more":2})", seen) ==
        Result(Probe{.lease = 5}));
}

TEST_CASE("text that is no UTF-8 is repaired on its way out") {
  for (const Codec codec : {Codec::msgpack, Codec::json}) {
    Codec seen{};
    const auto back = decode(encode(Leave{.lease = 1, .reason = "a\xff" "b"}, codec), seen);
    CHECK(back == Result(Leave{.lease = 1, .reason = "a\xef\xbf\xbd" "b"}));
  }
}

TEST_CASE("text that is too long is cut to its bound on its way out") {
  Codec seen{};
  const auto back = decode(encode(Leave{.lease = 1, .reason = std::string(1023, 'x') + "\u00e9"}), seen);
  CHECK(back == Result(Leave{.lease = 1, .reason = std::string(1023, 'x')}));
}

TEST_CASE("attributes are maps of numbers texts and lists of texts, whichever way they are written") {
  Codec seen{};
  Request expected{.id = "r", .service = "s"};
  REQUIRE(add_attributes("a=1 b=-0.5 c={x, y} d=\"64G\" e=word", expected.attributes) == "");
  CHECK(to_line(expected) == "request id=r service=s attributes={a=1 b=-0.5 c=[x y] d=\"64G\" e=word}");
  CHECK(from_line("request id=r service=s attributes={e=word d=\"64G\" a=1 c=[y x x] b=-0.5}") == Result(expected));
  CHECK(decode(R"({"op":"request","id":"r","service":"s","attributes":{"a":1.0,"b":-0.5,"c":["y","x"],"d":"64G","e":"word"}})",
               seen) == Result(expected));
  const auto reason = [&](const std::string& attributes) {
    const auto read = decode(R"({"op":"request","id":"r","service":"s","attributes":)" + attributes + "}", seen);
    REQUIRE_MESSAGE(std::holds_alternative<Fault>(read), attributes);
    CHECK(std::get<Fault>(read).code == Code::bad_message);
    return std::get<Fault>(read).reason;
  };
  CHECK(reason(R"({"a":true})") == "request: field `attributes.a`: expected a number, a text or a list of texts, found true");
  CHECK(reason(R"({"a":[1]})") == "request: field `attributes.a`: expected a number, a text or a list of texts, found a list of 1");
  CHECK(reason(R"({"a":1,"a":2})") == "request: field `attributes`: attribute a is there twice");
  CHECK(reason(R"({"in":1})").starts_with("request: field `attributes`: \"in\" is no name of an attribute"));
  CHECK(reason(R"({"a":1e300})") == "request: field `attributes`: the number of attribute a is not within 2^53");
  CHECK(reason("[]") == "request: field `attributes`: expected a map of 0 to 32 attributes, found a list of 0");
}
