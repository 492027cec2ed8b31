// Shows which durations are understood.
#include "clients/program/duration.hpp"

#include <doctest/doctest.h>

using namespace pointsman;
using namespace pointsman::program;

TEST_CASE("program: durations are read with their units") {
  CHECK(parse_duration("250ms") == Milliseconds(250));
  CHECK(parse_duration("5s") == Milliseconds(5000));
  CHECK(parse_duration("1.5s") == Milliseconds(1500));
  CHECK(parse_duration("0.3s") == Milliseconds(300));
  CHECK(parse_duration("2m") == Milliseconds(120'000));
  CHECK(parse_duration("1h") == Milliseconds(3'600'000));
  CHECK(parse_duration("366d") == Milliseconds(limits::year_ms));
  CHECK(parse_duration("0") == Milliseconds(0));
  CHECK(parse_duration("forever") == forever);
}

TEST_CASE("program: what is no duration is not taken for one") {
  for (const char* text : {"", "5", "s", "-5s", "5 s", "5sec", "1.s", ".5s", "1.2345s", "367d", "99999999999d", "999999999999ms", "5s "}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text).has_value());
  }
}

TEST_CASE("program: an exact duration is read back as itself") {
  for (const std::int64_t ms : std::initializer_list<std::int64_t>{
           -1, 0, 1, 999, 1000, 1500, 60'000, 61'000, 3'600'000, 86'400'000, 90'000'000, 19'999'127'900}) {
    CHECK(parse_duration(exact(Milliseconds(ms))) == Milliseconds(ms));
  }
  CHECK(exact(Milliseconds(90'000)) == "90s");
  CHECK(exact(Milliseconds(1500)) == "1500ms");
}

TEST_CASE("program: a rough duration has two figures") {
  CHECK(rough(Milliseconds(0)) == "-");
  CHECK(rough(Milliseconds(999)) == "999ms");
  CHECK(rough(Milliseconds(3250)) == "3.2s");
  CHECK(rough(Milliseconds(42'900)) == "42s");
  CHECK(rough(Milliseconds(250'000)) == "4m10s");
  CHECK(rough(Milliseconds(7'500'000)) == "2h05m");
  CHECK(rough(Milliseconds(273'600'000)) == "3d04h");
  CHECK(rough(forever) == "forever");
}

TEST_CASE("program: sizes are bytes or powers of 1024") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("512") == 512);
  CHECK(parse_size("64K") == 65536);
  CHECK(parse_size("16M") == 16 * 1024 * 1024);
  CHECK(parse_size("2G") == 2147483648);
  for (const char* text : {"", "M", "1.5M", "16MB", "-1", "16 M"}) CHECK_FALSE(parse_size(text).has_value());
}
