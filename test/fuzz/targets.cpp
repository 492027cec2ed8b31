// The list of targets, and the inputs that are kept for them.

#include "test/fuzz/targets.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>

#include "protocol/base64.hpp"
#include "test/fuzz/list.hpp"
#include "test/unit/protocol/random_messages.hpp"

namespace pointsman::fuzz {

std::span<const Target> targets() {
  static const std::array list{
      Target{"message", run_message, message_seeds, 4096},
      Target{"incoming", run_incoming, incoming_seeds, 4096},
      Target{"notation", run_notation, notation_seeds, 4096},
      Target{"ticket", run_ticket, ticket_seeds, 256},
      Target{"beacon", run_beacon, beacon_seeds, 1100},
      Target{"config", run_config, config_seeds, 4096},
      Target{"allowed", run_allowed, allowed_seeds, 2048},
      Target{"keyfile", run_keyfile, keyfile_seeds, 600},
      Target{"zap", run_zap, zap_seeds, 600},
      Target{"words", run_words, words_seeds, 300},
      Target{"condition", run_condition, condition_seeds, 1200},
      Target{"broker", run_broker, broker_seeds, 4096},
      Target{"worker", run_worker, worker_seeds, 4096},
      Target{"client", run_client, client_seeds, 4096},
      Target{"supervisor", run_supervisor, supervisor_seeds, 4096},
  };
  return list;
}

const Target* target_named(std::string_view name) {
  const auto all = targets();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Target& target) { return target.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> kept(const Target& target) {
  const std::string path = std::string(POINTSMAN_FUZZ_CORPUS) + "/" + std::string(target.name) + ".txt";
  std::vector<std::string> all;
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + " cannot be read");
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    auto bytes = from_base64(std::string_view(line).substr(0, line.find(' ')));
    if (!bytes) throw std::runtime_error(path + ":" + std::to_string(number) + " is not base64");
    all.push_back(std::move(*bytes));
  }
  return all;
}

std::vector<std::string> random_seeds(std::size_t count, std::size_t longest) {
  Dice dice(count);
  std::vector<std::string> all(count);
  for (std::string& seed : all) {
    seed.resize(dice.between(1, longest));
    for (char& byte : seed) byte = static_cast<char>(dice.roll());
  }
  return all;
}

}  // namespace pointsman::fuzz
