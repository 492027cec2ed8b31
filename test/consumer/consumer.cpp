// A worker and a client in one program of somebody else, against an installed broker: consumer CLIENTS WORKERS.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <string>
#include <thread>

#include "clients/client.hpp"
#include "workers/worker.hpp"

namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  pointsman::WorkerOptions offer;
  offer.broker = argv[2];
  offer.services = {{"upper"}};
  offer.slots = 2;
  pointsman::Worker worker(offer);
  std::thread serving([&] {
    worker.serve([](pointsman::Work& work) {
      pointsman::Payload answer;
      for (const auto& frame : work.request()) answer.emplace_back(upper(frame.str()));
      work.answer(std::move(answer));
    });
  });

  std::string answer;
  try {
    pointsman::ClientOptions options;
    options.broker = argv[1];
    pointsman::Client client(options);
    pointsman::AcquireOptions patient;
    patient.absent = true;  // the worker may register after the request
    patient.wait = std::chrono::seconds(10);
    auto session = client.acquire("upper", patient);
    for (const auto& frame : session.call({"hand ", "over"})) answer += frame.str();
    session.release();
  } catch (const pointsman::Error& error) {
    std::fprintf(stderr, "consumer: %s\n", error.what());
  }
  worker.stop();
  serving.join();
  std::printf("%s\n", answer.c_str());
  return answer == "HAND OVER" ? 0 : 1;
}
