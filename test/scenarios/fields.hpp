// `key=value` words, for options and for what a program tells its own core. What is not asked for is an error.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/machine.hpp"
#include "test/scenarios/script.hpp"

namespace pointsman::scenarios {

class Fields {
 public:
  // Words may be quoted with "". A word without `=` is a flag. After `|` follow payload frames.
  explicit Fields(std::string_view text);

  bool has(const std::string& key) const { return values_.contains(key); }
  std::string text(const std::string& key, std::string otherwise = {});
  std::uint64_t number(const std::string& key, std::uint64_t otherwise = 0);
  Duration duration(const std::string& key, Duration otherwise = {});
  Milliseconds milliseconds(const std::string& key, Milliseconds otherwise = Milliseconds(0));
  bool flag(const std::string& key);
  Payload payload() const { return payload_; }

  // Keys that start with `prefix`, without it.
  std::vector<std::string> keys_under(const std::string& prefix) const;

  // Throws ScenarioError if a word was not asked for: it is misspelt.
  void done() const;

 private:
  std::map<std::string, std::string> values_;
  std::map<std::string, bool> asked_;
  Payload payload_;
};

// ` | "one" "two"`, or nothing.
std::string payload_words(const Payload& payload);

// The value whose word is `name`; throws ScenarioError.
template <class Enum>
Enum value_of(const std::string& name) {
  for (std::size_t i = 0; i < Words<Enum>::list.size(); ++i)
    if (Words<Enum>::list[i] == name) return static_cast<Enum>(i);
  throw ScenarioError("unknown word '" + name + "'");
}

}  // namespace pointsman::scenarios
