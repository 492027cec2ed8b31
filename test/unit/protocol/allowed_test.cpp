// Shows that the file of allowed keys is read as it is written, and that what is wrong is told with its line.
#include "protocol/allowed.hpp"

#include <doctest/doctest.h>

using namespace pointsman;

namespace {

constexpr std::string_view key_a = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
constexpr std::string_view key_b = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

AllowedKeys good(std::string_view text) {
  auto read = parse_allowed(text);
  const auto* fault = std::get_if<AllowedFault>(&read);
  if (fault) MESSAGE(fault->line << ": " << fault->problem << "; " << fault->remedy);
  REQUIRE_FALSE(fault);
  return std::get<AllowedKeys>(std::move(read));
}

// "LINE: PROBLEM"
std::string wrong(std::string_view text) {
  auto read = parse_allowed(text);
  const auto* fault = std::get_if<AllowedFault>(&read);
  if (!fault) return "nothing";
  CHECK_FALSE(fault->remedy.empty());
  return std::to_string(fault->line) + ": " + fault->problem;
}

std::string line_with(std::string_view fields) {
  return "alice " + std::string(key_a) + " client " + std::string(fields);
}

}  // namespace

TEST_CASE("an allowed key has a name, roles, services, an end and quotas") {
  const auto keys =
      good("# the house\n\n  alice\t" + std::string(key_a) +
           " client,admin asks=zip,img.* offers=x until=2027-01-31 sessions=10 waiting=5 workers=2 "
           "connections=3 rate=50 burst=100\r\nbob " +
           std::string(key_b) + " worker");
  REQUIRE(keys.list().size() == 2);
  const Allowance* alice = keys.find(*key_from_z85(key_a));
  REQUIRE(alice);
  CHECK(alice->name == "alice");
  CHECK(alice->roles == Roles{Role::client, Role::admin});
  CHECK(may_ask(*alice, "zip"));
  CHECK(may_ask(*alice, "img.png"));
  CHECK_FALSE(may_ask(*alice, "zipper"));
  CHECK_FALSE(may_ask(*alice, "img"));
  CHECK(may_offer(*alice, "x"));
  CHECK_FALSE(may_offer(*alice, "zip"));
  CHECK(alice->until == 1801440000);
  CHECK(alice->sessions == 10);
  CHECK(alice->waiting == 5);
  CHECK(alice->workers == 2);
  CHECK(alice->connections == 3);
  CHECK(alice->rate == 50);
  CHECK(alice->burst == 100);
  const Allowance* bob = keys.find("bob");
  REQUIRE(bob);
  CHECK(may_offer(*bob, "anything"));
  CHECK(bob->roles == Roles{Role::worker});
  CHECK(bob->until == 0);
  CHECK(keys.find(PublicKey{}) == nullptr);
}

TEST_CASE("a rate without a burst allows a burst of one second") {
  CHECK(good(line_with("rate=7")).list().front().burst == 7);
}

