// Incoming: what the frames of one message mean.

#pragma once

#include <cstddef>
#include <variant>
#include <vector>

#include "protocol/machine.hpp"
#include "protocol/transport.hpp"

namespace pointsman {

// Splits, bounds and decodes. `seen` counts the frames that came, of which `frames` are the first; the
// payload is moved out of them. Fills in codec and envelope of `from`. A pure function, thread safe.
Incoming understand(Address from, std::vector<Frame>& frames, std::size_t seen,
                    const TransportLimits& limits);

}  // namespace pointsman
