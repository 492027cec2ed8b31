// Hears questions, and answers those that are for this broker.
#include "broker/beacons.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "protocol/endpoint.hpp"
#include "protocol/limits.hpp"
#include "protocol/system.hpp"

namespace pointsman::broker {

namespace {

constexpr Duration look_every = std::chrono::seconds(2);  // at the interfaces
constexpr Milliseconds lease = std::chrono::seconds(10);  // how long an answer holds
constexpr double answers_at_once = limits::answers_at_once;

std::string host_name() {
  std::array<char, limits::name> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "broker";
  return name.data();
}

std::string_view host_of(std::string_view endpoint) {
  const std::string_view rest = endpoint.substr(std::string_view("tcp://").size());
  return rest.substr(0, rest.rfind(':'));
}

std::string_view port_of(std::string_view endpoint) { return endpoint.substr(endpoint.rfind(':')); }

}  // namespace

std::string told_endpoint(const std::string& bound, const std::vector<NetAddress>& ours, bool six) {
  const bool same_machine =
      std::any_of(ours.begin(), ours.end(), [](const NetAddress& a) { return a.loopback; });
  if (stays_here(bound)) return same_machine ? bound : std::string();
  const std::string_view host = host_of(bound);
  const bool all_six = host == "[::]";
  if (!all_six && host != "0.0.0.0" && host != "*") return bound;
  // An address of the kind by which the question came, if the listener has it; one of the local link is a last resort.
  const auto worth = [&](const NetAddress& address) {
    if (address.six && !all_six) return 0;
    const bool link_only = address.six && address.address.starts_with("fe80:");
    return (address.six == six ? 2 : 1) + (link_only ? 0 : 2);
  };
  const auto best = std::max_element(ours.begin(), ours.end(), [&](const NetAddress& a, const NetAddress& b) {
    return worth(a) < worth(b);
  });
  if (best == ours.end() || worth(*best) == 0) return {};
  return "tcp://" + (best->six ? "[" + best->address + "]" : best->address) + std::string(port_of(bound));
}

Beacons::Beacons(Transport& transport, BeaconOptions options, Offers offers,
                 std::function<void(const std::string&)> say)
    : options_(std::move(options)),
      name_(host_name()),
      offers_(std::move(offers)),
      say_(std::move(say)),
      listener_(transport, stays_here(options_.clients) && stays_here(options_.workers),
                [this](const Datagram& datagram) { hear(datagram); }),
      tokens_(answers_at_once) {
  tick();
}

void Beacons::tick() {
  due_ = now() + look_every;
  if (const std::string problem = listener_.refresh(); !problem.empty())
    say_("questions for brokers are not heard on " + problem);
  addresses_ = net_addresses();
  if (ignored_ > told_ + 1) say_("and " + std::to_string(ignored_ - told_ - 1) + " more questions like that");
  told_ = ignored_;
}

void Beacons::ignore(const Datagram& datagram, std::string_view why) {
  if (ignored_++ == told_)
    say_("a question for brokers from " + datagram.from + " is not answered: " + std::string(why));
}

// So that a flood of questions does not become one of answers.
bool Beacons::may_answer() {
  const Instant at = now();
  const double seconds = std::chrono::duration<double>(at - filled_).count();
  tokens_ = std::min(answers_at_once, tokens_ + seconds * limits::answers);
  filled_ = at;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void Beacons::hear(const Datagram& datagram) {
  const Beacon beacon = decode_beacon(datagram.bytes, options_.realm);
  if (const auto* fault = std::get_if<BeaconFault>(&beacon)) return ignore(datagram, explain(*fault));
  const auto* question = std::get_if<Question>(&beacon);
  if (question == nullptr || (!question->group.empty() && question->group != options_.group))
    return;  // other people's talk
  if (!question->service.empty() && !offers_(question->service, {})) return;
  std::vector<NetAddress> ours;
  std::copy_if(addresses_.begin(), addresses_.end(), std::back_inserter(ours),
               [&](const NetAddress& address) { return address.index == datagram.index; });
  const Answer answer{.nonce = question->nonce,
                      .group = options_.group,
                      .broker = name_,
                      .clients = told_endpoint(options_.clients, ours, datagram.six),
                      .workers = told_endpoint(options_.workers, ours, datagram.six),
                      .key = options_.key,
                      .epoch = options_.epoch,
                      .lease_ms = lease};
  if (answer.clients.empty() && answer.workers.empty()) return;
  if (!may_answer()) return ignore(datagram, "there are too many of them");
  // Last, for a condition takes a while: it is looked at no more often than may be answered.
  if (!question->when.empty() && !offers_(question->service, question->when)) return;
  listener_.answer(datagram, encode_answer(answer, options_.realm));
}

}  // namespace pointsman::broker
