// Words of the command line that have a structure of their own. Pure, thread safe.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clients/program/commands.hpp"

namespace pointsman::program {

// "NAME[:weight[:slots]]"
Or<Offer> parse_offer(std::string_view text);

// Fills in what is to be explained: "ID", or "worker w1", "service zip", "session 7", "request ID".
std::optional<Problem> explain_subject(const std::vector<std::string>& words, ExplainCommand& command);

}  // namespace pointsman::program
