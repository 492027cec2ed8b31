// pointsman_peers: what bare libzmq, and what a user would pick instead, do with the same work on the same machine.
//
//   pointsman_peers [--groups NAME,…] [--only TEXT] [--rounds N] [--seconds S] [--json FILE] [--tiny] [--list]
//
// Contenders take turns, round after round; a table with medians, ratios and goals goes to stdout. --tiny does
// everything once with the smallest loads: whether counts are right, not how fast it is. Exit code 1: something did
// not work.
//
//   pointsman_peers floor KIND …     a server that does nothing over bare libzmq: see floors.hpp
//   pointsman_peers worker …         the worker of the direct rows: see direct.hpp
//   pointsman_peers under COMMAND…   runs a command that ends with whoever started it

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "protocol/system.hpp"
#include "test/peers/contests.hpp"
#include "test/peers/direct.hpp"
#include "test/peers/floors.hpp"
#include "test/peers/jobs.hpp"
#include "test/peers/memory.hpp"
#include "test/peers/wire.hpp"

using namespace pointsman;
using namespace pointsman::peers;

namespace {

struct Arguments {
  std::string groups, only, json;
  int rounds = 5;
  Pace pace;
  bool list = false;
};

Arguments arguments_of(const std::vector<std::string>& words) {
  Arguments all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto value = [&]() -> const std::string& {
      if (i + 1 == words.size()) throw std::invalid_argument(word + " needs a value");
      return words[++i];
    };
    if (word == "--groups")
      all.groups = value();
    else if (word == "--only")
      all.only = value();
    else if (word == "--json")
      all.json = value();
    else if (word == "--rounds")
      all.rounds = std::stoi(value());
    else if (word == "--seconds")
      all.pace.seconds = std::stod(value());
    else if (word == "--list")
      all.list = true;
    else if (word == "--tiny")
      all.pace = {.seconds = 0.1, .warm_up = 0.05, .tiny = true};
    else
      throw std::invalid_argument("unknown: " + word + "; see main.cpp");
  }
  if (all.pace.tiny) all.rounds = 1;
  return all;
}

bool wanted(const Arguments& arguments, const std::string& group, const std::string& name) {
  if (!arguments.only.empty() && name.find(arguments.only) == std::string::npos) return false;
  return arguments.groups.empty() ||
         ("," + arguments.groups + ",").find("," + group + ",") != std::string::npos;
}

int compare(const std::vector<std::string>& words) {
  const Arguments arguments = arguments_of(words);
  raise_descriptor_limit();
  std::vector<Outcome> outcomes;
  bool failed = false;
  for (const Contest& contest : all_contests(arguments.pace)) {
    if (!wanted(arguments, contest.group, contest.name)) continue;
    if (arguments.list) {
      std::printf("%s: %s\n", contest.group.c_str(), contest.name.c_str());
      continue;
    }
    std::fprintf(stderr, "%s: %s\n", contest.group.c_str(), contest.name.c_str());
    outcomes.push_back(hold(contest, arguments.rounds));
    for (const auto& [name, why] : outcomes.back().notices) failed = failed || why.starts_with("failed");
  }
  stop_rivals();
  std::vector<Weight> weights;
  if (wanted(arguments, "memory", "memory")) {
    if (arguments.list) {
      std::printf("memory: memory\n");
      return 0;
    }
    std::fprintf(stderr, "memory\n");
    const bool tiny = arguments.pace.tiny;
    weights = weigh(tiny ? 20 : 1000, tiny ? 100 : 10'000, !tiny);
    for (const Weight& weight : weights) failed = failed || weight.notice.starts_with("failed");
  }
  if (arguments.list) return 0;
  if (!outcomes.empty()) std::printf("%s", table_of(outcomes).c_str());
  if (!weights.empty()) std::printf("%s", table_of(weights).c_str());
  if (!arguments.json.empty()) {
    std::ofstream(arguments.json) << "{\"contests\":" << json_of(outcomes)
                                  << ",\"memory\":" << json_of(weights) << "}\n";
  }
  return failed || (outcomes.empty() && weights.empty()) ? 1 : 0;
}

int run_under(char** command) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::execvp(command[0], command);
  std::perror(command[0]);
  return 125;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (argc > 2 && words[0] == "under") return run_under(argv + 2);
    if (argc > 2 && words[0] == "worker") return run_echo_worker({words.begin() + 1, words.end()});
    if (argc > 2 && words[0] == "floor") return run_floor({words.begin() + 1, words.end()});
    return compare(words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pointsman_peers: %s\n", error.what());
    return 2;
  }
}
