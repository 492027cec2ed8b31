// Shows that the vocabulary is sound: every op once, every word once.
#include "protocol/messages.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace pointsman;

namespace {
template <class... Ms>
std::set<std::string_view> ops(const std::variant<Ms...>*) {
  return {Ms::op...};
}
}  // namespace

TEST_CASE("no two messages have the same op") {
  CHECK(ops(static_cast<const Message*>(nullptr)).size() == std::variant_size_v<AnyMessage>);
}

TEST_CASE("no two codes have the same word") {
  const std::set<std::string_view> words(Words<Code>::list.begin(), Words<Code>::list.end());
  CHECK(words.size() == Words<Code>::list.size());
  CHECK(!words.contains(""));
}
