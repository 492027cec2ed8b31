// A process for library_test.cpp: a broker, or a worker that serves a function of the worker library.
//
//   library_party broker CLIENTS WORKERS
//   library_party worker WORKERS NAME SLOTS

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "broker/shell.hpp"
#include "workers/worker.hpp"

using namespace pointsman;

namespace {

// echo …: the frames again, and the worker's name. parts N [BYTES]: that many, as large. fail: so it does. once FILE: never ends, but
// only the first time.
void serve(Work& work, const std::string& name) {
  const auto& request = work.request();
  const std::string word = request.empty() ? "" : request[0].str();
  if (word == "fail") throw WorkFailed("as asked", 3, "the end of stderr");
  if (word == "parts") {
    const std::size_t bytes = request.size() > 2 ? std::stoul(request[2].str()) : 0;
    for (int left = std::stoi(request.at(1).str()); left > 0; --left) {
      std::string part = std::to_string(left);
      part.resize(std::max(part.size(), bytes), '.');
      work.part({std::move(part)});
    }
    return work.answer({});
  }
  if (word == "once") {
    const std::string path = request.at(1).str();
    if (access(path.c_str(), F_OK) != 0) {
      std::ofstream(path) << name;
      while (!work.cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      return;
    }
  }
  Payload answer = request;
  answer.emplace_back(name);
  work.answer(std::move(answer));
}

int run_worker(const std::string& broker, const std::string& name, const std::string& slots) {
  WorkerOptions options;
  options.broker = broker;
  options.name = name;
  options.services = {Offer{.service = "echo"}};
  options.slots = std::stoull(slots);
  options.lease = Milliseconds(1000);
  Worker worker(std::move(options));
  worker.serve([&](Work& work) { serve(work, name); });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "broker" && argc == 4) {
      broker::ShellOptions options;
      options.clients = argv[2];
      options.workers = argv[3];
      options.quiet = true;
      return broker::run_broker(options);
    }
    if (what == "worker" && argc == 5) return run_worker(argv[2], argv[3], argv[4]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "library_party: %s\n", error.what());
  }
  return 1;
}
