// Fuzzes the decoder of bodies: what it takes is within bounds, and says the same when it is written and read again.

#include "protocol/codec.hpp"
#include "protocol/must.hpp"
#include "test/fuzz/list.hpp"
#include "test/unit/protocol/random_messages.hpp"

namespace pointsman::fuzz {

void run_message(std::string_view input) {
  Codec codec = Codec::msgpack;
  const auto decoded = decode(input, codec);
  if (const auto* fault = std::get_if<Fault>(&decoded)) {
    MUST(fault->code != Code::none && !fault->reason.empty());
    MUST(fault->session <= limits::number && fault->number <= limits::number);
    return;
  }
  for (const Codec as : {Codec::msgpack, Codec::json}) {
    const std::string written = encode(std::get<Message>(decoded), as);
    Codec seen = Codec::msgpack;
    const auto again = decode(written, seen);
    MUST(seen == as);
    MUST(std::holds_alternative<Message>(again));
    MUST(std::get<Message>(again) == std::get<Message>(decoded));
  }
}

std::vector<std::string> message_seeds() {
  std::vector<std::string> seeds;
  for (const Fill fill : {Fill::required_only, Fill::any}) {
    Dice dice(1);
    for (const Message& message : one_of_each(dice, fill)) {
      for (const Codec as : {Codec::msgpack, Codec::json}) {
        std::string body = encode(message, as);
        if (body.size() <= 2048) seeds.push_back(std::move(body));
      }
    }
  }
  return seeds;
}

}  // namespace pointsman::fuzz
