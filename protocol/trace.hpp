// Trace: what a core was told and said, a line each in the notation. Ready to paste into a scenario.

#pragma once

#include <functional>
#include <string>

#include "protocol/machine.hpp"

namespace pointsman {

// A name for each address: a scenario's, or `c1`, `w2` in the order in which they turned up.
using Naming = std::function<std::string(const Address&)>;

// "ann > request id=1 service=zip" for what came, "ann < granted …" for what went.
std::string trace_line(const Received& event, const Naming& naming);
std::string trace_line(const Send& action, const Naming& naming);

}  // namespace pointsman
