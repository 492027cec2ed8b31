// Context: deadlines and questions of all commands.

#include "clients/program/context.hpp"

#include <algorithm>

#include "clients/program/duration.hpp"
#include "clients/program/output.hpp"
#include "protocol/codec.hpp"
#include "protocol/handshake.hpp"

namespace pointsman::program {

using std::chrono::milliseconds;

namespace {
constexpr Milliseconds a_day(limits::day_ms);
}  // namespace

ClientOptions client_options(const Context& context) {
  ClientOptions options;
  options.broker = context.settings.client_broker;
  // Throws what is wrong with them.
  const Credentials credentials = read_credentials(
      context.settings.client_key, context.settings.client_broker_key, context.settings.client_realm);
  if (names_one_broker(options.broker)) credentials_at(credentials, {});
  options.key = context.settings.client_key;
  options.broker_key = context.settings.client_broker_key;
  options.realm = context.settings.client_realm;
  options.attributes = context.settings.client_attributes;
  options.overflow = context.settings.client_overflow;
  options.trace = context.trace;
  // Less than --timeout, so that a broker that is not there is told as such.
  options.patience = std::min(options.patience, within(context, a_day) * 4 / 5);
  return options;
}

milliseconds within(const Context& context, Milliseconds wish) {
  const milliseconds wished(wish.count());
  if (context.deadline == Clock::time_point::max()) return wished;
  const auto left = std::chrono::ceil<milliseconds>(context.deadline - Clock::now());
  return std::clamp(left, milliseconds(1), std::max(wished, milliseconds(1)));
}

Problem timeout_problem(const Context& context) {
  return elapsed("not done within --timeout " + exact(context.settings.client_timeout));
}

void print_json(const Message& message) { write_out(encode(message, Codec::json) + "\n"); }

}  // namespace pointsman::program
