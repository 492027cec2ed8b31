// The fuzzed parts: for each what is done with a string of bytes, and the strings to begin with.
//
// What must hold is a MUST of the target or of the code itself; else the sanitizers judge.

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pointsman::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
  std::vector<std::string> (*seeds)();  // the same ones each time
  std::size_t longest;                  // bytes of an input that are worth trying
};

std::span<const Target> targets();
const Target* target_named(std::string_view name);

// Inputs that found something or reached what others did not: test/fuzz/corpus/NAME.txt, an input a line in
// base64, the rest of the line is a remark. Throws std::runtime_error for a file that is not so.
std::vector<std::string> kept(const Target& target);

// Random bytes, the same ones each time: what a stateful target begins with.
std::vector<std::string> random_seeds(std::size_t count, std::size_t longest);

}  // namespace pointsman::fuzz
