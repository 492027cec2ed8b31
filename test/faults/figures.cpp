// The figures of the runs with faults: how soon, how many lost. `pointsman_faults_figures [--repeat N] [--json]` prints
// a table, or JSON. It judges nothing but what must be 0: its exit code is 1 if that is not.

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

// The newest grants of dead workers, after their deaths: 0 if there was none.
void add_last_grants(Figure& figure, const History& history, const std::string& worker) {
  for (const auto death : times(history, "killed", worker)) {
    std::int64_t newest = death;
    for (const Entry& entry : history) {
      if (entry.at <= death || entry.text("worker") != worker || entry.what != "watch") continue;
      if (entry.text("kind") == "registered") break;  // another instance
      if (entry.text("kind") == "granted") newest = entry.at;
    }
    figure.values.push_back(ms(death, newest));
  }
}

// From deaths of the broker to the first grants of those after it.
void add_first_grants(Figure& figure, const History& history) {
  for (const auto death : times(history, "killed", "broker")) {
    std::uint64_t before = 0;  // numbers of sessions count up from the broker's start, in microseconds
    for (const Entry& entry : history) {
      if (entry.what != "granted") continue;
      if (entry.at < death) before = std::max(before, entry.number("session"));
      else if (entry.number("session") > before + 1000) {
        figure.values.push_back(ms(death, entry.at));
        break;
      }
    }
  }
}

void killed_worker(const std::string& name, const std::vector<std::string>& load) {
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
  Figure figure{name, "1.2 terms + 100 ms = 1300 ms", {}};
  add_last_grants(figure, read_histories(ground.folder()), "w1");
  figures.push_back(std::move(figure));
}

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
  Figure part{"broker started to listening", "1000 ms", {}};
  const auto starts = times(history, "starting", "broker");
  const auto readies = times(history, "ready", "broker");
  for (std::size_t i = 1; i < starts.size() && i < readies.size(); ++i) part.values.push_back(ms(starts[i], readies[i]));
  figures.push_back(std::move(part));
  Figure whole{"broker killed, restarted at once, to first new grant", "1500 ms", {}};
  add_first_grants(whole, history);
  figures.push_back(std::move(whole));
}

// The same where nobody but the supervisor notices. It takes five ends within a minute for a crash loop.
void supervised() {
  constexpr int ends_max = 4;
  const std::vector<std::string> workers{"w1", "w2", "w3", "w4"};
  Ground ground({.supervised = workers});
  ground.start_watch();
  ground.start_client("c1", {"threads=6", "calls=1"});
  for (int i = 0; i < std::min(2 * repeat, 4 * ends_max); ++i) {
    REQUIRE(ground.granted("c1", 20));
    ground.kill_supervised(workers[static_cast<std::size_t>(i) % workers.size()]);
    REQUIRE(ground.granted("c1", 20));
    REQUIRE(ground.all_registered());
  }
  for (int i = 0; i < std::min(repeat, ends_max); ++i) {
    REQUIRE(ground.granted("c1", 20));
    ground.kill_supervised("broker");
    REQUIRE(ground.all_registered());
  }
  add(ground.prove());
  const History history = read_histories(ground.folder());
  Figure grants{"killed worker to its last grant, supervised", "300 ms", {}};
  for (const auto& worker : workers) add_last_grants(grants, history, worker);
  figures.push_back(std::move(grants));
  Figure back{"broker killed to first new grant, supervised", "1500 ms", {}};
  add_first_grants(back, history);
  figures.push_back(std::move(back));
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
      const Message answer = client.ask(List{.of = Subject::sessions});
      for (const auto& row : std::get<Listing>(answer).sessions) {
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
    last(ground.lease() * 12 / 10);  // one that forgets at once whom it has just registered is not hurried
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
  killed_worker("killed worker to its last grant, under load", {"threads=4", "calls=1"});
  killed_worker("killed worker to its last grant, a request each 150 ms", {"threads=1", "calls=1", "pause_ms=150"});
  killed_broker();
  supervised();
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
