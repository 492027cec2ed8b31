// Shows that each policy chooses as its definition says, checked against brute force and known sequences.
#include "broker/core/pace.hpp"
#include "broker/core/policies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

using namespace pointsman;
using namespace pointsman::broker;

namespace {

// A fleet of seats with a Chooser, and sessions that come and go.
struct Fleet {
  explicit Fleet(Policy policy, const std::vector<std::uint64_t>& weights, std::uint64_t slots = 1'000'000)
      : chooser(policy, 7) {
    for (const std::uint64_t weight : weights) {
      auto seat = std::make_unique<Seat>();
      names.push_back(std::string(1, static_cast<char>('a' + static_cast<int>(seats.size() % 26))) +
                      (seats.size() < 26 ? "" : std::to_string(seats.size())));
      seat->order = seats.size() + 1;
      seat->weight = static_cast<std::uint32_t>(weight);
      seat->slots = seat->room = static_cast<std::uint32_t>(slots);
      seats.push_back(std::move(seat));
    }
    for (std::size_t i = 0; i < seats.size(); ++i) {
      seats[i]->name = names[i];
      chooser.add(*seats[i]);
    }
  }
  ~Fleet() { chooser.check(); }

  Seat* take(const std::vector<std::string>& exclude = {}) {
    Seat* seat = chooser.choose(exclude);
    if (!seat) return nullptr;
    ++seat->connections;
    update(*seat);
    return seat;
  }
  void give_back(Seat& seat) {
    --seat.connections;
    update(seat);
  }
  void update(Seat& seat) {
    const bool room = seat.connections < seat.room;
    if (Chooser::contains(seat)) {
      room ? chooser.touch(seat) : chooser.remove(seat);
    } else if (room) {
      chooser.add(seat);
    }
  }
  std::string sequence(int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += take()->name;
    return out;
  }

  Chooser chooser;
  std::vector<std::unique_ptr<Seat>> seats;
  std::vector<std::string> names;
};

// Smooth weighted round robin as nginx writes it: a scan.
struct Nginx {
  std::vector<std::int64_t> current;
  std::size_t choose(const std::vector<std::unique_ptr<Seat>>& seats, const std::vector<bool>& free) {
    current.resize(seats.size());
    std::int64_t total = 0;
    std::size_t best = seats.size();
    for (std::size_t i = 0; i < seats.size(); ++i) {
      if (!free[i]) continue;
      current[i] += static_cast<std::int64_t>(seats[i]->weight);
      total += static_cast<std::int64_t>(seats[i]->weight);
      if (best == seats.size() || current[i] > current[best]) best = i;
    }
    if (best < seats.size()) current[best] -= total;
    return best;
  }
};

}  // namespace

TEST_CASE("weighted round robin gives the well-known sequences") {
  CHECK(Fleet(Policy::weighted_round_robin, {5, 1, 1}).sequence(14) == "aabacaaaabacaa");
  CHECK(Fleet(Policy::weighted_round_robin, {4, 3, 2}).sequence(9) == "abcabacba");
  CHECK(Fleet(Policy::weighted_round_robin, {3, 1, 6}).sequence(10) == "cacbcaccac");
  CHECK(Fleet(Policy::weighted_round_robin, {1, 1, 1}).sequence(6) == "abcabc");
}

namespace {

// Nearly every other time, if somebody holds a seat: gives one of them back.
bool gave_back(Fleet& fleet, std::vector<Seat*>& open, Chance& chance) {
  if (open.empty() || chance.below(100) >= 48) return false;
  const std::size_t at = chance.below(open.size());
  fleet.give_back(*open[at]);
  open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

}  // namespace

TEST_CASE("weighted round robin equals a scan over all seats while they fill up and empty") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Chance chance(seed);
    std::vector<std::uint64_t> weights(1 + chance.below(30));
    for (auto& weight : weights) weight = 1 + chance.below(chance.below(2) ? 5 : 100);
    Fleet fleet(Policy::weighted_round_robin, weights, 1 + chance.below(3));
    Nginx nginx;
    std::vector<Seat*> open;
    for (int i = 0; i < 2000; ++i) {
      if (gave_back(fleet, open, chance)) continue;
      std::vector<bool> free;
      for (const auto& seat : fleet.seats) free.push_back(seat->connections < seat->room);
      const std::size_t expected = nginx.choose(fleet.seats, free);
      Seat* seat = fleet.take();
      REQUIRE((seat == nullptr) == (expected == fleet.seats.size()));
      if (!seat) continue;
      REQUIRE(seat->order == expected + 1);
      open.push_back(seat);
    }
    fleet.chooser.check();
  }
}

