// Shows a trace line: who, which way, what.
#include "protocol/trace.hpp"

#include <doctest/doctest.h>

using namespace pointsman;

TEST_CASE("a trace line says who and which way and what") {
  const Naming naming = [](const Address& address) { return "c" + std::to_string(address.peer); };
  CHECK(trace_line(Received{.from = {.peer = 2}, .message = Probe{.lease = 5}}, naming) == "c2 > probe lease=5");
  CHECK(trace_line(Send{.to = {.peer = 3}, .message = Reply{.session = 1, .number = 2}, .payload = {"x y"}}, naming) ==
        "c3 < reply session=1 number=2 | \"x y\"");
}
