// Plays scenario files: `pointsman_scenarios FILE…`. A difference is a failure and is shown; with
// POINTSMAN_REWRITE=1 in the environment the files are written anew instead, for review as a diff.

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "test/scenarios/stages.hpp"

namespace {

using namespace pointsman::scenarios;

std::unique_ptr<Stage> cast(std::string_view core, std::string_view options) {
  Fields fields(options);
  std::unique_ptr<Stage> stage;
  if (core == "broker") stage = broker_stage(fields);
  if (core == "worker") stage = worker_stage(fields);
  if (core == "client") stage = client_stage(fields);
  if (core == "supervisor") stage = supervisor_stage(fields);
  if (!stage) throw ScenarioError("the first line names the core: broker, worker, client or supervisor");
  fields.done();
  return stage;
}

bool pass(const std::string& path, bool rewrite) {
  std::ifstream in(path);
  if (!in) throw ScenarioError("cannot be read");
  const std::string expected{std::istreambuf_iterator<char>(in), {}};
  const auto actual = play(expected, cast);
  const auto differs = difference(expected, actual);
  if (differs.empty()) return true;
  if (rewrite) {
    std::ofstream(path) << actual;
    std::cout << path << ": rewritten\n";
    return true;
  }
  std::cout << path << ": not what is expected (-), but (+):\n" << differs;
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const char* wish = std::getenv("POINTSMAN_REWRITE");
  const bool rewrite = wish != nullptr && std::string_view(wish) == "1";
  int failed = 0;
  for (int i = 1; i < argc; ++i) {
    try {
      failed += pass(argv[i], rewrite) ? 0 : 1;
    } catch (const ScenarioError& error) {
      std::cout << argv[i] << ": " << error.what() << "\n";
      ++failed;
    }
  }
  std::cout << argc - 1 - failed << " passed, " << failed << " failed\n";
  return failed == 0 ? 0 : 1;
}
