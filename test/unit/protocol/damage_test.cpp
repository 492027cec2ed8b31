// Shows that no bytes, however damaged or malicious, get more out of the codec than a fault with a reason.
#include <doctest/doctest.h>

#include <string>

#include "protocol/codec.hpp"
#include "protocol/names.hpp"
#include "protocol/notation.hpp"
#include "protocol/utf8.hpp"
#include "test/unit/protocol/random_messages.hpp"

using namespace pointsman;

namespace {

using Result = std::variant<Message, Fault>;

Result decoded(std::string_view body) {
  Codec seen{};
  return decode(body, seen);
}

// The reason for which it is refused; empty if it is not.
std::string reason(std::string_view body) {
  const Result result = decoded(body);
  const auto* fault = std::get_if<Fault>(&result);
  return fault != nullptr ? std::string(word(fault->code)) + ": " + fault->reason : "";
}

std::string line_reason(std::string_view line) {
  const Result result = from_line(line);
  const auto* fault = std::get_if<Fault>(&result);
  return fault != nullptr ? std::string(word(fault->code)) + ": " + fault->reason : "";
}

// A fault can be sent as an answer; a message that was accepted is within its bounds, so it survives again.
bool sound(const Result& result) {
  if (const auto* fault = std::get_if<Fault>(&result)) {
    return fault->code != Code::none && !fault->reason.empty() && fault->reason.size() <= limits::text &&
           is_utf8(fault->reason) && is_utf8(fault->op) && fault->op.size() <= limits::name && is_utf8(fault->id) &&
           fault->id.size() <= limits::name;
  }
  return decoded(encode(std::get<Message>(result))) == result;
}

std::string nested(std::string_view opening, int times, std::string_view inside, std::string_view closing) {
  std::string out;
  for (int i = 0; i < times; ++i) out += opening;
  out += inside;
  for (int i = 0; i < times; ++i) out += closing;
  return out;
}

}  // namespace

TEST_CASE("a body that is cut off at any byte is a fault") {
  Dice dice(7);
  for (const Message& message : one_of_each(dice)) {
    for (const Codec codec : {Codec::msgpack, Codec::json}) {
      const std::string body = encode(message, codec);
      for (std::size_t length = 0; length < body.size(); length += length < 600 ? 1 : 97) {
        const Result result = decoded(std::string_view(body).substr(0, length));
        REQUIRE(std::holds_alternative<Fault>(result));
        REQUIRE(sound(result));
      }
    }
  }
}

TEST_CASE("a line that is cut off at any byte is a fault or another message but never worse") {
  Dice dice(8);
  for (const Message& message : one_of_each(dice)) {
    const std::string line = to_line(message);
    for (std::size_t length = 0; length < line.size(); length += length < 600 ? 1 : 97) {
      REQUIRE(sound(from_line(std::string_view(line).substr(0, length))));
    }
  }
}

TEST_CASE("flipped bits are a fault or another message but never worse") {
  Dice dice(9);
  for (const Message& message : one_of_each(dice)) {
    for (std::string body : {encode(message, Codec::msgpack), encode(message, Codec::json)}) {
      for (std::size_t bit = 0; bit < body.size() * 8; bit += bit < 4000 ? 1 : 1 + dice.between(0, 400)) {
        const auto mask = static_cast<char>(1U << (bit % 8));
        body[bit / 8] = static_cast<char>(body[bit / 8] ^ mask);
        REQUIRE(sound(decoded(body)));
        body[bit / 8] = static_cast<char>(body[bit / 8] ^ mask);
      }
    }
  }
}

TEST_CASE("noise is a fault") {
  Dice dice(10);
  for (int round = 0; round < 20000; ++round) {
    std::string body(dice.between(0, 40), '\0');
    for (char& byte : body) byte = static_cast<char>(dice.roll());
    if (!body.empty() && dice.one_in(2)) body[0] = dice.one_in(2) ? '{' : '\x83';
    REQUIRE(sound(decoded(body)));
    REQUIRE(sound(from_line(body)));
  }
}

