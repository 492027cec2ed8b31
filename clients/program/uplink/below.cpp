// One look: who is it, if that is not known, and then page after page of its workers.
#include "clients/program/uplink/below.hpp"

#include <algorithm>
#include <utility>

namespace pointsman::uplink {

namespace {

// A broker with many workers is not kept busy with telling of them: this share of the time at most.
constexpr int looks_share = 20;

}  // namespace

Below::Below(Transport& transport, const ClientOptions& options, std::string endpoint, Duration every,
             std::function<void(const Census&)> seen, std::function<void(const Error&)> lost)
    : transport_(transport),
      endpoint_(std::move(endpoint)),
      every_(every),
      patience_(options.patience),
      seen_(std::move(seen)),
      lost_(std::move(lost)),
      heard_(now()),
      next_(heard_),
      engine_(options) {
  transport_.watch(answers_.bell().descriptor(), [this] {
    while (const auto answer = answers_.take()) hear(*answer);
  });
}

Below::~Below() { transport_.unwatch(answers_.bell().descriptor()); }

void Below::tend() {
  if (next_ <= now()) look();
}

void Below::look() {
  next_ = never;
  began_ = now();
  census_ = Census(endpoint_);
  if (epoch_ == 0) return ask(Hello{});
  ask_page({});
}

void Below::ask_page(std::string after) {
  ask(List{.of = Subject::workers, .after = std::move(after), .limit = limits::rows});
}

void Below::ask(const Message& question) {
  engine_.ask(question, [this](const Message& answer) { answers_.put(answer); });
}

void Below::hear(const Message& answer) {
  if (const auto* refused = std::get_if<Refused>(&answer)) return failed(clients::error_of(*refused));
  if (const auto* page = std::get_if<Listing>(&answer)) return hear(*page);
  if (const auto* welcome = std::get_if<Welcome>(&answer)) epoch_ = welcome->epoch;
  ask_page({});
}

void Below::hear(const Listing& page) {
  for (const WorkerRow& row : page.workers) census_.add(row);
  if (!page.next.empty()) return ask_page(page.next);
  heard_ = now();
  next_ = began_ + std::max(every_, looks_share * (heard_ - began_));
  seen_(census_);
}

void Below::failed(const Error& error) {
  epoch_ = 0;
  next_ = now() + every_;
  if (now() - heard_ >= patience_) lost_(error);
}

}  // namespace pointsman::uplink
