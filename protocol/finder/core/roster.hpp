// Roster: a number for each place, which it keeps for as long as it is listed; a broker also when its address changes.
//
// Numbers are below limits::brokers. One that is free goes to whoever comes next, of several the one that has been free
// for longest; until then its place is still known, for connections that stand.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "protocol/finder/core/finder.hpp"
#include "protocol/must.hpp"

namespace pointsman::finder {

class Roster {
 public:
  // Takes over a list; returns the numbers in its order.
  std::vector<std::uint64_t> set(const std::vector<Place>& places) {
    MUST(places.size() <= limits::brokers);
    ++round_;
    std::vector<std::uint64_t> numbers(places.size(), limits::brokers);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto found = std::find_if(seats_.begin(), seats_.end(), [&](const Seat& seat) {
        return seat.listed != 0 && seat.listed != round_ &&
               (seat.place.same_door(places[i]) || seat.place.same_broker(places[i]));
      });
      if (found == seats_.end()) continue;
      found->place = places[i];
      numbers[i] = take(*found);
    }
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (numbers[i] != limits::brokers) continue;
      Seat& seat = *std::min_element(seats_.begin(), seats_.end(),
                                     [](const Seat& a, const Seat& b) { return a.listed < b.listed; });
      seat.place = places[i];
      numbers[i] = take(seat);
    }
    return numbers;
  }

  const Place& at(std::uint64_t number) const { return seats_.at(number).place; }

 private:
  struct Seat {
    Place place;
    std::uint64_t listed = 0;  // the last round in which it was; 0: never
  };

  std::uint64_t take(Seat& seat) {
    seat.listed = round_;
    return static_cast<std::uint64_t>(&seat - seats_.data());
  }

  std::array<Seat, limits::brokers> seats_;
  std::uint64_t round_ = 0;
};

}  // namespace pointsman::finder