TEST_CASE("what is wrong in the file is told with its line, and nothing is taken") {
  const std::string ok = "bob " + std::string(key_b) + " worker\n";
  CHECK(wrong(ok + "alice") == "2: a key needs a name, its text and its roles");
  CHECK(wrong(ok + "alice key client") == "2: 'key' is no public key");
  CHECK(wrong(ok + "# x\n\n-x " + std::string(key_a) + " client") == "4: '-x' is no name");
  CHECK(wrong("alice " + std::string(key_a) + " client,boss") == "1: 'boss' is no role");
  CHECK(wrong("alice " + std::string(key_a) + " ,") == "1: there is no role");
  CHECK(wrong(line_with("colour=red")) == "1: there is no field 'colour'");
  CHECK(wrong(line_with("sessions=many")) == "1: 'many' is no number for sessions");
  CHECK(wrong(line_with("sessions=-1")) == "1: '-1' is no number for sessions");
  CHECK(wrong(line_with("sessions=1000001")) == "1: '1000001' is no number for sessions");
  CHECK(wrong(line_with("sessions=")) == "1: 'sessions=' has no value");
  CHECK(wrong(line_with("sessions")) == "1: 'sessions' has no value");
  CHECK(wrong(line_with("rate=1 rate=2")) == "1: 'rate' is there twice");
  CHECK(wrong(line_with("burst=5")) == "1: there is a burst, but no rate");
  CHECK(wrong(line_with("until=2027-02-29")) == "1: '2027-02-29' is no day");
  CHECK(wrong(line_with("asks=a*b")) == "1: 'a*b' is no name of services");
  CHECK(wrong(line_with("asks=,")) == "1: there are 0 names of services");
  CHECK(wrong(line_with("") + "\nbob " + std::string(key_a) + " worker") ==
        "2: the key is in line 1 already");
  CHECK(wrong(line_with("") + "\nalice " + std::string(key_b) + " worker") ==
        "2: the name 'alice' is in line 1 already");
  CHECK(wrong(std::string(5000, '#')) == "1: the line is longer than 4096 bytes");
  CHECK(wrong("") == "nothing");
}

TEST_CASE("a line is read back as it was written") {
  for (const std::string fields :
       {"", "asks=a,b* offers=c",
        "until=2030-12-31 sessions=1 waiting=2 workers=3 connections=4 rate=5 burst=6",
        "until=2030-12-31T01:02:03Z rate=9", "revoked"}) {
    const auto keys = good(line_with(fields));
    CHECK(good(to_line(keys.list().front())) == keys);
    CHECK(to_line(keys.list().front()) ==
          line_with(fields).substr(0, line_with(fields).find_last_not_of(' ') + 1));
  }
}

TEST_CASE("a key is replaced where it stands, and the rest of the file stays as it is") {
  const std::string before =
      "# one\nalice  " + std::string(key_a) + "   client\n\n# two\nbob " + std::string(key_b) + " worker";
  Allowance alice = *good(before).find("alice");
  alice.standing = Standing::revoked;
  const std::string after = with_allowance(before, alice);
  CHECK(after == "# one\nalice " + std::string(key_a) + " client revoked\n\n# two\nbob " +
                     std::string(key_b) + " worker\n");
  Allowance carol{.key = {}, .name = "carol", .roles = {Role::client}};
  carol.key.bytes[0] = 1;
  CHECK(with_allowance("", carol) == to_line(carol) + "\n");
  CHECK(good(with_allowance(after, carol)).list().size() == 3);
}

TEST_CASE("keys expire when their last day is over") {
  const auto keys = good(line_with("until=2027-01-31"));
  CHECK(keys.next_end(0) == 1801440000);
  CHECK(keys.at(1801439999).list().front().standing == Standing::good);
  CHECK(keys.at(1801440000).list().front().standing == Standing::expired);
  CHECK(keys.next_end(1801440000) == 0);
  const auto revoked = good(line_with("until=2027-01-31 revoked"));
  CHECK(revoked.at(1801440000).list().front().standing == Standing::revoked);
  CHECK(revoked.next_end(0) == 0);
}

TEST_CASE("moments are those of the calendar") {
  CHECK(moment_of("1971-01-01T00:00:01Z") == 365 * 86400 + 1);
  CHECK(moment_of("2000-02-29T12:00:00Z") == 951825600);
  CHECK(moment_of("2100-02-29") == 0);
  CHECK(moment_of("2027-13-01") == 0);
  CHECK(moment_of("2027-01-00") == 0);
  CHECK(moment_of("2027-1-001") == 0);
  CHECK(moment_of("2027-01-01T24:00:00Z") == 0);
  CHECK(moment_of("2027-01-01 12:00:00Z") == 0);
  CHECK(moment_of("tomorrow") == 0);
  for (const std::string_view text :
       {"2027-01-31", "2028-02-29", "1999-12-31", "2027-01-31T12:00:00Z", "2400-03-01"}) {
    CHECK(to_moment(moment_of(text)) == text);
  }
}
