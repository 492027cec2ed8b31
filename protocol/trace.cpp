// Trace lines: who, which way, and the message in the notation.
#include "protocol/trace.hpp"

#include "protocol/notation.hpp"

namespace pointsman {

std::string trace_line(const Received& event, const Naming& naming) {
  return naming(event.from) + " > " + to_line(event.message, event.payload);
}

std::string trace_line(const Send& action, const Naming& naming) {
  return naming(action.to) + " < " + to_line(action.message, action.payload);
}

}  // namespace pointsman
