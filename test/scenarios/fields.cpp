// Reads key=value words.

#include "test/scenarios/fields.hpp"

#include <algorithm>
#include <charconv>

#include "protocol/notation.hpp"

namespace pointsman::scenarios {
namespace {

// Cuts one word off; inside "" a blank is part of it, and the quotes go.
std::string take(std::string_view& rest) {
  std::string word;
  bool quoted = false;
  std::size_t i = 0;
  for (; i < rest.size() && (quoted || rest[i] != ' '); ++i) {
    if (rest[i] == '"') quoted = !quoted;
    else word += rest[i];
  }
  const auto next = rest.find_first_not_of(' ', i);
  rest = next == std::string_view::npos ? std::string_view() : rest.substr(next);
  return word;
}

}  // namespace

Fields::Fields(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  bool frames = false;
  while (!text.empty()) {
    auto word = take(text);
    if (word == "|" && !frames) {
      frames = true;
    } else if (frames) {
      payload_.emplace_back(std::move(word));
    } else if (const auto equals = word.find('='); equals == std::string::npos) {
      values_[word] = "yes";
    } else {
      values_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
}

std::string Fields::text(const std::string& key, std::string otherwise) {
  asked_[key] = true;
  const auto found = values_.find(key);
  return found == values_.end() ? std::move(otherwise) : found->second;
}

std::uint64_t Fields::number(const std::string& key, std::uint64_t otherwise) {
  const auto word = text(key);
  if (word.empty()) return otherwise;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size())
    throw ScenarioError("'" + key + "=" + word + "' is no number");
  return value;
}

Duration Fields::duration(const std::string& key, Duration otherwise) {
  const auto word = text(key);
  return word.empty() ? otherwise : duration_of(word);
}

Milliseconds Fields::milliseconds(const std::string& key, Milliseconds otherwise) {
  return std::chrono::duration_cast<Milliseconds>(duration(key, otherwise));
}

bool Fields::flag(const std::string& key) { return text(key, "no") != "no"; }

std::vector<std::string> Fields::keys_under(const std::string& prefix) const {
  std::vector<std::string> found;
  for (const auto& [key, value] : values_)
    if (key.starts_with(prefix)) found.push_back(key.substr(prefix.size()));
  return found;
}

void Fields::done() const {
  for (const auto& [key, value] : values_)
    if (!asked_.contains(key)) throw ScenarioError("unknown word '" + key + "'");
}

std::string payload_words(const Payload& payload) {
  std::string words;
  for (const auto& frame : payload) words += " " + shown(frame.view());
  return words.empty() ? words : " |" + words;
}

}  // namespace pointsman::scenarios
