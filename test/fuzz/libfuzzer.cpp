// The door for libFuzzer. The first argument, or POINTSMAN_FUZZ_TARGET, names the target.
//
//   pointsman_fuzz --targets              their names
//   pointsman_fuzz TARGET --seeds FOLDER  writes the inputs to begin with, a file each
//   pointsman_fuzz TARGET …               libFuzzer's own arguments

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "protocol/must.hpp"
#include "test/fuzz/targets.hpp"

namespace {

using namespace pointsman::fuzz;

const Target* chosen = nullptr;

void write_seeds(const std::string& folder) {
  std::size_t number = 0;
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream file(folder + "/" + name + std::to_string(++number), std::ios::binary);
    file << bytes;
    MUST(file.good());
  };
  for (const std::string& bytes : chosen->seeds()) write("seed-", bytes);
  for (const std::string& bytes : kept(*chosen)) write("kept-", bytes);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc > 1 && std::string_view((*argv)[1]) == "--targets") {
    for (const Target& target : targets()) std::cout << target.name << " " << target.longest << "\n";
    std::exit(0);
  }
  // libFuzzer starts itself again with its own arguments, so the name goes by the environment.
  if (*argc > 1 && (chosen = target_named((*argv)[1])) != nullptr) {
    setenv("POINTSMAN_FUZZ_TARGET", (*argv)[1], 1);
    for (int i = 1; i < *argc; ++i) (*argv)[i] = (*argv)[i + 1];
    --*argc;
  } else if (const char* name = std::getenv("POINTSMAN_FUZZ_TARGET")) {
    chosen = target_named(name);
  }
  if (!chosen) {
    std::cerr << "pointsman_fuzz: name a target; --targets lists them\n";
    std::exit(64);
  }
  if (*argc == 3 && std::string_view((*argv)[1]) == "--seeds") {
    write_seeds((*argv)[2]);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
