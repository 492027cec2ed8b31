// Shows which workers a request says that its client is connected to.
#include "clients/core/linked.hpp"

#include "test/unit/clients/core/rig.hpp"

using namespace pointsman;
using namespace pointsman::clients;

namespace {

// Acquires and is granted a session at a worker, as the broker's policy chose.
void session(Rig& rig, std::uint64_t handle, const std::string& worker,
             const std::string& policy = "least-connections") {
  const std::string id = "r" + std::to_string(handle);
  rig.tell(Acquire{.handle = handle, .id = id, .service = "zip"});
  rig.broker("granted id=" + id + " session=" + std::to_string(handle) + " service=zip worker=" + worker +
             " endpoint=tcp://" + worker +
             ":1 ticket=b64\"AAAA\" ttl_ms=5000 term_ms=30000 policy=" + policy);
}

// What the next request says in `linked`, with its key.
std::string linked(Rig& rig, const std::string& service = "zip") {
  static std::uint64_t handle = 1000;
  const auto lines =
      rig.tell(Acquire{.handle = ++handle, .id = "x" + std::to_string(handle), .service = service});
  const std::string& line = lines.at(0);
  rig.tell(CancelAcquire{handle});
  const auto at = line.find(" linked=");
  return at == std::string::npos ? "" : line.substr(at + 1, line.find(']', at) - at);
}

}  // namespace

TEST_CASE(
    "a request names the workers that its client is connected to, the last one first and four at most") {
  Rig rig;
  CHECK(linked(rig).empty());
  session(rig, 1, "a");
  CHECK(linked(rig) == "linked=[a]");
  session(rig, 2, "b");
  CHECK(linked(rig) == "linked=[b a]");
  CHECK(linked(rig, "other").empty());
  session(rig, 3, "a");
  CHECK(linked(rig) == "linked=[a b]");
  session(rig, 4, "c");
  session(rig, 5, "d");
  session(rig, 6, "e");
  CHECK(linked(rig) == "linked=[e d c a]");
}

TEST_CASE("no worker is named to a policy that takes no notice") {
  Rig rig;
  session(rig, 1, "a", "weighted-round-robin");
  CHECK(linked(rig).empty());
  session(rig, 2, "b", "least-busy");
  CHECK(linked(rig) == "linked=[b]");
  session(rig, 3, "c", "two-choices");  // it was changed
  CHECK(linked(rig).empty());
}

TEST_CASE("a worker whose connection is closed or broken is not named") {
  Rig rig({.name = "ann", .link_idle = std::chrono::seconds(1)});
  session(rig, 1, "a");
  session(rig, 2, "b");
  rig.tell(Gone{Door::direct, 2});
  CHECK(linked(rig) == "linked=[a]");
  rig.tell(ReleaseSession{1});
  rig.broker("released session=1");
  CHECK(linked(rig) == "linked=[a]");
  rig.pass(std::chrono::seconds(2));
  CHECK(linked(rig).empty());
}

TEST_CASE("workers of one broker are not named to another") {
  Rig rig;
  rig.tell(BrokersAre{{0, 1}});
  const bool first =
      rig.tell(Acquire{.handle = 1, .id = "r1", .service = "zip"}).at(0).starts_with("broker <");
  rig.broker(
      "granted id=r1 session=7 service=zip worker=a endpoint=tcp://a:1 ticket=b64\"AAAA\" policy=least-busy",
      first ? 0 : 1);
  const auto other = rig.tell(Acquire{.handle = 2, .id = "r2", .service = "zip"});
  const auto same = rig.tell(Acquire{.handle = 3, .id = "r3", .service = "zip"});
  CHECK(other.at(0).find("linked") == std::string::npos);
  CHECK(same.at(0).find("linked=[a]") != std::string::npos);
}

TEST_CASE("a client may be told to name none, and one with too many services begins anew") {
  Rig none({.name = "ann", .linked_max = 0});
  session(none, 1, "a");
  CHECK(linked(none).empty());
  Links links({});
  Actions out;
  const std::uint64_t link = links.take("tcp://a:1", "", {Holder::Kind::session, 1}, Instant{}, out);
  Linked few({.linked_services_max = 2});
  few.given(0, "p", "a", link);
  few.given(0, "q", "a", link);
  few.given(0, "q", "a", link);
  CHECK(few.names(0, "p", links).size() == 1);
  few.given(0, "r", "a", link);
  CHECK(few.names(0, "p", links).empty());
  CHECK(few.names(0, "r", links).size() == 1);
  few.check();
}