TEST_CASE("what is nested too deep is refused before it costs anything") {
  for (const int depth : {9, 1000, 200000}) {
    const std::string named = "\x82\xa2op\xa6status\xa1x";
    CHECK(reason(named + nested("\x91", depth, "\xc0", "")) ==
          "bad-message: the body cannot be read: it has maps and lists nested deeper than 8");
    CHECK(reason(R"({"op":"status","x":)" + nested("[", depth, "1", "]") + "}") ==
          "bad-message: the body cannot be read: it has maps and lists nested deeper than 8");
    CHECK(line_reason("status x=" + nested("[", depth, "1", "]")).ends_with("nested deeper than 8"));
  }
  CHECK(reason(R"({"op":"status","x":)" + nested("[", 7, "1", "]") + "}") == "");
}

TEST_CASE("five bytes that claim four billion items cost five bytes") {
  CHECK(reason("\xdd\xff\xff\xff\xff") == "bad-message: the body cannot be read: the msgpack ends in the middle of a value");
  CHECK(reason("\xdf\xff\xff\xff\xff").ends_with("the msgpack ends in the middle of a value"));
  CHECK(reason("\xc6\xff\xff\xff\xff").ends_with("the msgpack ends in the middle of a value"));
  CHECK(reason("\xdb\xff\xff\xff\xff").ends_with("the msgpack ends in the middle of a value"));
  CHECK(reason("\xc9\xff\xff\xff\xff\x01") != "");
}

TEST_CASE("more values than a body may have are refused") {
  const std::string many = "\x82\xa2op\xa6status\xa1x\xdd" + std::string("\x00\x02\x00\x00", 4);
  CHECK(reason(many + std::string(0x20000, '\xc0')).ends_with("it has more than 65536 values"));
}

TEST_CASE("bytes behind a body are refused") {
  CHECK(reason(encode(Status{}) + "xy") == "bad-message: the body cannot be read: 2 bytes follow the msgpack value");
  CHECK(reason(encode(Status{}, Codec::json) + " x").starts_with("bad-message: the body cannot be read: it is not JSON at"));
  CHECK(reason(encode(Status{}, Codec::json) + " \n") == "");
  CHECK(line_reason("status ]").ends_with("at column 8: expected key=value"));
}

TEST_CASE("what is no map is refused") {
  for (const std::string_view body : {"\xc0", "\x01", "\x90", "\xa3 ab", "\xc4\x01z"}) {
    CHECK(reason(body).starts_with("bad-message: the body is no map"));
  }
  CHECK(reason("") == "bad-message: the body is empty; a msgpack map or a JSON object was expected");
  CHECK(reason(R"(["op"])") != "");
  CHECK(reason("hello") != "");
}

