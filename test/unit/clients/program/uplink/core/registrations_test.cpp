// Shows which registrations a broker has with one above it, and when they change.
#include "clients/program/uplink/core/registrations.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace pointsman;
using namespace pointsman::uplink;

namespace {

using Lines = std::vector<std::string>;

WorkerRow worker(const std::string& service, std::uint64_t slots, std::uint64_t used = 0) {
  return {.worker = "w", .services = {service}, .slots = slots, .used = used};
}

WorkerRow with(WorkerRow row, const std::string& attributes, const std::string& accepts = {}) {
  REQUIRE(add_attributes(attributes, row.attributes).empty());
  row.accepts = accepts;
  return row;
}

std::string line_of(const Step& step) {
  if (const auto* join = std::get_if<Join>(&step)) {
    std::string services;
    for (const auto& service : join->of.services) services += " " + service;
    return "join " + join->name + services + " slots=" + std::to_string(join->slots) +
           " weight=" + std::to_string(join->weight);
  }
  if (const auto* change = std::get_if<Change>(&step)) {
    return "change " + change->name + " slots=" + std::to_string(change->slots) +
           " weight=" + std::to_string(change->weight);
  }
  return "leave " + std::get<Leave>(step).name;
}

// A broker below, and the one registrations that it has with one above.
struct Site {
  std::vector<Step> steps(const std::vector<WorkerRow>& workers) {
    Census census("tcp://below:1");
    for (const WorkerRow& row : workers) census.add(row);
    return registrations.look(census, [this](const std::string& name) { return passes[name]; });
  }
  Lines look(const std::vector<WorkerRow>& workers) {
    Lines lines;
    for (const Step& step : steps(workers)) lines.push_back(line_of(step));
    return lines;
  }
  Registrations registrations{"down"};
  std::map<std::string, std::uint64_t> passes;
};

}  // namespace

TEST_CASE("uplink: workers that offer the same and say the same are one registration with the slots of all") {
  Site site;
  WorkerRow both = worker("zip", 3);
  both.services = {"zip", "add"};
  WorkerRow turned = both;
  turned.services = {"add", "zip"};
  CHECK(site.look({both, turned}) == Lines{"join down add zip slots=6 weight=6"});
  CHECK(site.look({both, turned}).empty());

  // Others are registrations of their own, under names that stay.
  const std::vector<WorkerRow> all{both, turned, with(worker("zip", 2), "gpu=h200"),
                                   with(worker("zip", 1), "gpu=h200", "team == a"), worker("add", 1)};
  const auto joined = site.steps(all);
  REQUIRE(joined.size() == 3);
  std::set<std::string> names{"down"};
  for (const Step& step : joined) {
    const Join& join = std::get<Join>(step);
    CHECK(join.name.starts_with("down/"));
    CHECK(join.name.size() <= std::string("down").size() + Registrations::longer);
    CHECK(names.insert(join.name).second);
  }
  CHECK(site.look(all).empty());
  Site again;
  for (const Step& step : again.steps(all)) {
    const Join& join = std::get<Join>(step);
    if (!join.of.plain()) CHECK(names.contains(join.name));
  }
}

TEST_CASE("uplink: only workers that get sessions count, and none that lead back") {
  Site site;
  WorkerRow suspect = worker("zip", 1);
  suspect.state = State::suspect;
  WorkerRow draining = worker("zip", 1);
  draining.state = State::draining;
  WorkerRow itself = worker("zip", 1);
  itself.direct = Direct::broker;
  itself.endpoint = "tcp://below:1";
  CHECK(site.look({suspect, draining, itself}).empty());
  WorkerRow lower = itself;
  lower.endpoint = "tcp://lower:1";
  CHECK(site.look({suspect, lower}) == Lines{"join down zip slots=1 weight=1"});
}

TEST_CASE("uplink: slots that others use are not offered above and those of passes are") {
  CHECK(slots_above({.slots = 8, .used = 0}, 0) == 8);
  CHECK(slots_above({.slots = 8, .used = 3}, 0) == 5);
  CHECK(slots_above({.slots = 8, .used = 3}, 2) == 7);
  CHECK(slots_above({.slots = 8, .used = 3}, 5) == 8);
  CHECK(slots_above({.slots = 8, .used = 8}, 0) == 1);
  CHECK(slots_above({.slots = 8, .used = 9}, 0) == 1);

  Site site;
  CHECK(site.look({worker("zip", 40, 4)}) == Lines{"join down zip slots=36 weight=40"});
  CHECK(site.look({worker("zip", 400, 0)}) == Lines{"change down slots=400 weight=100"});
}

