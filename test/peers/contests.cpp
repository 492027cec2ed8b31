// Hand-offs and jobs: floors against a broker.
#include "test/peers/contests.hpp"

#include "test/folder.hpp"
#include "test/peers/direct.hpp"
#include "test/peers/handoffs.hpp"
#include "test/peers/jobs.hpp"

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
      std::vector<Goal> goals{{Quantity::rate, rate, {"libzmq"}}};
      if (!encrypted) goals.push_back({Quantity::cpu, 1.2, {"libzmq"}});
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
  for (const unsigned clients : pace.tiny ? std::vector<unsigned>{2} : std::vector<unsigned>{1, 16, 128}) {
    const Load job = load_of(pace, clients, 4);
    Contest contest{"job", shape(clients, 4), {}, {}, {}, {}};
    std::vector<std::string> to_beat;
    auto& everybody = contest.rivals;
    for (const auto& [calls, suffix] :
         {std::pair(1U, ""), std::pair(10U, ", session of 10"), std::pair(0U, ", hand-off alone")}) {
      Load load = job;
      load.calls = calls;
      for (Contender contender : floor_and_ours(load)) {
        contender.name += suffix;
        contest.contenders.push_back(contender);
      }
    }
    contest.sessions = {{1, ours}, {10, ours + ", session of 10"}};
    for (const unsigned calls : pace.tiny ? std::vector<unsigned>{} : std::vector<unsigned>{2, 4}) {
      Load load = job;
      load.calls = calls;
      contest.sessions[calls] = ours + ", session of " + std::to_string(calls);
      contest.contenders.push_back({contest.sessions[calls], [=] { return our_handoffs(load, false); }, {}});
    }
    for (const auto& rival : all_rivals()) {
      const bool own = rival->package().empty();
      // A smoke test is for what is ours.
      if (pace.tiny && !own) continue;
      const bool there = !find_program(rival->program()).empty();
      contest.contenders.push_back({rival->name(), [=] { return run_jobs(*rival, job); },
                                    there ? "" : "not installed: apt-get install " + rival->package()});
      // Those that a hand-off for every single job is to be ahead of, too.
      const bool ahead = rival->package() != "nats-server" && rival->package() != "haproxy" &&
                         rival->name() != "beanstalkd, no result" &&
                         (rival->package() != "gearman-job-server" || clients != 16);
      if (ahead) to_beat.push_back(rival->name());
      // That one has no answer, so it does less.
      if (rival->name() != "beanstalkd, no result") everybody.push_back(rival->name());
    }
    const std::string handoff = ours + ", hand-off alone", session = ours + ", session of 10";
    contest.goals = {{Quantity::rate, 0.9, {"libzmq"}},
                     {Quantity::rate, 1.0, to_beat},
                     {Quantity::cpu, 0.7, everybody, handoff},
                     {Quantity::rate, 1.5, everybody, session},
                     {Quantity::cpu, 0.1, everybody, session}};
    all.push_back(contest);
  }
  return all;
}

std::vector<Contest> all_contests(const Pace& pace) {
  std::vector<Contest> all = handoff_contests(pace);
  for (const auto& more : {job_contests(pace), direct_contests(pace)})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace pointsman::peers
