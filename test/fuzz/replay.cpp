// Runs inputs through targets without a fuzzer, under whatever the program is compiled with.
//
//   pointsman_fuzz_replay                 every target: its seeds and what is kept for it
//   pointsman_fuzz_replay TARGET          one
//   pointsman_fuzz_replay TARGET FILE...  these inputs
//   pointsman_fuzz_replay TARGET --random N    N random inputs; fewer than a fuzzer finds, but without clang
//
// An input that breaks something is told in base64, as it is kept in test/fuzz/corpus/.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>

#include "protocol/base64.hpp"
#include "test/fuzz/targets.hpp"
#include "test/unit/protocol/random_messages.hpp"

namespace {

using namespace pointsman::fuzz;

// For whoever reads that the process was aborted.
std::string current;
std::string current_input;

void on_abort(int) {
  std::fprintf(stderr, "fuzz: failed at %s: %s\n", current.c_str(), pointsman::to_base64(current_input).c_str());
  std::_Exit(1);
}

void run(const Target& target, const std::string& input) {
  current_input = input;
  target.run(input);
}

void run_random(const Target& target, std::size_t count) {
  pointsman::Dice dice(count);
  for (std::size_t number = 1; number <= count; ++number) {
    current = std::string(target.name) + ", random input " + std::to_string(number);
    std::string input(dice.between(1, target.longest / 4), '\0');
    for (char& byte : input) byte = static_cast<char>(dice.roll());
    run(target, input);
  }
  std::cout << target.name << ": " << count << " random inputs passed\n";
}

void replay(const Target& target) {
  std::size_t number = 0;
  for (const auto& seed : target.seeds()) {
    current = std::string(target.name) + ", seed " + std::to_string(++number);
    run(target, seed);
  }
  const std::size_t seeds = number;
  number = 0;
  for (const auto& input : kept(target)) {
    current = std::string(target.name) + ", kept input " + std::to_string(++number);
    run(target, input);
  }
  std::cout << target.name << ": " << seeds << " seeds and " << number << " kept inputs passed\n";
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, on_abort);
  try {
    if (argc == 1) {
      for (const Target& target : targets()) replay(target);
      return 0;
    }
    const Target* target = target_named(argv[1]);
    if (!target) {
      std::cerr << "fuzz: there is no target '" << argv[1] << "'\n";
      return 64;
    }
    if (argc == 2) replay(*target);
    if (argc == 4 && std::string_view(argv[2]) == "--random") {
      run_random(*target, std::stoul(argv[3]));
      return 0;
    }
    for (int i = 2; i < argc; ++i) {
      current = argv[i];
      std::ifstream file(current, std::ios::binary);
      if (!file) throw std::runtime_error(current + " cannot be read");
      std::stringstream bytes;
      bytes << file.rdbuf();
      run(*target, bytes.str());
      std::cout << current << " passed\n";
    }
  } catch (const std::exception& error) {
    std::cerr << "fuzz: " << current << ": " << error.what() << "\n";
    return 1;
  }
}
