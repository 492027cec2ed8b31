// Tells stories.

#include "test/sim/story.hpp"

#include <cstdio>
#include <iostream>

namespace pointsman::sim {

void Story::tell(Instant now, const std::string& who, std::string_view what) {
  char time[32];
  std::snprintf(time, sizeof time, "%11.6f  ", static_cast<double>(now.time_since_epoch().count()) / 1e6 - 3600);
  std::string line = time + who + std::string(who.size() < 7 ? 7 - who.size() : 1, ' ') + std::string(what);
  if (hashing_)
    for (const char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  if (telling_ == Telling::all) std::cout << line << "\n";
  if (telling_ != Telling::last && telling_ != Telling::kept) return;
  lines_.push_back(std::move(line));
  if (lines_.size() > (telling_ == Telling::last ? last : most)) lines_.pop_front();
}

}  // namespace pointsman::sim
