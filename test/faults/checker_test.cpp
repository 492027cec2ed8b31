// Shows that every check of the checker can fail: a good history passes, and each small change to it is found.

#include "test/faults/checker.hpp"

#include <doctest/doctest.h>

using namespace pointsman::faults;

namespace {

// A client, a worker, a request, a call: times in microseconds.
const char* const good = R"(
1000000 ground terms lease_ms=1000 margin_ms=3000
1000000 ground starting of=broker
1200000 ground ready of=broker
1300000 w1 started instance=a slots=1
1300100 w1 enrolling attempt=1
1301000 w1 enrolled lease=7 term_ms=1000 attempt=1
1301500 ground watch number=1 kind=registered service=echo worker=w1
1400000 c1 asked ask=1 service=echo wait_ms=5000
1400100 ground watch number=2 kind=granted service=echo worker=w1 client=c1 id=r1 session=50
1400200 c1 granted ask=1 id=r1 session=50 worker=w1
1400300 c1 called session=50 number=1
1400400 w1 opened session=50 client=c1
1400500 w1 served session=50 number=1
1400600 c1 answered session=50 number=1
1500000 w1 beat lease=7 beat=1
1501000 w1 heard lease=7 beat=1
1600000 c1 released session=50
1600100 w1 closed session=50 ending=released
1600200 ground watch number=3 kind=closed service=echo worker=w1 session=50
1700000 ground calm
2500000 ground listed worker=w1 open= reserved=
2600000 ground rss of=broker bytes=1000 bound=2000
)";

Verdict with(const std::string& more) { return check(read_history(good + more)); }

std::string without(const std::string& line) {
  std::string all = good;
  const auto at = all.find(line);
  REQUIRE(at != std::string::npos);
  return all.erase(at, all.find('\n', at) - at);
}

std::string instead(const std::string& old, const std::string& line) {
  std::string all = good;
  const auto at = all.find(old);
  REQUIRE(at != std::string::npos);
  return all.replace(at, old.size(), line);
}

Verdict of(const std::string& all) { return check(read_history(all)); }

}  // namespace

TEST_CASE("a history in which nothing is wrong has no violation and is counted") {
  const Verdict verdict = with("");
  for (const auto& violation : verdict.violations) FAIL_CHECK(violation.rule << " " << violation.what);
  CHECK(verdict.tally.asked == 1);
  CHECK(verdict.tally.granted == 1);
  CHECK(verdict.tally.opened == 1);
  CHECK(verdict.tally.served == 1);
  CHECK(verdict.tally.answered == 1);
  CHECK(verdict.tally.grants_seen == 1);
  CHECK(verdict.tally.compared == 1);
}

TEST_CASE("the checker finds a request without or with two outcomes or a late one") {
  CHECK(with("1400000 c1 asked ask=2 wait_ms=5000\n").broke("R1"));
  CHECK(with("1400000 c1 asked ask=2 wait_ms=5000\n").tally.lost == 1);
  CHECK_FALSE(with("1400000 c1 asked ask=2 wait_ms=5000\n1500000 ground killed of=c1\n").broke("R1"));
  CHECK(with("1300000 ground killed of=c1\n1400000 c1 asked ask=2 wait_ms=5000\n").broke("R1"));
  CHECK(with("1500000 c1 refused ask=1 code=timed-out\n").broke("R1"));
  CHECK(with("1500000 c1 refused ask=9 code=timed-out\n").broke("R1"));
  CHECK(with("1500000 c1 asked ask=1 wait_ms=5000\n").broke("R1"));
  const std::string late = "1400000 c1 asked ask=2 wait_ms=500\n4950000 c1 refused ask=2 code=timed-out\n";
  CHECK(with(late).broke("R1"));
  CHECK_FALSE(with(late + "2000000 ground stopped of=c1\n3100000 ground continued of=c1\n").broke("R1"));
}

TEST_CASE("the checker finds an id that is served by two sessions") {
  const std::string second =
      "1650000 ground watch number=4 kind=granted service=echo worker=w1 client=c1 id=r1 session=51\n";
  CHECK_FALSE(with(second).broke("R1"));
  CHECK(with(second + "1650100 w1 opened session=51 client=c1\n").broke("R1"));
}

TEST_CASE("the checker finds a grant to a worker that is not in standing or full") {
  const std::string grant =
      "1700000 ground watch number=9 kind=granted service=echo worker=w1 client=c1 id=r2 session=60\n";
  CHECK_FALSE(with(grant).broke("R2"));
  for (const char* kind : {"suspected", "expired", "left", "draining"}) {
    const std::string out = std::string("1650000 ground watch number=8 kind=") + kind + " worker=w1\n";
    CHECK(with(out + grant).broke("R2"));
    CHECK_FALSE(with(out + "1660000 ground watch number=8 kind=restored worker=w1\n" + grant).broke("R2"));
    CHECK_FALSE(with(out + "1660000 ground gap missed=0\n" + grant).broke("R2"));
  }
  const std::string early =
      "1500000 ground watch number=9 kind=granted service=echo worker=w1 client=c1 id=r2 session=60\n";
  CHECK(with(early).broke("R2"));
}

