// Fuzzes the notation: what is read is written and read again as the same, and its bytes can be sent.

#include "protocol/notation.hpp"

#include "protocol/must.hpp"
#include "test/fuzz/list.hpp"
#include "test/unit/protocol/random_messages.hpp"

namespace pointsman::fuzz {

void run_notation(std::string_view input) {
  Payload payload;
  const auto read = from_line(input, payload);
  if (const auto* fault = std::get_if<Fault>(&read)) {
    MUST(fault->code != Code::none && !fault->reason.empty());
  } else {
    const auto& message = std::get<Message>(read);
    const std::string line = to_line(message, payload);
    Payload payload_again;
    const auto again = from_line(line, payload_again);
    MUST(std::holds_alternative<Message>(again) && std::get<Message>(again) == message);
    MUST(payload_again == payload);
  }
  // Without a payload the same line is a message or none.
  const auto alone = from_line(input);
  MUST(std::holds_alternative<Fault>(alone) || payload.empty());
  MUST(quoted(input).size() >= input.size() + 2);
  MUST(!shown(input).empty());
}

std::vector<std::string> notation_seeds() {
  std::vector<std::string> seeds{R"(call session=9 number=1 | hello "two words" "\x00\"")", "granted", "request id= service=",
                                 "open ticket=b64\"AAEC\"", "list of=workers x=[{a=1}] y=forever", "status |"};
  for (const Fill fill : {Fill::required_only, Fill::any}) {
    Dice dice(2);
    for (const Message& message : one_of_each(dice, fill)) {
      std::string line = to_line(message);
      if (line.size() <= 2048) seeds.push_back(std::move(line));
    }
  }
  return seeds;
}

}  // namespace pointsman::fuzz
