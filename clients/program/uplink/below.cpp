// The broker below, asked as the client library asks.
#include "clients/program/uplink/below.hpp"

#include <utility>

namespace pointsman::uplink {

Below::Below(Transport& transport, const ClientOptions& options, std::string endpoint, Duration every,
             std::function<void(const Census&)> seen, std::function<void(const Error&)> lost)
    : transport_(transport),
      seen_(std::move(seen)),
      lost_(std::move(lost)),
      look_(now(), std::move(endpoint), every, options.patience),
      engine_(options) {
  transport_.watch(answers_.bell().descriptor(), [this] {
    while (const auto answer = answers_.take()) hear(*answer);
  });
}

Below::~Below() { transport_.unwatch(answers_.bell().descriptor()); }

void Below::tend() {
  if (look_.deadline() <= now()) ask(look_.begin(now()));
}

void Below::ask(const Message& question) {
  engine_.ask(question, [this](const Message& answer) { answers_.put(answer); });
}

void Below::hear(const Message& answer) {
  const Look::Found found = look_.hear(now(), answer);
  if (found.question) ask(*found.question);
  if (found.seen) seen_(look_.census());
  if (found.lost) lost_(clients::error_of(*found.lost));
}

}  // namespace pointsman::uplink
