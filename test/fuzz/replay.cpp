// Runs inputs through targets without a fuzzer, under whatever the program is compiled with.
//
//   pointsman_fuzz_replay                 every target: its seeds and what is kept for it
//   pointsman_fuzz_replay TARGET          one
//   pointsman_fuzz_replay TARGET FILE...  these inputs

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>

#include "test/fuzz/targets.hpp"

namespace {

using namespace pointsman::fuzz;

// For whoever reads that the process was aborted.
std::string current;

void on_abort(int) {
  std::fprintf(stderr, "fuzz: failed at %s\n", current.c_str());
  std::_Exit(1);
}

void replay(const Target& target) {
  std::size_t number = 0;
  for (const auto& seed : target.seeds()) {
    current = std::string(target.name) + ", seed " + std::to_string(++number);
    target.run(seed);
  }
  const std::size_t seeds = number;
  number = 0;
  for (const auto& input : kept(target)) {
    current = std::string(target.name) + ", kept input " + std::to_string(++number);
    target.run(input);
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
    for (int i = 2; i < argc; ++i) {
      current = argv[i];
      std::ifstream file(current, std::ios::binary);
      if (!file) throw std::runtime_error(current + " cannot be read");
      std::stringstream bytes;
      bytes << file.rdbuf();
      target->run(bytes.str());
      std::cout << current << " passed\n";
    }
  } catch (const std::exception& error) {
    std::cerr << "fuzz: " << current << ": " << error.what() << "\n";
    return 1;
  }
}
