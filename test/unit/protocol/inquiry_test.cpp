// Shows what an answer is good for: which endpoints lead anywhere from where it was heard, and by which address it came.
#include "protocol/finder/inquiry.hpp"

#include <doctest/doctest.h>

using namespace pointsman;
using namespace pointsman::finder;

namespace {

const NetAddress four{
    .interface = "eth0", .index = 2, .address = "10.0.0.5", .six = false, .loopback = false};
const NetAddress six{.interface = "eth0", .index = 2, .address = "fe80::5", .six = true, .loopback = false};
const NetAddress home{.interface = "lo", .index = 1, .address = "127.0.0.1", .six = false, .loopback = true};

std::string seen(const std::string& told, const std::string& from, const NetAddress& at) {
  return as_seen(told, {.answer = {}, .from = from, .at = at, .problem = {}});
}

}  // namespace

TEST_CASE("the address that an answer came from is another way to a broker that tells a different one") {
  CHECK(seen("tcp://172.17.0.2:5570", "10.0.0.1", four) == "tcp://10.0.0.1:5570");
  CHECK(seen("tcp://10.0.0.1:5570", "10.0.0.1", four) == "");
  CHECK(seen("tcp://10.0.0.1:5570", "fe80::1", six) == "tcp://[fe80::1%eth0]:5570");
  CHECK(seen("tcp://[fe80::1%eth0]:5570", "fe80::1", six) == "");
  CHECK(seen("tcp://127.0.0.1:5570", "127.0.0.1", home) == "");
  CHECK(seen("ipc:///run/c", "127.0.0.1", home) == "");
}

TEST_CASE("what is answered is an endpoint, and a path only on the same machine") {
  CHECK(may_lead_to("tcp://10.0.0.1:5570", four));
  CHECK(may_lead_to("tcp://[fe80::1%eth0]:5570", six));
  CHECK(may_lead_to("ipc:///run/c", home));
  CHECK_FALSE(may_lead_to("ipc:///run/c", four));
  for (const char* text : {"", "tcp://10.0.0.1", "inproc://x", "file:/etc/passwd", "auto", "dns:a",
                           "tcp://a:1,tcp://b:1", "tcp://a:1 Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"}) {
    CHECK_FALSE_MESSAGE(may_lead_to(text, home), text);
  }
}

TEST_CASE("a trace says by interface what was asked, what was heard, and why it does not count") {
  CHECK(asked_at({four, ""}) == "eth0 10.0.0.5: asked");
  CHECK(asked_at({four, "Network is unreachable"}) == "eth0 10.0.0.5: cannot ask: Network is unreachable");
  CHECK(asked_at({{}, "3 more, beyond 64 interfaces"}) == "not asked: 3 more, beyond 64 interfaces");
  Answered answered{.answer = {}, .from = "10.0.0.1", .at = four, .problem = {}};
  answered.answer.broker = "b";
  answered.answer.group = "lab";
  answered.answer.clients = "tcp://172.17.0.2:5570";
  CHECK(
      heard_at(answered, "") ==
      "eth0 10.0.0.5: heard 10.0.0.1 (b of the group lab): clients tcp://172.17.0.2:5570, or as it was seen "
      "tcp://10.0.0.1:5570, workers -");
  answered.answer.clients = "tcp://10.0.0.1:5570";
  CHECK(heard_at(answered, "it encrypts").ends_with("tcp://10.0.0.1:5570, workers -, not used: it encrypts"));
  answered.problem = "it is of another group";
  CHECK(heard_at(answered, *answered.problem) ==
        "eth0 10.0.0.5: heard 10.0.0.1, not believed: it is of another group");
}

TEST_CASE("a broker is known by its name and its start") {
  CHECK(identity({.broker = "b", .epoch = 7}) == "b 7");
}
