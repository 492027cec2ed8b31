// The figures of the runs with faults: how soon, how many lost. `pointsman_faults_figures [--repeat N] [--json]` prints
// a table, or JSON; scripts/faults runs it. It judges nothing but what must be 0: then its exit code is 1.

#define DOCTEST_CONFIG_IMPLEMENT
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <optional>
#include <set>

#include "clients/client.hpp"
#include "test/faults/ground.hpp"

using namespace pointsman;
using namespace pointsman::faults;
using namespace std::chrono_literals;

namespace {

struct Figure {
  std::string name;
  std::string goal;
  std::vector<double> values;  // milliseconds, or counts
};

int repeat = 5;
std::vector<Figure> figures;
Tally total;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}
double largest(const std::vector<double>& values) { return values.empty() ? 0 : *std::max_element(values.begin(), values.end()); }

void add(const Tally& tally) {
  total.asked += tally.asked;
  total.lost += tally.lost;
  total.opened += tally.opened;
  total.opened_twice += tally.opened_twice;
  total.broken += tally.broken;
  total.faults += tally.faults;
}

// When the ground wrote these about a party.
std::vector<std::int64_t> times(const History& history, const std::string& what, const std::string& of) {
  std::vector<std::int64_t> all;
  for (const Entry& entry : history) {
    if (entry.who == "ground" && entry.what == what && entry.text("of") == of) all.push_back(entry.at);
  }
  return all;
}

double ms(std::int64_t from, std::int64_t to) { return static_cast<double>(to - from) / 1000; }

// The newest grant of a dead worker, after its death: 0 if there was none.
Figure killed_worker(const std::string& name, const std::vector<std::string>& load) {
  Ground ground;
  ground.start_watch();
  ground.start_worker("w1", {"slots=2", "work_ms=5"});
  ground.start_worker("w2", {"slots=2", "work_ms=5"});
  ground.start_client("c1", load);
  REQUIRE(ground.granted("c1", 5));
  for (int i = 0; i < repeat; ++i) {
    ground.kill("w1");
    last(ground.lease() * 13 / 10);
    ground.start_worker("w1", {"slots=2", "work_ms=5"});
    REQUIRE(ground.granted("c1", 5));
  }
  add(ground.prove());
  const History history = read_histories(ground.folder());
  Figure figure{name, "1.2 terms + 100 ms = 1300 ms", {}};
  for (const auto death : times(history, "killed", "w1")) {
    std::int64_t newest = death;
    for (const Entry& entry : history) {
      if (entry.at > death && entry.who == "w1" && entry.what == "started") break;
      if (entry.at > death && entry.text("kind") == "granted" && entry.text("worker") == "w1") newest = entry.at;
    }
    figure.values.push_back(ms(death, newest));
  }
  return figure;
}

// From the death of the broker to the first grant of the next one; and from when that listens.
void killed_broker() {
  Ground ground;
  ground.start_watch();
  ground.start_worker("w1", {"slots=2", "work_ms=5"});
  ground.start_worker("w2", {"slots=2", "work_ms=5"});
  ground.start_client("c1", {"threads=8", "calls=1"});
  ground.start_client("holder", {"threads=1", "hold=1", "pause_ms=20"});
  for (int i = 0; i < repeat; ++i) {
    REQUIRE(ground.granted("c1", 20));
    ground.kill("broker");
    ground.start_broker();
    REQUIRE(ground.granted("c1", 5));
  }
  add(ground.prove());
  const History history = read_histories(ground.folder());
  Figure whole{"broker killed, restarted at once, to first new grant", "1500 ms", {}};
  Figure part{"broker started to listening", "1000 ms", {}};
  const auto deaths = times(history, "killed", "broker");
  auto starts = times(history, "starting", "broker");
  auto readies = times(history, "ready", "broker");
  for (std::size_t i = 0; i < deaths.size(); ++i) {
    part.values.push_back(ms(starts.at(i + 1), readies.at(i + 1)));
    std::uint64_t before = 0;  // numbers of sessions count up from the broker's start, in microseconds
    for (const Entry& entry : history) {
      if (entry.what != "granted") continue;
      if (entry.at < deaths[i]) before = std::max(before, entry.number("session"));
      else if (entry.number("session") > before + 1000) {
        whole.values.push_back(ms(deaths[i], entry.at));
        break;
      }
    }
  }
  figures.push_back(std::move(part));
  figures.push_back(std::move(whole));
}

