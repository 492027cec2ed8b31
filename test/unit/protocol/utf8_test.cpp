// Shows which bytes are UTF-8, and that what is cut off or repaired still is.
#include "protocol/utf8.hpp"

#include <doctest/doctest.h>

#include "protocol/base64.hpp"

using namespace pointsman;

TEST_CASE("only well-formed sequences are UTF-8") {
  for (const std::string_view good : {"", "a", "\u00e9", "\u20ac", "\U0001F600", "\ud7ff", "\U0010FFFF"}) {
    CHECK(is_utf8(good));
  }
  for (const std::string_view bad : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                     "\xf5\x80\x80\x80", "\xe2\x82", "a\xff"}) {
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("text that is cut to fit is cut between characters") {
  CHECK(fit("abc", 2) == "ab");
  CHECK(fit("a\u20ac", 3) == "a");
  CHECK(fit("a\u20ac", 4) == "a\u20ac");
  CHECK(fit_end("\u20ac" "a", 3) == "a");
  CHECK(fit_end("abc", 2) == "bc");
  for (std::size_t max = 0; max < 12; ++max) {
    CHECK(fit("\xff\u20ac\xff\u00e9", max).size() <= max);
    CHECK(is_utf8(fit("\xff\u20ac\xff\u00e9", max)));
    CHECK(fit_end("\xff\u20ac\xff\u00e9", max).size() <= max);
    CHECK(is_utf8(fit_end("\xff\u20ac\xff\u00e9", max)));
  }
}

TEST_CASE("base64 comes back with and without its padding") {
  for (const std::string_view text : {"", "a", "ab", "abc", "abcd"}) {
    CHECK(from_base64(to_base64(text)) == text);
  }
  CHECK(to_base64("ab") == "YWI=");
  CHECK(from_base64("YWI") == "ab");
  CHECK_FALSE(from_base64("YW I").has_value());
  CHECK_FALSE(from_base64("YW-_").has_value());
  CHECK_FALSE(from_base64("Y").has_value());
}
