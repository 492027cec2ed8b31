// Client::watch: a subscription on a connection of its own, renewed, with its gaps noticed.

#include <condition_variable>
#include <deque>
#include <variant>

#include "clients/inside.hpp"

namespace pointsman {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t news_max = 64 * 1024;  // events that the watcher has not taken yet; more are missed
constexpr auto renewal = 2s;                 // at the latest, so that a new broker is noticed soon
constexpr auto patience_of_idle = 100ms;
constexpr std::uint64_t leap =
    1'000'000;  // numbers count up from a broker's start: this far is another broker

// What came, in the order in which it came.
struct Inbox {
  using Item = std::variant<Happened, Message>;  // an event, or the answer to `watch`

  void push(Item item) {
    {
      const std::lock_guard lock(mutex);
      if (items.size() >= news_max && std::holds_alternative<Happened>(item)) return;
      items.push_back(std::move(item));
    }
    changed.notify_one();
  }
  std::optional<Item> take(std::chrono::milliseconds within) {
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, within, [this] { return !items.empty(); })) return std::nullopt;
    Item item = std::move(items.front());
    items.pop_front();
    return item;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Item> items;
};

// The numbers of the events of a watch of everything: none may be missing.
class Count {
 public:
  explicit Count(const std::function<void(std::uint64_t)>& gap) : gap_(gap) {}

  // An event came.
  void event(std::uint64_t number) {
    if (seen_ != 0 && number != seen_ + 1) tell(seen_ + 1, number);
    seen_ = number;
  }
  // The broker says which event it sent last.
  void last(std::uint64_t number) {
    if (seen_ != 0 && number != seen_) tell(seen_, number);
    seen_ = number;
  }

 private:
  void tell(std::uint64_t expected, std::uint64_t number) const {
    if (!gap_) return;
    const bool other = number < expected || number - expected > leap;
    gap_(other ? 0 : number - expected);
  }

  const std::function<void(std::uint64_t)>& gap_;
  std::uint64_t seen_ = 0;
};

}  // namespace

void Client::watch(const Watch& what, const std::function<bool(const Happened&)>& event,
                   const std::function<bool()>& idle, const std::function<void(std::uint64_t)>& gap) {
  inside_->engine->may_wait();
  const bool everything = what.service.empty() && what.kinds.empty();
  auto inbox = std::make_shared<Inbox>();
  clients::Engine engine(inside_->options, [inbox](Happened happened) { inbox->push(std::move(happened)); });
  Count count(gap);

  auto renew_at = std::chrono::steady_clock::now();
  bool asked = false;
  for (;;) {
    if (!asked && std::chrono::steady_clock::now() >= renew_at) {
      engine.ask(what, [inbox](const Message& answer) { inbox->push(answer); });
      asked = true;
    }
    const auto item = inbox->take(patience_of_idle);
    if (!item) {
      if (idle && !idle()) return;
    } else if (const auto* happened = std::get_if<Happened>(&*item)) {
      if (everything) count.event(happened->number);
      if (!event(*happened)) return;
    } else {
      const auto& answer = std::get<Message>(*item);
      if (const auto* refused = std::get_if<Refused>(&answer)) throw clients::error_of(*refused);
      const auto& watching = std::get<Watching>(answer);
      if (everything) count.last(watching.last);
      asked = false;
      renew_at =
          std::chrono::steady_clock::now() +
          std::min<std::chrono::milliseconds>(renewal, std::max(watching.term_ms / 3, Milliseconds(100)));
    }
  }
}

}  // namespace pointsman
