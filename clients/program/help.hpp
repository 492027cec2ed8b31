// Help: the topics of `pointsman help`, beside the help of each command.

#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace pointsman::program {

std::vector<std::string_view> help_topics();
std::optional<std::string_view> help_topic(std::string_view name);

}  // namespace pointsman::program