TEST_CASE("a reason names the field and what was expected and what was found") {
  CHECK(reason(R"({"id":"a"})") == "bad-message: field `op` is missing: it says what the message is");
  CHECK(reason(R"({"op":5})") == "bad-message: field `op`: expected text, found 5");
  CHECK(reason(R"({"op":"request","id":"a"})") == "bad-message: request: field `service` is missing");
  CHECK(reason(R"({"op":"request","id":"a","service":null})") ==
        "bad-message: request: field `service` is missing");
  CHECK(reason(R"({"op":"request","id":7,"service":"s"})") ==
        "bad-message: request: field `id`: expected text of 1 to 64 bytes, found 7");
  CHECK(reason(R"({"op":"request","id":"","service":"s"})") ==
        "bad-message: request: field `id`: expected text of 1 to 64 bytes, found the text \"\"");
  CHECK(reason(R"({"op":"request","id":"a","service":"s","priority":10})") ==
        "bad-message: request: field `priority`: expected a whole number from 0 to 9, found 10");
  CHECK(reason(R"({"op":"request","id":"a","service":"s","priority":-1})") ==
        "bad-message: request: field `priority`: expected a whole number from 0 to 9, found -1");
  CHECK(reason(R"({"op":"request","id":"a","service":"s","priority":1.5})") ==
        "bad-message: request: field `priority`: expected a whole number from 0 to 9, found the number 1.500000");
  CHECK(reason(R"({"op":"request","id":"a","service":"s","wait_ms":-1})") ==
        "bad-message: request: field `wait_ms`: expected whole milliseconds from 0 to 86400000, found -1");
  CHECK(reason(R"({"op":"request","id":"a","service":"s","absent":1})") ==
        "bad-message: request: field `absent`: expected true or false, found 1");
  CHECK(reason(R"({"op":"request","id":"a","service":"s","exclude":"w"})") ==
        "bad-message: request: field `exclude`: expected a list of 0 to 8 items, found the text \"w\"");
  CHECK(reason(R"({"op":"request","id":"a","service":"s","exclude":["w",2]})") ==
        "bad-message: request: field `exclude[1]`: expected text of 0 to 1024 bytes, found 2");
  CHECK(reason(R"({"op":"assign","lease":1,"first":1,"sessions":[{"session":1,"service":"z"},{"session":2}]})") ==
        "bad-message: assign: field `sessions[1].service` is missing");
  CHECK(reason(R"({"op":"assign","lease":1,"first":1,"sessions":[3]})") ==
        "bad-message: assign: field `sessions[0]`: expected a map, found 3");
  CHECK(reason(R"({"op":"list","of":"things"})") ==
        "bad-message: list: field `of`: expected one of services workers sessions waiting brokers, found the text \"things\"");
  CHECK(reason(R"({"op":"open","ticket":"a!"})") ==
        "bad-message: open: field `ticket`: expected 1 to 512 bytes as base64 text, found the text \"a!\"");
  CHECK(reason("\x82\xa2op\xa4open\xa6ticket\xa2hi") ==
        "bad-message: open: field `ticket`: expected 1 to 512 bytes, found the text \"hi\"");
  CHECK(reason("\x83\xa2op\xa5leave\xa5lease\x01\xa6reason\xa1\xff") ==
        "bad-message: leave: field `reason`: expected text of 0 to 1024 bytes, found text that is not UTF-8");
}

TEST_CASE("a key that is there twice is refused") {
  CHECK(reason(R"({"op":"probe","lease":1,"lease":1})") == "bad-message: probe: field `lease` is there twice");
  CHECK(reason(R"({"op":"probe","op":"sync","lease":1})") == "bad-message: field `op` is there twice");
  CHECK(reason(R"({"op":"probe","v":1,"lease":1,"v":1})") == "bad-message: field `v` is there twice");
}

TEST_CASE("another version is refused with the version that is spoken and before anything else") {
  CHECK(reason(R"({"op":"new-in-two","v":2})") ==
        "wrong-version: field `v`: version 1 of the protocol is spoken here, found 2");
  CHECK(reason(R"({"op":"status","v":"1"})").starts_with("wrong-version: "));
  CHECK(reason(R"({"op":"status","v":1})") == "");
}

TEST_CASE("an unknown op is answered with the known ones") {
  const std::string text = reason(R"({"op":"requst"})");
  CHECK(text.starts_with("unknown-op: field `op`: no message is called \"requst\"; there are abandon assign call "));
  CHECK(text.ends_with(" welcome"));
}

TEST_CASE("a fault says which message it is about as far as that could be read") {
  Result result = decoded(R"({"op":"call","session":3,"number":4,"limit_ms":"x"})");
  REQUIRE(std::holds_alternative<Fault>(result));
  CHECK(std::get<Fault>(result).op == "call");
  CHECK(std::get<Fault>(result).session == 3);
  CHECK(std::get<Fault>(result).number == 4);

  result = decoded(R"({"op":"request","id":"r7","service":"z)");
  REQUIRE(std::holds_alternative<Fault>(result));
  CHECK(std::get<Fault>(result).op == "request");
  CHECK(std::get<Fault>(result).id == "r7");
}
