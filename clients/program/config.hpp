// Config: the configuration file, TOML.
//
//   [broker]                      every key of broker::Options, and clients, workers, insecure, drain
//   [[service]] name = "zip"      policy, queue_max, offers_max, slow_start, aging, hang; name = "*": of those not listed
//   [client] broker, timeout
//   [worker] broker
//   [up] folder, stop, broker, ready, watchdog
//   [[process]] name, command, environment, and the keys of process_keys()

#pragma once

#include <optional>
#include <string>

#include "clients/program/problem.hpp"
#include "clients/program/settings.hpp"

namespace pointsman::program {

// Reads `path` into `settings` and notes the origins, "FILE:LINE". The problem names every mistake in the file,
// each with its line, column, the line itself and a caret.
std::optional<Problem> read_config(const std::string& path, Settings& settings);

// The same for a file that was read already.
std::optional<Problem> read_config_text(const std::string& path, const std::string& text, Settings& settings);

}  // namespace pointsman::program
