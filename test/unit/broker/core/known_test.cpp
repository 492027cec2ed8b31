// Shows what a record of the database may say, how it is written, and what counts of it.
#include "broker/core/known.hpp"

#include <doctest/doctest.h>

using namespace pointsman;
using namespace pointsman::broker;

namespace {

Known known(const std::string& line) {
  auto read = parse_known(line);
  if (const auto* fault = std::get_if<KnownFault>(&read)) FAIL(fault->problem << " in " << line);
  return std::get<Known>(std::move(read));
}

std::string problem(const std::string& line) {
  const auto read = parse_known(line);
  const auto* fault = std::get_if<KnownFault>(&read);
  if (!fault) return "none";
  CHECK(!fault->remedy.empty());
  return fault->problem;
}

Attributes attributes(const std::string& text) {
  Attributes all;
  REQUIRE(add_attributes(text, all).empty());
  return all;
}

const std::string key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

}  // namespace

TEST_CASE("a record is a line, and its columns, and the same again") {
  for (const std::string& line :
       {std::string("worker zip-1"), std::string("worker zip-1 tenant=lab offers=zip,img.* : gpu=h200 mem=64G region={eu, us}"),
        std::string(R"(client "a b" tenant="the lab" priority=3 priority_max=5 sessions=10 waiting=5 asks=zip : x="1 \" 2")"),
        "key " + key + " tenant=lab offers=zip", std::string(R"(client "=:" : a=b)"), std::string(R"(worker "12" offers="a b,c*")")}) {
    const Known one = known(line);
    CHECK(to_line(one) == line);
    const auto again = known_of(columns_of(one));
    REQUIRE(std::holds_alternative<Known>(again));
    CHECK(std::get<Known>(again) == one);
  }
  CHECK(known("worker w").says_nothing());
  CHECK(known("worker w priority=0 asks=*").says_nothing());
  CHECK_FALSE(known("client w priority=1").says_nothing());
  CHECK(known("client ann : a=1 b=2").attributes == attributes("b=2 a=1"));
}

TEST_CASE("what is wrong with a record is named, with the remedy") {
  CHECK(problem("") == "\"\" is nothing to know about");
  CHECK(problem("machine m") == "\"machine\" is nothing to know about");
  CHECK(problem("worker") == "\"\" is no name");
  CHECK(problem("worker " + std::string(65, 'x')).ends_with("is no name"));
  CHECK(problem("key alice") == "\"alice\" is no public key");
  CHECK(problem("worker w color=red") == "\"color=red\" is no field of a record");
  CHECK(problem("worker w gpu") == "\"gpu\" is no field of a record");
  CHECK(problem("worker w tenant=a tenant=b") == "tenant is there twice");
  CHECK(problem("worker w priority=1") == "a worker has no use for priority");
  CHECK(problem("client c offers=zip") == "a client has no use for offers");
  CHECK(problem("client c priority=10") == "priority cannot be \"10\"");
  CHECK(problem("client c priority=-1") == "priority cannot be \"-1\"");
  CHECK(problem("client c sessions=many") == "sessions cannot be \"many\"");
  CHECK(problem("client c priority=5 priority_max=3") == "priority is 5, above priority_max");
  CHECK(problem("client c asks=a*b") == "\"a*b\" is no name of services");
  CHECK(problem("client c asks=a,,b") == "\"\" is no name of services");
  CHECK(problem("client c tenant=" + std::string(257, 'x')).starts_with("tenant is longer"));
  CHECK(problem("client c : tenant=lab") == "tenant is not one of the attributes");
  CHECK(problem("client c : in=1").find("is no name of an attribute") != std::string::npos);
  CHECK(problem("client c : a=1 a=2") == "attribute a is there twice");
}

TEST_CASE("what is known goes before what is said, and nobody says whose he is") {
  CHECK_FALSE(counting(attributes("a=1"), nullptr));
  CHECK(counting(attributes("a=1 tenant=x"), nullptr) == attributes("a=1"));
  const Known lab = known("client c tenant=lab priority=2 priority_max=4 : a=9 b=2");
  CHECK(counting(attributes("a=1 c=3 tenant=x"), &lab) == attributes("a=9 b=2 c=3 tenant=lab"));
  CHECK_FALSE(counting(attributes("a=9 b=2 tenant=lab"), &lab));
  const Known plain = known("client c waiting=1");
  CHECK_FALSE(counting(attributes("a=1"), &plain));

  std::string many;
  for (int i = 0; i < 32; ++i) many += " x" + std::to_string(i) + "=1";
  const auto full = counting(attributes(many), &lab);
  REQUIRE(full);
  CHECK(full->size() == limits::attributes);
  CHECK(full->find("tenant"));
  CHECK(full->find("a"));

  CHECK(counting(0, nullptr) == 0);
  CHECK(counting(0, &lab) == 2);
  CHECK(counting(3, &lab) == 3);
  CHECK(counting(9, &lab) == 4);
}
