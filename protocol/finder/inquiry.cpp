// Asks, and judges what comes back.
#include "protocol/finder/inquiry.hpp"

#include <algorithm>
#include <cstring>
#include <variant>

#include "protocol/finder/core/sources.hpp"
#include "protocol/system.hpp"

namespace pointsman::finder {

namespace {

// An address of the local link is good with our own interface only.
std::string with_zone(std::string endpoint, const NetAddress& at) {
  const std::size_t end = endpoint.find(']');
  if (!endpoint.starts_with("tcp://[fe80:") || end == std::string::npos) return endpoint;
  return endpoint.insert(end, "%" + at.interface);
}

}  // namespace

std::string place_of(const NetAddress& at) { return at.interface + " " + at.address; }

std::string asked_at(const std::pair<NetAddress, std::string>& sent) {
  const auto& [at, problem] = sent;
  if (at.interface.empty()) return "not asked: " + problem;
  return place_of(at) + (problem.empty() ? ": asked" : ": cannot ask: " + problem);
}

std::string heard_at(const Answered& answered, const std::string& why) {
  std::string text = place_of(answered.at) + ": heard " + answered.from;
  if (answered.problem) return text + ", not believed: " + why;
  const Answer& answer = answered.answer;
  text += " (" + answer.broker + " of the group " + answer.group + ")";
  for (const auto& [door, endpoint] :
       {std::pair("clients", &answer.clients), std::pair("workers", &answer.workers)}) {
    text += std::string(door == std::string_view("clients") ? ": " : ", ") + door + " " +
            (endpoint->empty() ? "-" : *endpoint);
    const std::string seen = endpoint->empty() ? std::string() : as_seen(*endpoint, answered);
    if (!seen.empty()) text += ", or as it was seen " + seen;
  }
  return why.empty() ? text : text + ", not used: " + why;
}

std::string identity(const Answer& answer) { return answer.broker + " " + std::to_string(answer.epoch); }

bool may_lead_to(const std::string& endpoint, const NetAddress& at) {
  const auto parsed = parse_sources(endpoint, 1);
  const auto* sources = std::get_if<Sources>(&parsed);
  if (sources == nullptr || !is_single(*sources) || sources->front().what != endpoint) return false;
  return at.loopback || endpoint.starts_with("tcp://");
}

std::string as_seen(const std::string& endpoint, const Answered& answered) {
  if (!endpoint.starts_with("tcp://") || answered.at.loopback) return {};
  const std::string host = answered.at.six ? "[" + answered.from + "]" : answered.from;
  const std::string seen = with_zone("tcp://" + host + endpoint.substr(endpoint.rfind(':')), answered.at);
  return seen == endpoint ? std::string() : seen;
}

Inquiry::Inquiry(Transport& transport, Question question, Bytes realm,
                 std::function<void(const Answered&)> told)
    : question_(std::move(question)),
      realm_(std::move(realm)),
      told_(std::move(told)),
      asker_(transport, [this](const Datagram& datagram, const NetAddress& at) { hear(datagram, at); }) {}

std::vector<std::pair<NetAddress, std::string>> Inquiry::ask() {
  const Bytes chance = random_key();
  std::memcpy(question_.nonce.data(), chance.data.data(), question_.nonce.size());
  asked_.push_back(question_.nonce);
  if (asked_.size() > limits::questions) asked_.pop_front();
  return asker_.ask(encode_question(question_, realm_));
}

std::optional<std::string> Inquiry::judge(const Answer& answer) const {
  if (std::find(asked_.begin(), asked_.end(), answer.nonce) == asked_.end()) {
    return "it answers no question of ours, or an old one: it may be a repeated one";
  }
  if (!question_.group.empty() && answer.group != question_.group) return "it is of another group";
  if (answer.lease_ms.count() <= 0) return "it holds for no time";
  return std::nullopt;
}

void Inquiry::hear(const Datagram& datagram, const NetAddress& at) {
  Answered answered{.from = datagram.from, .at = at};
  const Beacon beacon = decode_beacon(datagram.bytes, realm_);
  if (const auto* fault = std::get_if<BeaconFault>(&beacon)) {
    answered.problem = std::string(explain(*fault));
  } else if (const auto* answer = std::get_if<Answer>(&beacon)) {
    answered.answer = *answer;
    answered.answer.clients = with_zone(answer->clients, at);
    answered.answer.workers = with_zone(answer->workers, at);
    answered.problem = judge(*answer);
  } else {
    answered.problem = "it is a question, not an answer";
  }
  told_(answered);
}

}  // namespace pointsman::finder