TEST_CASE("weighted round robin gives each seat exactly its weight in every round") {
  const std::vector<std::uint64_t> weights{10, 1, 1, 1, 7, 3, 100};
  Fleet fleet(Policy::weighted_round_robin, weights);
  std::vector<std::uint64_t> got(weights.size());
  for (int round = 1; round <= 5; ++round) {
    for (int i = 0; i < 123; ++i) ++got[fleet.take()->order - 1];
    for (std::size_t i = 0; i < weights.size(); ++i) CHECK(got[i] == weights[i] * static_cast<std::uint64_t>(round));
  }
}

TEST_CASE("least connections always chooses a least loaded seat and ties go round by weight") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Chance chance(seed);
    std::vector<std::uint64_t> weights(1 + chance.below(40));
    for (auto& weight : weights) weight = 1 + chance.below(8);
    Fleet fleet(Policy::least_connections, weights, 1 + chance.below(20));
    std::vector<Seat*> open;
    for (int i = 0; i < 2000; ++i) {
      if (!open.empty() && chance.below(100) < 45) {
        const std::size_t at = chance.below(open.size());
        fleet.give_back(*open[at]);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
        continue;
      }
      Seat* least = nullptr;
      for (const auto& seat : fleet.seats) {
        if (seat->connections >= seat->room) continue;
        if (!least || seat->connections * least->weight < least->connections * seat->weight) least = seat.get();
      }
      const std::uint64_t load = least ? least->connections : 0;
      Seat* seat = fleet.take();
      REQUIRE((seat == nullptr) == (least == nullptr));
      if (!seat) continue;
      REQUIRE((seat->connections - 1) * least->weight == (seat == least ? load : least->connections) * seat->weight);
      open.push_back(seat);
    }
  }
  // Sessions that end at once leave everybody idle: nothing but ties, which go round by weight.
  Fleet fleet(Policy::least_connections, {3, 1});
  std::map<std::string, int> got;
  for (int i = 0; i < 400; ++i) {
    Seat* seat = fleet.take();
    ++got[std::string(seat->name)];
    fleet.give_back(*seat);
  }
  CHECK(got["a"] == 300);
  CHECK(got["b"] == 100);
}

TEST_CASE("least busy chooses the least total working time for its weight") {
  Fleet fleet(Policy::least_busy, {1, 1, 2});
  fleet.seats[0]->busy = 500;
  fleet.seats[1]->busy = 400;
  fleet.seats[2]->busy = 900;
  for (const auto& seat : fleet.seats) fleet.update(*seat);
  CHECK(fleet.take()->name == "b");
  fleet.seats[1]->busy = 1000;
  fleet.update(*fleet.seats[1]);
  CHECK(fleet.take()->name == "c");
}

TEST_CASE("shortest expected delay chooses whoever is through soonest with one session more, for its weight") {
  Fleet fleet(Policy::shortest_expected_delay, {1, 1, 2});
  fleet.seats[0]->pace = 100;
  fleet.seats[1]->pace = 250;
  fleet.seats[2]->pace = 600;
  for (const auto& seat : fleet.seats) fleet.update(*seat);
  // 100 200 300 400 …, 250 500 …, 300 600 …; of those that are level whoever had its turn longest ago.
  CHECK(fleet.sequence(7) == "aabcaab");
}

