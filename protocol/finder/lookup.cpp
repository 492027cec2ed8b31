// Pages until there are no more, a problem, or the time is over.
#include "protocol/finder/lookup.hpp"

#include <iterator>
#include <utility>

namespace pointsman::finder {

namespace {

constexpr Duration patience = std::chrono::seconds(3);  // for all pages together

std::string sentence(const std::string& reason, const std::string& remedy) {
  return reason + (remedy.empty() ? "" : "; " + remedy);
}

}  // namespace

Lookup::Lookup(Transport& transport, std::string endpoint, Credentials credentials, Told told)
    : transport_(transport),
      endpoint_(std::move(endpoint)),
      credentials_(std::move(credentials)),
      told_(std::move(told)) {}

Lookup::~Lookup() {
  if (peer_ != 0) transport_.disconnect(peer_);
}

void Lookup::ask() {
  if (peer_ != 0) return;
  rows_.clear();
  try {
    peer_ = transport_.connect(Door::broker, endpoint_, {}, credentials_);
  } catch (const TransportError& error) {
    return end(error.what());
  }
  transport_.on_handshake(peer_, [this](const Handshake& handshake) { shook_hands(handshake); });
  until_ = now() + patience;
  ask_page({});
}

void Lookup::ask_page(std::string after) {
  transport_.send({.to = {.door = Door::broker, .peer = peer_},
                   .message = List{.of = Subject::brokers, .after = std::move(after), .limit = limits::rows},
                   .payload = {}});
}

void Lookup::tick() {
  if (until_ <= now()) end("has not answered");
}

void Lookup::shook_hands(const Handshake& handshake) {
  if (handshake.final()) end(sentence(handshake.reason, handshake.remedy));
}

void Lookup::take(const Incoming& incoming) {
  if (std::holds_alternative<Gone>(incoming)) return;  // connected anew meanwhile, or the time is over
  const auto* received = std::get_if<Received>(&incoming);
  if (received == nullptr) return end("does not speak as a broker");
  if (const auto* refused = std::get_if<Refused>(&received->message))
    return end(sentence(refused->reason.empty() ? std::string(word(refused->code)) : refused->reason, refused->remedy));
  const auto* page = std::get_if<Listing>(&received->message);
  if (page == nullptr || page->of != Subject::brokers) return;
  rows_.insert(rows_.end(), page->brokers.begin(), page->brokers.end());
  if (page->next.empty() || rows_.size() >= limits::brokers_below) return end({});
  ask_page(page->next);
}

void Lookup::end(std::string problem) {
  if (peer_ != 0) transport_.disconnect(std::exchange(peer_, 0));
  until_ = never;
  told_(std::exchange(rows_, {}), std::move(problem));
}

}  // namespace pointsman::finder
