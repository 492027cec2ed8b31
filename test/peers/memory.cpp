// Crowds that do nothing, and VmRSS before and after them.
#include "test/peers/memory.hpp"

#include <cstdio>

#include "test/peers/handoffs.hpp"
#include "test/peers/jobs.hpp"

namespace pointsman::peers {
namespace {

Weight weigh_floor(unsigned workers) {
  Server server;
  server.start({self(), "floor", "handoff"});
  const std::string line = server.ready_line();
  return {"libzmq", idle_workers(server, value_of(line, "workers"), workers), 0, {}};
}

Weight weigh_ours(unsigned workers, unsigned requests) {
  Weight weight{"pointsman", 0, 0, {}};
  {
    const Broker broker;
    weight.worker = idle_workers(broker.server, broker.workers, workers);
  }
  const Broker broker;
  weight.waiting = waiting_requests(broker.server, broker.clients, requests);
  return weight;
}

Weight weigh_rival(Rival& rival, unsigned workers, unsigned requests) {
  Weight weight{rival.name(), 0, 0, {}};
  {
    Server server;
    const std::uint16_t port = free_port();
    rival.start(server, port);
    weight.worker = Jobs(rival, {.clients = 0, .workers = workers}, port).idle(server);
  }
  if (rival.waiting_job().empty()) return weight;
  Server server;
  const std::uint16_t port = free_port();
  rival.start(server, port);
  weight.waiting =
      Jobs(rival, {.clients = 1, .workers = 0}, port).flood(server, rival.waiting_job(), requests);
  return weight;
}

}  // namespace

std::vector<Weight> weigh(unsigned workers, unsigned requests, bool rivals) {
  std::vector<Weight> all{weigh_floor(workers), weigh_ours(workers, requests)};
  if (!rivals) return all;
  for (const auto& rival : all_rivals()) {
    if (!rival->weighable()) continue;
    if (find_program(rival->program()).empty()) {
      all.push_back({rival->name(), 0, 0, "not installed: apt-get install " + rival->package()});
      continue;
    }
    try {
      all.push_back(weigh_rival(*rival, workers, requests));
    } catch (const Broken& broken) {
      all.push_back({rival->name(), 0, 0, std::string("failed: ") + broken.what()});
    }
  }
  return all;
}

std::string table_of(const std::vector<Weight>& weights) {
  std::string out = "\nmemory\n\n| | KB of an idle worker | bytes of a waiting request |\n|---|---|---|\n";
  for (const Weight& weight : weights) {
    char line[256];
    std::snprintf(line, sizeof line, "| %s | %.1f | %.0f |\n", weight.name.c_str(), weight.worker / 1024,
                  weight.waiting);
    out += weight.notice.empty() ? line : "| " + weight.name + " | " + weight.notice + " | |\n";
  }
  return out;
}

std::string json_of(const std::vector<Weight>& weights) {
  std::string out = "[";
  for (const Weight& weight : weights) {
    char line[256];
    std::snprintf(line, sizeof line,
                  R"(%s{"name":"%s","idle_worker_bytes":%.0f,"waiting_request_bytes":%.0f})",
                  out.size() > 1 ? ",\n" : "\n", weight.name.c_str(), weight.worker, weight.waiting);
    if (weight.notice.empty()) out += line;
  }
  return out + "\n]\n";
}

}  // namespace pointsman::peers
