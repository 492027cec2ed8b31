// Hand-offs and jobs: floors against a broker.
#include "test/peers/contests.hpp"

#include "test/peers/handoffs.hpp"

namespace pointsman::peers {
namespace {

Load load_of(const Pace& pace, unsigned clients, unsigned workers) {
  return {.clients = clients, .workers = workers, .warm_up = pace.warm_up, .seconds = pace.seconds};
}

Figure run_echo(const Load& load) {
  Server server;
  server.start({self(), "floor", "echo"});
  return drive_echo(load, server, value_of(server.ready_line(), "clients"));
}

Figure floor_handoffs(Load load, bool encrypted) {
  TemporaryFolder folder;
  const Keys keys(folder.path());
  std::vector<std::string> command{self(), "floor", "handoff"};
  if (encrypted) {
    command.push_back(keys.server_secret);
    load.keys = &keys;
  }
  Server server;
  server.start(command);
  const std::string line = server.ready_line();
  return drive_handoffs(load, server, value_of(line, "clients"), value_of(line, "workers"));
}

Figure our_handoffs(Load load, bool encrypted) {
  TemporaryFolder folder;
  const Keys keys(folder.path());
  if (encrypted) load.keys = &keys;
  const Broker broker(load.keys);
  return drive_handoffs(load, broker.server, broker.clients, broker.workers);
}

std::vector<Contender> floor_and_ours(const Load& load, bool encrypted = false) {
  return {{"libzmq", [=] { return floor_handoffs(load, encrypted); }, {}},
          {ours, [=] { return our_handoffs(load, encrypted); }, {}}};
}

std::string shape(unsigned clients, unsigned workers) {
  return std::to_string(clients) + (clients == 1 ? " client, " : " clients, ") + std::to_string(workers) +
         " workers";
}

}  // namespace

std::vector<Contest> handoff_contests(const Pace& pace) {
  std::vector<Contest> all;
  const std::vector<std::pair<unsigned, unsigned>> shapes =
      pace.tiny ? std::vector<std::pair<unsigned, unsigned>>{{2, 2}}
                : std::vector<std::pair<unsigned, unsigned>>{{1, 4}, {16, 4}, {128, 4}, {128, 128}};
  for (const bool encrypted : {false, true}) {
    const std::string group = encrypted ? "handoff-curve" : "handoff";
    for (const auto& [clients, workers] : shapes) {
      const double rate = encrypted ? 0.85 : workers == 128 ? 2.5 : 0.9;
      std::vector<Goal> goals{{Quantity::rate, rate, "libzmq"}};
      if (!encrypted) goals.push_back({Quantity::cpu, 1.2, "libzmq"});
      all.push_back({group, shape(clients, workers),
                     floor_and_ours(load_of(pace, clients, workers), encrypted), goals});
    }
  }
  for (const unsigned clients : pace.tiny ? std::vector<unsigned>{2} : std::vector<unsigned>{1, 16, 128}) {
    const Load load = load_of(pace, clients, 0);
    all.push_back({"echo",
                   std::to_string(clients) + " outstanding",
                   {{"libzmq", [=] { return run_echo(load); }, {}}},
                   {}});
  }
  return all;
}

std::vector<Contest> job_contests(const Pace& pace) {
  std::vector<Contest> all;
  for (const unsigned calls : {1U, 10U}) {
    for (const unsigned clients : pace.tiny ? std::vector<unsigned>{2} : std::vector<unsigned>{1, 16, 128}) {
      Load load = load_of(pace, clients, 4);
      load.calls = calls;
      all.push_back({calls == 1 ? "job" : "session-10",
                     shape(clients, 4),
                     floor_and_ours(load),
                     {{Quantity::rate, 0.9, "libzmq"}}});
    }
  }
  return all;
}

std::vector<Contest> all_contests(const Pace& pace) {
  std::vector<Contest> all = handoff_contests(pace);
  for (const auto& more : {job_contests(pace)}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace pointsman::peers
