// Shows how messages look in the notation, and that mistakes in a line are named with their column.
#include "protocol/notation.hpp"

#include <doctest/doctest.h>

using namespace pointsman;

namespace {

using Result = std::variant<Message, Fault>;

std::string problem(std::string_view line) {
  const Result result = from_line(line);
  const auto* fault = std::get_if<Fault>(&result);
  return fault != nullptr ? fault->reason : "";
}

}  // namespace

TEST_CASE("a line reads like the message") {
  CHECK(to_line(Request{.id = "r1", .service = "zip", .exclude = {"w1", "w 2"}}) ==
        R"(request id=r1 service=zip exclude=[w1 "w 2"])");
  CHECK(to_line(Assign{.lease = 7, .first = 1, .sessions = {{.session = 9, .service = "zip"}}}) ==
        "assign lease=7 first=1 sessions=[{session=9 service=zip}]");
  CHECK(to_line(Registered{.worker = "w", .lease = 1, .term_ms = forever, .heartbeat_ms = Milliseconds{5},
                           .key = {std::string(32, '\0')}}) ==
        "registered worker=w lease=1 term_ms=forever heartbeat_ms=5 "
        "key=b64\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"");
  CHECK(to_line(Status{}) == "status");
}

TEST_CASE("text that could be taken for something else is quoted") {
  CHECK(shown("zip-2.0/a:b@c+d*_") == "zip-2.0/a:b@c+d*_");
  CHECK(shown("") == R"("")");
  CHECK(shown("a b") == R"("a b")");
  CHECK(shown("a\"b\\c\nd\te") == R"("a\"b\\c\nd\te")");
  CHECK(shown(std::string("\0\x1f\x7f", 3)) == R"("\x00\x1f\x7f")");
  CHECK(shown("caf\u00e9") == "\"caf\u00e9\"");
  CHECK(shown("\xc3") == R"("\xc3")");
}

TEST_CASE("a bare word is a text or a number or a truth as its field wants it") {
  CHECK(from_line("request id=5 service=true priority=5 absent=true") ==
        Result(Request{.id = "5", .service = "true", .priority = 5, .absent = true}));
}

TEST_CASE("spaces between the parts of a line do not matter") {
  CHECK(from_line("  request   id=r1  service=zip   exclude=[ a   b ] ") ==
        Result(Request{.id = "r1", .service = "zip", .exclude = {"a", "b"}}));
}

TEST_CASE("payload frames stand behind a bar") {
  const Call call{.session = 9, .number = 1};
  const Payload payload{"hello", "two words", "", std::string("\0\xff", 2)};
  const std::string line = to_line(call, payload);
  CHECK(line == R"(call session=9 number=1 | hello "two words" "" "\x00\xff")");
  Payload back{"left over"};
  CHECK(from_line(line, back) == Result(call));
  CHECK(back == payload);
  CHECK(from_line("call session=9 number=1", back) == Result(call));
  CHECK(back.empty());
  CHECK(problem("call session=9 number=1 | hello") ==
        "the line cannot be read: at column 25: expected key=value");
}

TEST_CASE("a mistake in a line is named with its column") {
  CHECK(problem("") == "the line cannot be read: at column 1: a message begins with its op");
  CHECK(problem("request id") == "the line cannot be read: at column 11: expected = after the key");
  CHECK(problem("request id=") == "the line cannot be read: at column 12: the line ends where a value is expected");
  CHECK(problem("request id=\"a").ends_with("the closing quote is missing"));
  CHECK(problem("request id=\"\\q\"").ends_with("only \" \\ n t or x and two digits may come"));
  CHECK(problem("request id=\"\\x4\"").ends_with("only \" \\ n t or x and two digits may come"));
  CHECK(problem("request id=a, service=b").ends_with("at column 13: expected a space after the value"));
  CHECK(problem("request exclude=[a").ends_with("the line ends inside a list or a map"));
  CHECK(problem("open ticket=b64\"*\"").ends_with("b64 is followed by base64 text in quotes"));
  CHECK(problem("open ticket=abc") == "open: field `ticket`: expected 1 to 512 bytes, found abc");
}