// After a broker's death, until the new one lists what the workers hold.
void counts_equal() {
  Ground ground;
  for (int i = 1; i <= 4; ++i) ground.start_worker("w" + std::to_string(i), {"slots=2", "work_ms=5"});
  ground.start_client("holder", {"threads=4", "hold=1", "pause_ms=20"});
  const auto held = [&] {
    std::set<std::uint64_t> open;
    for (const Entry& entry : read_histories(ground.folder())) {
      if (entry.what == "opened") open.insert(entry.number("session"));
      if (entry.what == "closed") open.erase(entry.number("session"));
    }
    return open;
  };
  REQUIRE(eventually([&] { return held().size() == 4; }));
  const auto expected = held();
  const auto listed = [&](Client& client) {
    std::set<std::uint64_t> open;
    try {
      for (const auto& row : std::get<Listing>(client.ask(List{.of = Subject::sessions})).sessions) {
        if (row.state == State::open) open.insert(row.session);
      }
    } catch (const Error&) {  // not there yet
    }
    return open;
  };
  Figure figure{"last fault (broker killed) to equal counts", "2 renewals = 667 ms", {}};
  for (int i = 0; i < repeat; ++i) {
    Client client({.broker = ground.clients()});
    REQUIRE(eventually([&] { return listed(client) == expected; }));
    ground.kill("broker");
    ground.start_broker();
    const auto start = clock_us();
    Client fresh({.broker = ground.clients()});
    REQUIRE(eventually([&] { return listed(fresh) == expected; }));
    figure.values.push_back(ms(start, clock_us()));
  }
  add(ground.prove());
  figures.push_back(std::move(figure));
}

TEST_CASE("figures") {
  figures.push_back(killed_worker("killed worker to its last grant, under load", {"threads=4", "calls=1"}));
  figures.push_back(killed_worker("killed worker to its last grant, a request each 150 ms", {"threads=1", "calls=1", "pause_ms=150"}));
  killed_broker();
  counts_equal();
  const auto count = [](const char* name, std::uint64_t value) {
    figures.push_back({name, "0", {static_cast<double>(value)}});
    CHECK(value == 0);
  };
  count("acknowledged requests lost", total.lost);
  count("sessions opened twice", total.opened_twice);
  count("sessions broken without a fault to either end", total.broken);
}

void print_table() {
  std::printf("%-55s %-30s %3s %9s %9s\n", "figure", "goal", "n", "median", "max");
  for (const Figure& figure : figures) {
    std::printf("%-55s %-30s %3zu %9.1f %9.1f\n", figure.name.c_str(), figure.goal.c_str(), figure.values.size(),
                median(figure.values), largest(figure.values));
  }
  std::printf("of %llu requests and %llu sessions, with %llu faults\n", static_cast<unsigned long long>(total.asked),
              static_cast<unsigned long long>(total.opened), static_cast<unsigned long long>(total.faults));
}

void print_json() {
  std::printf("{\"requests\":%llu,\"sessions\":%llu,\"faults\":%llu,\"figures\":[", static_cast<unsigned long long>(total.asked),
              static_cast<unsigned long long>(total.opened), static_cast<unsigned long long>(total.faults));
  for (std::size_t i = 0; i < figures.size(); ++i) {
    const Figure& figure = figures[i];
    std::printf("%s{\"name\":\"%s\",\"goal\":\"%s\",\"n\":%zu,\"median\":%.1f,\"max\":%.1f}", i == 0 ? "" : ",",
                figure.name.c_str(), figure.goal.c_str(), figure.values.size(), median(figure.values), largest(figure.values));
  }
  std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) json = true;
    if (std::strcmp(argv[i], "--repeat") == 0 && i + 1 < argc) repeat = std::max(1, std::atoi(argv[i + 1]));
  }
  doctest::Context context;
  context.setOption("minimal", true);
  context.setCout(&std::cerr);
  const int code = context.run();
  if (json) print_json();
  else print_table();
  return code;
}