TEST_CASE("the pace of a worker is the mean of its first sessions, and then follows it") {
  Pace pace = Pace::guess(700);
  CHECK(pace == Pace{.time = 700});
  pace.did(0, 50);
  CHECK(pace == Pace{.time = 700});
  pace.did(1, 1000);
  CHECK(pace == Pace{.time = 1000, .known = 1});
  pace.did(3, 5000);
  CHECK(pace == Pace{.time = 1500, .known = 4});
  pace.did(0, 2000);  // of one that is counted already
  CHECK(pace == Pace{.time = 2000, .known = 4});
  pace.did(40, 240'000);
  CHECK(pace == Pace{.time = 5636, .known = 16});
  for (int i = 0; i < 100; ++i) pace.did(1, 0);
  CHECK(pace.time < 20);
  pace.did(100, 0);
  CHECK(pace == Pace{.time = 1, .known = 16});
  pace.did(1, ~std::uint64_t{0} / 2);
  CHECK(pace.time == Pace::most);
}

TEST_CASE("least recent chooses whoever has not completed for longest and newcomers first") {
  Fleet fleet(Policy::least_recent, {1, 1, 1}, 1);
  fleet.seats[0]->completed = 3;
  fleet.seats[1]->completed = 2;
  for (const auto& seat : fleet.seats) fleet.update(*seat);
  CHECK(fleet.sequence(3) == "cba");
}

TEST_CASE("random reaches every free seat evenly") {
  Fleet fleet(Policy::random, std::vector<std::uint64_t>(10, 1));
  std::vector<int> got(10);
  for (int i = 0; i < 10'000; ++i) ++got[fleet.take()->order - 1];
  double chi = 0;
  for (const int n : got) chi += (n - 1000.0) * (n - 1000.0) / 1000.0;
  CHECK(chi < 27.9);  // 9 degrees of freedom, p = 0.001
}

TEST_CASE("two choices keeps the fullest seat within ln ln n over ln 2 of the mean") {
  // Mitzenmacher, Richa, Sitaraman: n balls into n bins by two choices.
  Fleet two(Policy::two_choices, std::vector<std::uint64_t>(10'000, 1));
  Fleet one(Policy::random, std::vector<std::uint64_t>(10'000, 1));
  const auto fullest = [](Fleet& fleet) {
    for (int i = 0; i < 10'000; ++i) fleet.take();
    std::uint32_t most = 0;
    for (const auto& seat : fleet.seats) most = std::max(most, seat->connections);
    return most;
  };
  const auto with_two = fullest(two);
  CHECK(with_two <= 1 + 3 + static_cast<std::uint64_t>(std::log(std::log(10'000.0)) / std::log(2.0)));
  CHECK(with_two < fullest(one));
}

TEST_CASE("no policy chooses an excluded worker and none forgets it afterwards") {
  for (std::size_t p = 0; p < static_cast<std::size_t>(Policy::count_); ++p) {
    Fleet fleet(static_cast<Policy>(p), {1, 2, 3});
    for (int i = 0; i < 50; ++i) CHECK(fleet.take({"a", "c"})->name == "b");
    CHECK(fleet.take({"a", "b", "c"}) == nullptr);
    CHECK(fleet.chooser.size() == 3);
    fleet.chooser.check();
  }
}

namespace {

// Takes a seat as a client that is linked to these.
Seat* take_near(Fleet& fleet, const std::vector<Seat*>& linked, const std::vector<std::string>& exclude = {},
                const ClassSet* among = nullptr) {
  Seat* seat = fleet.chooser.choose(exclude, among, linked);
  if (!seat) return nullptr;
  ++seat->connections;
  fleet.update(*seat);
  return seat;
}

}  // namespace

TEST_CASE("a linked worker is taken while it is level with the best, and never a worse one") {
  for (const Policy policy : {Policy::least_connections, Policy::least_busy}) {
    Fleet fleet(policy, {1, 1, 1});
    Seat& c = *fleet.seats[2];
    for (int i = 0; i < 5; ++i) {
      CHECK(take_near(fleet, {&c}) == &c);
      fleet.give_back(c);
    }
    Seat* held = take_near(fleet, {&c});
    CHECK(held == &c);
    CHECK(take_near(fleet, {&c})->name == "a");  // it has a session now
    CHECK(take_near(fleet, {&c})->name == "b");
    CHECK(take_near(fleet, {&c}) == &c);
  }
}

TEST_CASE("of several linked workers the first that is level is taken") {
  Fleet fleet(Policy::least_connections, {1, 1, 2, 1});
  Seat &b = *fleet.seats[1], &c = *fleet.seats[2], &d = *fleet.seats[3];
  CHECK(take_near(fleet, {&c, &b}) == &c);
  CHECK(take_near(fleet, {&c, &b}) == &b);
  CHECK(take_near(fleet, {&c, &b}, {}) == fleet.seats[0].get());
  CHECK(take_near(fleet, {&c, &b, &d}) == &d);
  CHECK(take_near(fleet, {&b, &c}) == &c);  // one session by weight two is less
}

TEST_CASE("a linked worker that is full, excluded or of another class is not taken") {
  Fleet fleet(Policy::least_connections, {1, 1, 1}, 1);
  Seat &b = *fleet.seats[1], &c = *fleet.seats[2];
  CHECK(take_near(fleet, {&c}, {"c"})->name == "a");
  CHECK(take_near(fleet, {&c}) == &c);
  CHECK(take_near(fleet, {&c}) == &b);
  fleet.give_back(b);
  fleet.give_back(c);
  fleet.chooser.remove(c);
  c.class_index = 1;
  fleet.chooser.add(c);
  ClassSet first;
  first.add(0);
  CHECK(take_near(fleet, {&c}, {}, &first) == &b);
}

TEST_CASE("who comes to one worker again and again does not bring it out of turn for others") {
  Fleet fleet(Policy::least_connections, {1, 1, 1});
  Seat& b = *fleet.seats[1];
  for (int i = 0; i < 1000; ++i) {
    CHECK(take_near(fleet, {&b}) == &b);
    fleet.give_back(b);
  }
  std::string got;
  for (int i = 0; i < 6; ++i) {
    Seat* seat = fleet.take();
    got += seat->name;
    fleet.give_back(*seat);
  }
  CHECK(got == "abcabc");
}

TEST_CASE("policies whose order is their point take no notice of linked workers") {
  Fleet robin(Policy::weighted_round_robin, {5, 1, 1});
  std::string got;
  for (int i = 0; i < 14; ++i) got += take_near(robin, {robin.seats[2].get()})->name;
  CHECK(got == "aabacaaaabacaa");
  Fleet recent(Policy::least_recent, {1, 1, 1});
  CHECK(take_near(recent, {recent.seats[2].get()})->name == "a");
  CHECK(take_near(recent, {recent.seats[2].get()})->name == "b");
}

TEST_CASE("a seat that comes back does not claim its absence") {
  Fleet fleet(Policy::weighted_round_robin, {1, 1});
  fleet.chooser.remove(*fleet.seats[1]);
  for (int i = 0; i < 100; ++i) fleet.take();
  fleet.chooser.add(*fleet.seats[1]);
  CHECK(fleet.sequence(4) == "abab");
  Fleet least(Policy::least_connections, {1, 1});
  least.chooser.remove(*least.seats[1]);
  for (int i = 0; i < 100; ++i) least.give_back(*least.take());
  least.chooser.add(*least.seats[1]);
  std::string got;
  for (int i = 0; i < 4; ++i) {
    Seat* seat = least.take();
    got += seat->name;
    least.give_back(*seat);
  }
  CHECK((got == "abab" || got == "baba"));
}

TEST_CASE("weighted round robin among some classes equals a scan over their seats, whatever is chosen in between") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Chance chance(seed);
    const std::size_t classes = 1 + chance.below(70);
    std::vector<std::uint64_t> weights(1 + chance.below(60));
    for (auto& weight : weights) weight = 1 + chance.below(5);
    Fleet fleet(Policy::weighted_round_robin, weights, 1 + chance.below(3));
    for (const auto& seat : fleet.seats) {
      fleet.chooser.remove(*seat);
      seat->class_index = static_cast<std::uint32_t>(chance.below(classes));
      seat->credit = 0;
    }
    for (const auto& seat : fleet.seats) fleet.chooser.add(*seat);
    Nginx nginx;
    std::vector<Seat*> open;
    for (int i = 0; i < 2000; ++i) {
      if (gave_back(fleet, open, chance)) continue;
      ClassSet among;
      for (std::size_t c = 0; c < classes; ++c) {
        if (chance.below(2) == 0) among.add(c);
      }
      const bool all = chance.below(4) == 0;
      std::vector<bool> free;
      std::size_t count = 0;
      for (const auto& seat : fleet.seats) {
        free.push_back(seat->connections < seat->room && (all || among.contains(seat->class_index)));
        count += free.back();
      }
      if (!all) CHECK(fleet.chooser.size(among) == count);
      const std::size_t expected = nginx.choose(fleet.seats, free);
      Seat* seat = fleet.chooser.choose({}, all ? nullptr : &among);
      REQUIRE((seat == nullptr) == (expected == fleet.seats.size()));
      if (!seat) continue;
      REQUIRE(seat->order == expected + 1);
      ++seat->connections;
      fleet.update(*seat);
      open.push_back(seat);
    }
    fleet.chooser.check();
  }
}

TEST_CASE("every policy chooses among the classes that it is given, and reaches all of them") {
  for (std::size_t p = 0; p < static_cast<std::size_t>(Policy::count_); ++p) {
    Fleet fleet(static_cast<Policy>(p), std::vector<std::uint64_t>(12, 1));
    for (const auto& seat : fleet.seats) {
      fleet.chooser.remove(*seat);
      seat->class_index = static_cast<std::uint32_t>(seat->order % 3 * 64);  // a word each
    }
    for (const auto& seat : fleet.seats) fleet.chooser.add(*seat);
    ClassSet some;
    some.add(0);
    some.add(128);
    some.add(1000);
    std::map<std::size_t, int> got;
    for (int i = 0; i < 400; ++i) {
      Seat* seat = fleet.chooser.choose({}, &some);
      REQUIRE(seat);
      seat->completed = static_cast<std::uint64_t>(i) + 1;
      seat->busy += 10;
      ++seat->connections;
      fleet.update(*seat);
      ++got[seat->order];
    }
    for (const auto& seat : fleet.seats) CHECK((got[seat->order] > 0) == (seat->class_index != 64));
    CHECK(fleet.chooser.choose({}, &some) != nullptr);
    some.clear();
    some.add(1);
    CHECK(fleet.chooser.choose({}, &some) == nullptr);
    CHECK(fleet.chooser.size() == 12);
  }
}
