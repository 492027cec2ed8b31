// What an idle worker and a waiting request cost a server in memory: differences of what is resident.

#pragma once

#include <string>
#include <vector>

namespace pointsman::peers {

struct Weight {
  std::string name;
  double worker = 0;   // bytes of one that is connected, registered and idle; 0: not measured
  double waiting = 0;  // bytes of one request or job that waits; 0: it has no queue
  std::string notice;  // why it was not weighed
};

// With so many workers, and so many requests.
std::vector<Weight> weigh(unsigned workers, unsigned requests, bool rivals);

std::string table_of(const std::vector<Weight>& weights);
std::string json_of(const std::vector<Weight>& weights);

}  // namespace pointsman::peers
