// Texts of all lengths come back as they were, also from one place to another.
#include "broker/core/text.hpp"

#include <doctest/doctest.h>

using namespace pointsman::broker;

namespace {

// Of any bytes, so that none is taken for an end.
std::string bytes(std::size_t size) {
  std::string text;
  while (text.size() < size) text += static_cast<char>(255 - 51 * text.size());
  return text;
}

template <class T>
void comes_back() {
  CHECK(T().str().empty());
  for (std::size_t size = 0; size <= 255; ++size) {
    T first(bytes(size));
    CHECK(first.str() == bytes(size));
    T second(std::move(first));
    CHECK(second.str() == bytes(size));
    T third(bytes(255 - size));
    third = std::move(second);
    CHECK(third.str() == bytes(size));
    second = T(bytes(3));
    CHECK(second.str() == bytes(3));
  }
}

}  // namespace

TEST_CASE("a text is what it was made of") { comes_back<Text>(); }

TEST_CASE("a short text is what it was made of, and no larger than a pointer") {
  comes_back<ShortText>();
  CHECK(sizeof(ShortText) == sizeof(void*));
}
