// Words of the command line that have a structure of their own.

#include "clients/program/words.hpp"

#include <charconv>

#include "protocol/limits.hpp"

namespace pointsman::program {
namespace {

std::optional<std::uint64_t> number_in(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < min || value > max) return std::nullopt;
  return value;
}

}  // namespace

Or<Offer> parse_offer(std::string_view text) {
  Offer offer;
  const auto first = text.find(':');
  offer.service = text.substr(0, first);
  if (offer.service.empty() || offer.service.size() > limits::name) {
    return usage("a service's name has 1 to " + std::to_string(limits::name) + " bytes",
                 "write --service NAME, NAME:WEIGHT or NAME:WEIGHT:SLOTS");
  }
  if (first == std::string_view::npos) return offer;
  auto rest = text.substr(first + 1);
  const auto second = rest.find(':');
  const auto weight = number_in(rest.substr(0, second), 1, limits::weight);
  if (!weight) {
    return usage("the weight in --service " + std::string(text) + " is no number from 1 to " +
                     std::to_string(limits::weight),
                 "write --service NAME:WEIGHT or NAME:WEIGHT:SLOTS");
  }
  offer.weight = *weight;
  if (second == std::string_view::npos) return offer;
  const auto slots = number_in(rest.substr(second + 1), 1, limits::slots);
  if (!slots) {
    return usage("the slots in --service " + std::string(text) + " are no number from 1 to " +
                     std::to_string(limits::slots),
                 "write --service NAME:WEIGHT:SLOTS");
  }
  offer.slots = *slots;
  return offer;
}

std::optional<Problem> explain_subject(const std::vector<std::string>& words, ExplainCommand& command) {
  const std::string& id = words.back();
  if (words.size() == 1 || words.front() == "request") {
    command.id = id;
  } else if (words.front() == "worker") {
    command.worker = id;
  } else if (words.front() == "service") {
    command.service = id;
  } else {
    const auto session = number_in(id, 1, limits::number);
    if (words.front() != "session" || !session) {
      return usage("\"" + words.front() + " " + id + "\" cannot be explained",
                   "say session NUMBER, worker NAME, service NAME or a request's ID");
    }
    command.session = *session;
  }
  return std::nullopt;
}

}  // namespace pointsman::program
