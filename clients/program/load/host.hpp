// Host: a process of a load test's own workers, so that they can be killed, frozen and cut off.
//
// It runs until SIGTERM, then says on stdout what its workers have served: `served COUNT DIGEST`, see Tally. Stand-ins
// say when all of them are registered, at first and anew: `registered TIME`.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pointsman::load {

struct HostCommand {
  std::string broker;     // the workers' listener
  std::string prefix;     // of their names
  bool together = false;  // stand-ins: by one connection
  bool stand_in = false;  // their sessions are over when they have been held, and nobody calls them
  std::uint64_t workers = 1;
  std::uint64_t slots = 1;
  std::vector<std::string> services;  // in turn
  std::string time = "0";             // a law: how long sessions are held, or calls take
  std::uint64_t seed = 1;
  std::string key, broker_key;
};

// As words for a command line, and back.
std::vector<std::string> words_of(const HostCommand& command);
bool from_words(const std::vector<std::string>& words, HostCommand& command);

int run_host(const HostCommand& command);

}  // namespace pointsman::load
