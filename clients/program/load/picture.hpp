// Picture: a result as one SVG: latency over time, answers over time, latency by percentile. Pure.

#pragma once

#include <string>

#include "clients/program/load/result.hpp"

namespace pointsman::load {

std::string picture_of(const Result& result);

}  // namespace pointsman::load
