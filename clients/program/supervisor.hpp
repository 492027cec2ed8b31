// A supervisor as commands see it: where it is, and what it answers.

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "clients/program/context.hpp"

namespace pointsman::program {

// The folder of the supervisor that runs with these settings: up.folder; without it one in $XDG_RUNTIME_DIR that
// goes with the file, or `.pointsman` beside the file. The problem says what to do about it.
Or<std::string> folder_of(const Settings& settings);

// Asks, and hands over each answer until `answer` returns false. A supervisor that says nothing for five seconds
// is unreachable; --timeout ends it, too.
std::optional<Problem> ask_supervisor(const Context& context, const Message& question,
                                      const std::function<bool(const Message&)>& answer);

// What a refusal of it means for us.
Problem problem_of(const Refused& refused);

}  // namespace pointsman::program