TEST_CASE("the checker finds a session that is opened twice or by another or nowhere granted") {
  CHECK(with("1500000 w2 started slots=1\n1550000 w2 opened session=50 client=c1\n").broke("R3"));
  CHECK(with("1550000 w1 opened session=50 client=c2\n").tally.opened_twice == 1);
  CHECK(of(instead("opened session=50 client=c1", "opened session=50 client=c2")).broke("R3"));
  CHECK(of(instead("1400400 w1 opened", "1400400 w2 opened")).broke("R3"));
  CHECK(with("1650000 w1 opened session=99 client=c1\n").broke("R3"));
  CHECK_FALSE(with("1000000 ground gap missed=0\n1650000 w1 opened session=99 client=c1\n").broke("R3"));
}

TEST_CASE("the checker finds a worker with more sessions than slots and a call that is served twice") {
  const std::string second =
      "1500000 ground watch number=9 kind=granted service=echo worker=w1 client=c1 id=r2 session=60\n"
      "1500100 w1 opened session=60 client=c1\n";
  CHECK(with(second).broke("R3"));
  CHECK(of(instead("slots=1", "slots=2") + second).broke("R3") == false);
  CHECK(with("1500000 w1 served session=50 number=1\n").broke("R3"));
  CHECK(with("1500000 w1 served session=77 number=1\n").broke("R3"));
}

TEST_CASE("the checker finds counts that differ two renewals after the last fault") {
  const std::string open = "1750000 w1 opened session=50 client=c1\n";
  CHECK(of(instead("open= ", "open=50 ")).broke("R4"));
  CHECK(of(instead("open= ", "open=77 ")).broke("R4"));
  CHECK(of(without("1600100 w1 closed")).broke("R4"));
  CHECK_FALSE(of(without("1600100 w1 closed") + "2000000 ground stopped of=w1\n").broke("R4"));
  CHECK_FALSE(of(without("1700000 ground calm")).broke("R4"));
  CHECK(of(without("1700000 ground calm")).tally.compared == 0);
}

TEST_CASE("the checker finds a lease that is cut short and one that outlives its term") {
  const std::string cut = " ground watch number=9 kind=suspected worker=w1 detail=its_lease_ran_out_without_a_heartbeat\n";
  CHECK(with("2450000" + cut).broke("R5"));
  CHECK_FALSE(with("2550000" + cut).broke("R5"));
  const std::string again = "1650000 ground watch number=9 kind=granted service=echo worker=w1 client=c1 id=r2 session=60\n";
  CHECK(with(again + "2600000 w1 opened session=60 client=c1\n").broke("R5"));
  CHECK_FALSE(with(again + "2400000 w1 opened session=60 client=c1\n").broke("R5"));
}

TEST_CASE("the checker finds a request that is granted before an older one") {
  const std::string queue =
      "1650000 ground watch number=10 kind=queued service=echo client=c1 id=a\n"
      "1650001 ground watch number=11 kind=queued service=echo client=c2 id=b\n";
  const std::string b = " ground watch number=12 kind=granted service=echo worker=w2 client=c2 id=b session=61\n";
  const std::string a = " ground watch number=13 kind=granted service=echo worker=w3 client=c1 id=a session=62\n";
  CHECK(with(queue + "1650002" + b + "1650003" + a).broke("R6"));
  CHECK_FALSE(with(queue + "1650002" + a + "1650003" + b).broke("R6"));
  CHECK_FALSE(with("1000001 c2 asked ask=1 wait_ms=1 priority=3\n" + queue + "1650002" + b + "1650003" + a).broke("R6") );
}

TEST_CASE("the checker finds a broker that is too large or too slow to come back") {
  CHECK(with("2700000 ground rss of=broker bytes=2001 bound=2000\n").broke("R8"));
  CHECK(of(instead("1200000 ground ready", "2200000 ground ready")).broke("R9"));
}

TEST_CASE("the checker finds a session that breaks though no fault touched it") {
  const std::string failed = "1550000 c1 failed session=50 number=2 code=unreachable\n";
  CHECK(with(failed).broke("R9"));
  CHECK(with("1540000 ground killed of=broker\n" + failed).broke("R9"));
  CHECK(with("1540000 ground fault of=w1-broker kind=cut\n" + failed).broke("R9"));
  CHECK_FALSE(with("1540000 ground killed of=w1\n" + failed).broke("R9"));
  CHECK_FALSE(with("1540000 ground fault of=w1-c1 kind=cut\n" + failed).broke("R9"));
  CHECK_FALSE(with("1540000 ground fault of=c1 kind=cut\n1545000 ground healed of=c1\n" + failed).broke("R9"));
  CHECK(of(instead("answered session=50 number=1", "answered session=50 number=1 wrong=1")).broke("R9"));
}

TEST_CASE("a line that was cut off by a kill is left out") {
  Entry entry;
  CHECK(parse("12 c1 asked ask=1", entry));
  CHECK(entry.number("ask") == 1);
  CHECK_FALSE(parse("12 c1", entry));
  CHECK_FALSE(parse("12 c1 asked as", entry));
  CHECK(without_blanks("a b\tc") == "a_b_c");
}
