// Fuzzes beacons: any bytes, and true datagrams of which something was altered. What is sealed is taken as it is or not
// at all; what is not is within its bounds, and has one way to be written.

#include "protocol/beacon.hpp"

#include "protocol/limits.hpp"
#include "protocol/must.hpp"
#include "protocol/utf8.hpp"
#include "test/fuzz/input.hpp"
#include "test/fuzz/list.hpp"

namespace pointsman::fuzz {

namespace {

const Bytes realm{std::string(32, 'r')};
const Bytes of_nobody{std::string(32, 'n')};  // no input is sealed with it
const Bytes none;

std::string text(Input& input, std::size_t max) {
  std::string out = fit(std::string(input.take(input.number(2) % (max + 1))), max);
  std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
  return out;
}

Answer answer_of(Input& input) {
  Answer answer;
  for (std::uint8_t& byte : answer.nonce) byte = input.byte();
  answer.group = text(input, limits::name) + "g";
  if (answer.group.size() > limits::name) answer.group = "g";
  answer.broker = text(input, limits::name);
  answer.clients = text(input, limits::endpoint);
  answer.workers = text(input, limits::endpoint);
  for (std::uint8_t& byte : answer.key.bytes) byte = input.byte();
  answer.epoch = input.number(8) & limits::number;
  answer.lease_ms = Milliseconds(static_cast<std::int64_t>(input.number(8) % (limits::day_ms + 1)));
  return answer;
}

void check(const Beacon& beacon, std::string_view datagram, const Bytes& key) {
  if (const auto* answer = std::get_if<Answer>(&beacon)) MUST(encode_answer(*answer, key) == datagram);
  if (const auto* question = std::get_if<Question>(&beacon))
    MUST(encode_question(*question, key) == datagram);
}

}  // namespace

void run_beacon(std::string_view bytes) {
  for (const Bytes& key : {none, realm}) check(decode_beacon(bytes, key), bytes, key);
  // Nobody without the key makes one.
  MUST(std::holds_alternative<BeaconFault>(decode_beacon(bytes, of_nobody)));

  Input input(bytes);
  const Answer answer = answer_of(input);
  for (const Bytes& key : {none, realm}) {
    const std::string datagram = encode_answer(answer, key);
    MUST(datagram.size() <= limits::datagram);
    const Beacon read = decode_beacon(datagram, key);
    MUST(std::holds_alternative<Answer>(read) && std::get<Answer>(read) == answer);
  }
  for (const Bytes& key : {none, realm}) {
    std::string altered = encode_answer(answer, key);
    const std::string before = altered;
    Input how = input;
    while (!how.empty()) {
      char& byte = altered[how.number(2) % altered.size()];
      byte = static_cast<char>(byte ^ static_cast<char>(how.byte()));
    }
    const Beacon read = decode_beacon(altered, key);
    check(read, altered, key);
    if (!key.data.empty() && altered != before) MUST(std::holds_alternative<BeaconFault>(read));
  }
}

std::vector<std::string> beacon_seeds() {
  const Answer answer{.group = "lab", .broker = "b", .clients = "tcp://10.0.0.1:5570"};
  return {"",
          encode_answer(answer, none),
          encode_answer(answer, realm),
          encode_question({.group = "lab", .service = "zip", .when = "mem >= 4G"}, none),
          encode_question({.group = "lab", .service = ""}, Bytes{std::string(32, 'x')}),
          std::string(200, '\1'),
          std::string(120, '\1') + "\x05\x01\x07\x80"};
}

}  // namespace pointsman::fuzz
