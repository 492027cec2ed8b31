// Shows the table of every kind of row.
#include "clients/program/listing.hpp"

#include <doctest/doctest.h>

#include "clients/program/help.hpp"

using namespace pointsman;
using namespace pointsman::program;

namespace {

std::string shown(const Listing& listing) { return table_of(listing).text(Screen{}); }

}  // namespace

TEST_CASE("program: every kind of row has its table") {
  CHECK(shown({.of = Subject::services,
               .services = {{.service = "zip", .workers = 2, .slots = 4, .used = 3, .granted = 10}}}) ==
        "SERVICE  POLICY                WORKERS  USED  WAITING  OLDEST  EXPECTED  GRANTED  REFUSED\n"
        "zip      weighted-round-robin        2   3/4        0       -         -       10        0\n");
  CHECK(shown({.of = Subject::workers,
               .workers = {{.worker = "zip-1",
                            .services = {"zip", "unzip"},
                            .state = State::suspect,
                            .why = "silent",
                            .slots = 2,
                            .weight = 1,
                            .lease_ms = Milliseconds(10'000),
                            .left_ms = Milliseconds(0),
                            .endpoint = "tcp://127.0.0.1:1",
                            .age_ms = Milliseconds(61'000)},
                           {.worker = "zip-2", .slots = 1, .lease_ms = forever, .left_ms = forever}}}) ==
        "WORKER  STATE    SERVICES   USED  WEIGHT     LEASE    AGE  GRANTED  DONE  ENDPOINT           WHY\n"
        "zip-1   suspect  zip,unzip   0/2       1  - of 10s  1m01s        0     0  tcp://127.0.0.1:1  silent\n"
        "zip-2   alive                0/1       0   forever      -        0     0\n");
  CHECK(shown({.of = Subject::sessions,
               .sessions = {{.session = 7, .service = "zip", .worker = "w", .client = "c", .id = "r"}}}) ==
        "SESSION  SERVICE  WORKER  STATE     AGE  CLIENT  REQUEST\n"
        "7        zip      w       reserved    -  c       r\n");
  CHECK(shown({.of = Subject::waiting,
               .waiting = {{.id = "r", .client = "c", .service = "zip", .priority = 9, .position = 1}}}) ==
        "SERVICE  POSITION  PRIORITY  WAITED  LEFT  CLIENT  REQUEST\n"
        "zip             1         9       -     -  c       r\n");
}

TEST_CASE("program: every topic of the help has a text") {
  for (const auto name : help_topics()) CHECK(help_topic(name).value_or("").size() > 100);
  CHECK_FALSE(help_topic("nothing").has_value());
}