TEST_CASE("uplink: a class of more slots than a worker may have is several, with an equal share each") {
  CHECK(shares_of({}) == 1);
  CHECK(shares_of({.slots = 1024}) == 1);
  CHECK(shares_of({.slots = 1025}) == 2);
  CHECK(slots_above({.slots = 1025}, 0, 0) == 513);
  CHECK(slots_above({.slots = 1025}, 0, 1) == 512);
  // What others use is taken from all shares, what passes use from none, whichever they came by.
  CHECK(slots_above({.slots = 1025, .used = 8}, 3, 0) == 510);
  CHECK(slots_above({.slots = 1025, .used = 8}, 3, 1) == 510);
  CHECK(slots_above({.slots = 1025, .used = 1025}, 0, 0) == 1);
  // Whatever a broker says that it has.
  CHECK(shares_of({.slots = ~std::uint64_t{0}}) == limits::registrations_above);
  CHECK(slots_above({.slots = ~std::uint64_t{0}}, 0, 63) == limits::slots);

  Site site;
  const auto sums = [](const std::vector<Step>& steps) {
    std::uint64_t slots = 0;
    for (const Step& step : steps) slots += std::get<Join>(step).slots;
    return std::pair{steps.size(), slots};
  };
  std::vector<WorkerRow> all{worker("zip", 1000, 100), worker("zip", 1000), worker("zip", 1000)};
  CHECK(sums(site.steps(all)) == std::pair{std::size_t{3}, std::uint64_t{2900}});
  CHECK(site.look(all).empty());
  // Of two thirds two registrations are left; the third is drained, and leaves when its passes are over.
  site.passes["down"] = 7;
  all.pop_back();
  const auto fewer = site.look(all);
  REQUIRE(fewer.size() == 1);
  CHECK(fewer.front().ends_with("slots=0 weight=1"));
  CHECK(site.look(all).front().starts_with("leave down/"));
}

TEST_CASE("uplink: slots are said anew when more than an eighth has changed or all are free again") {
  Site site;
  site.look({worker("zip", 100)});
  CHECK(site.look({worker("zip", 100, 12)}).empty());
  CHECK(site.look({worker("zip", 100, 13)}) == Lines{"change down slots=87 weight=100"});
  CHECK(site.look({worker("zip", 100, 3)}).empty());
  CHECK(site.look({worker("zip", 100, 0)}) == Lines{"change down slots=100 weight=100"});
  CHECK(site.look({worker("zip", 100, 100)}) == Lines{"change down slots=1 weight=100"});
  site.passes["down"] = 50;
  CHECK(site.look({worker("zip", 100, 100)}) == Lines{"change down slots=50 weight=100"});
}

TEST_CASE(
    "uplink: a class that is gone drains and leaves when its passes are over and goes on if it comes back "
    "before") {
  Site site;
  site.look({worker("zip", 2)});
  site.passes["down"] = 1;
  CHECK(site.look({}) == Lines{"change down slots=0 weight=1"});
  CHECK(site.look({}).empty());
  CHECK(site.look({worker("zip", 2, 1)}) == Lines{"change down slots=2 weight=2"});
  site.passes["down"] = 0;
  CHECK(site.look({}) == Lines{"change down slots=0 weight=1"});
  CHECK(site.look({}) == Lines{"leave down"});

  // Until it has left its name is not free.
  CHECK(site.look({worker("zip", 2)}).empty());
  CHECK(site.look({worker("zip", 2), worker("add", 1)}).front().starts_with("join down/"));
  site.registrations.left("down");
  CHECK(site.look({worker("zip", 2), worker("add", 1)}) == Lines{"join down zip slots=2 weight=2"});
}

TEST_CASE("uplink: what was told to leave by the broker above stays away while its workers are there") {
  Site site;
  site.look({worker("zip", 2)});
  site.registrations.sent_away("down");
  CHECK(site.look({worker("zip", 2)}).empty());
  CHECK(site.look({worker("zip", 9)}).empty());
  CHECK(site.look({}).empty());
  CHECK(site.look({worker("zip", 2)}) == Lines{"join down zip slots=2 weight=2"});
}

TEST_CASE("uplink: more classes than may be are left out and get their turn when others leave") {
  Site site;
  std::vector<WorkerRow> all;
  for (std::size_t i = 0; i < limits::registrations_above + 2; ++i)
    all.push_back(worker("s" + std::to_string(100 + i), 1));
  CHECK(site.look(all).size() == limits::registrations_above);
  CHECK(site.registrations.left_out() == 2);
  const std::vector<WorkerRow> rest(all.begin() + 2, all.end());
  CHECK(site.look(rest).size() == 2);
  const auto leave = site.steps(rest);
  REQUIRE(leave.size() == 2);
  for (const Step& step : leave) site.registrations.left(std::get<Leave>(step).name);
  CHECK(site.look(rest).size() == 2);
  CHECK(site.registrations.left_out() == 0);

  // A class that would fill them all leaves room for the others.
  Site large;
  CHECK(large.look({worker("a", 1024 * (limits::registrations_above + 6)), worker("z", 1)}).size() == limits::registrations_above);
  CHECK(large.registrations.left_out() == 7);
  CHECK(large.look({worker("a", 1024), worker("z", 1)}).size() == limits::registrations_above - 2);
}
