// Layout: head, nonce, fields with their lengths in front, padding of a question, seal.
#include "protocol/beacon.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "protocol/limits.hpp"
#include "protocol/must.hpp"
#include "protocol/utf8.hpp"

namespace pointsman {

namespace {

constexpr std::string_view magic = "PMAN";
constexpr char version = 1;
constexpr char a_question = 1;
constexpr char an_answer = 2;
constexpr char not_sealed = 0;
constexpr char keyed_blake2b_256 = 1;
constexpr std::size_t version_at = 4;
constexpr std::size_t kind_at = 5;
constexpr std::size_t seal_at = 6;
constexpr std::size_t spare_at = 7;
constexpr std::size_t nonce_at = 8;
constexpr std::size_t head_bytes = nonce_at + limits::nonce;
constexpr std::size_t tag_bytes = 32;

using Tag = std::array<unsigned char, tag_bytes>;

Tag tag_of(std::string_view text, const Bytes& realm) {
  Tag tag{};
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  const auto* key = reinterpret_cast<const unsigned char*>(realm.data.data());
  MUST(crypto_generichash(tag.data(), tag.size(), bytes, text.size(), key, realm.data.size()) == 0);
  return tag;
}

void put_number(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size(), 2);
  out += text;
}

std::string head(char kind, const Nonce& nonce, const Bytes& realm) {
  MUST(realm.data.empty() || realm.data.size() == 32);
  std::string out(magic);
  out += version;
  out += kind;
  out += realm.data.empty() ? not_sealed : keyed_blake2b_256;
  out += '\0';
  out.append(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  return out;
}

std::string seal(std::string out, const Bytes& realm) {
  if (!realm.data.empty()) {
    const Tag tag = tag_of(out, realm);
    out.append(reinterpret_cast<const char*>(tag.data()), tag.size());
  }
  MUST(out.size() <= limits::datagram);
  return out;
}

// What would steer a terminal that shows it.
bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

// Takes fields out of a text; once something does not fit, nothing does.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char byte : take(bytes)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  std::string text(std::size_t max) {
    const std::size_t size = number(2);
    const std::string_view text = take(size);
    good_ &= size <= max && is_utf8(text) && std::none_of(text.begin(), text.end(), is_control);
    return good_ ? std::string(text) : std::string();
  }
  std::string_view take(std::size_t bytes) {
    good_ &= bytes <= text_.size();
    if (!good_) return {};
    const std::string_view taken = text_.substr(0, bytes);
    text_.remove_prefix(bytes);
    return taken;
  }
  bool rest_is_zero() const { return text_.find_first_not_of('\0') == std::string_view::npos; }
  bool at_end() const { return text_.empty(); }
  bool good() const { return good_; }

 private:
  std::string_view text_;
  bool good_ = true;
};

std::optional<Question> read_question(Reader reader, const Nonce& nonce) {
  Question question{.nonce = nonce, .group = reader.text(limits::name), .service = reader.text(limits::name)};
  question.when = reader.text(limits::question_condition);
  if (!reader.good() || !reader.rest_is_zero()) return std::nullopt;
  return question;
}

std::optional<Answer> read_answer(Reader reader, const Nonce& nonce) {
  Answer answer{.nonce = nonce, .group = reader.text(limits::name), .broker = reader.text(limits::name)};
  answer.clients = reader.text(limits::endpoint);
  answer.workers = reader.text(limits::endpoint);
  const std::string_view key = reader.take(answer.key.bytes.size());
  answer.epoch = reader.number(8);
  const std::uint64_t lease = reader.number(8);
  if (!reader.good() || !reader.at_end() || answer.group.empty()) return std::nullopt;
  if (answer.epoch > limits::number || lease > limits::day_ms) return std::nullopt;
  std::memcpy(answer.key.bytes.data(), key.data(), key.size());
  answer.lease_ms = Milliseconds(static_cast<std::int64_t>(lease));
  return answer;
}

}  // namespace

std::string_view explain(BeaconFault fault) {
  switch (fault) {
    case BeaconFault::no_beacon: return "it is no answer of a broker, or was damaged";
    case BeaconFault::other_version: return "it is of another version of the protocol";
    case BeaconFault::unsealed: return "it is not sealed, and a realm key is asked for";
    case BeaconFault::sealed:
      return "it is sealed with a realm key, and there is none here; name it with --realm";
    case BeaconFault::other_realm:
      return "its seal is not of this realm key: it is of another realm, or forged";
    case BeaconFault::count_: break;
  }
  return "";
}

std::string encode_question(const Question& question, const Bytes& realm) {
  std::string out = head(a_question, question.nonce, realm);
  put_text(out, question.group);
  put_text(out, question.service);
  put_text(out, question.when);
  const std::size_t tag = realm.data.empty() ? 0 : tag_bytes;
  MUST(out.size() + tag <= limits::datagram);
  out.resize(limits::datagram - tag, '\0');
  return seal(std::move(out), realm);
}

std::string encode_answer(const Answer& answer, const Bytes& realm) {
  std::string out = head(an_answer, answer.nonce, realm);
  for (const std::string* text : {&answer.group, &answer.broker, &answer.clients, &answer.workers})
    put_text(out, *text);
  out.append(reinterpret_cast<const char*>(answer.key.bytes.data()), answer.key.bytes.size());
  put_number(out, answer.epoch, 8);
  put_number(out, static_cast<std::uint64_t>(answer.lease_ms.count()), 8);
  return seal(std::move(out), realm);
}

Beacon decode_beacon(std::string_view datagram, const Bytes& realm) {
  if (datagram.size() < head_bytes || datagram.size() > limits::datagram || !datagram.starts_with(magic))
    return BeaconFault::no_beacon;
  if (datagram[version_at] != version) return BeaconFault::other_version;
  if (datagram[spare_at] != '\0') return BeaconFault::no_beacon;
  const bool sealed = datagram[seal_at] == keyed_blake2b_256;
  if (!sealed && datagram[seal_at] != not_sealed) return BeaconFault::other_version;
  if (sealed && realm.data.empty()) return BeaconFault::sealed;
  if (!sealed && !realm.data.empty()) return BeaconFault::unsealed;
  const char kind = datagram[kind_at];
  // Nobody answers to something short.
  if (kind == a_question && datagram.size() != limits::datagram) return BeaconFault::no_beacon;
  if (sealed) {
    if (datagram.size() < head_bytes + tag_bytes) return BeaconFault::no_beacon;
    const std::string_view tag = datagram.substr(datagram.size() - tag_bytes);
    datagram.remove_suffix(tag_bytes);
    const Tag right = tag_of(datagram, realm);
    if (sodium_memcmp(right.data(), tag.data(), tag.size()) != 0) return BeaconFault::other_realm;
  }
  Nonce nonce{};
  std::memcpy(nonce.data(), datagram.data() + nonce_at, nonce.size());
  const Reader reader(datagram.substr(head_bytes));
  if (kind == a_question) {
    if (auto question = read_question(reader, nonce)) return *std::move(question);
  } else if (kind == an_answer) {
    if (auto answer = read_answer(reader, nonce)) return *std::move(answer);
  }
  return BeaconFault::no_beacon;
}

}  // namespace pointsman
