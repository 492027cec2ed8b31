// The fleet says what its workers and clients would say, in virtual time.
#include "test/bench/fleet.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "protocol/must.hpp"

namespace pointsman::bench {

namespace {

using namespace std::chrono_literals;

constexpr Duration tick = 1us;             // from one message to the next
constexpr std::size_t clients = 10'000;    // that take turns
constexpr std::size_t connections = 1000;  // of workers; clients have one each

std::string numbered(const char* form, std::uint64_t number) {
  char text[64];
  return {text, static_cast<std::size_t>(
                    std::snprintf(text, sizeof text, form, static_cast<unsigned long>(number)))};
}

// With the return envelope of a REQ socket: an empty frame, packed.
Address address(Door door, std::uint64_t peer) {
  return {.door = door, .peer = peer, .envelope = std::string(1, '\0')};
}

double seconds(std::chrono::steady_clock::duration took) {
  return std::chrono::duration<double>(took).count();
}

}  // namespace

broker::Options Fleet::options_of(const FleetOptions& options) {
  broker::Options broker;
  broker.notice_wait = Duration{0};  // each step is one hand-off, whole
  broker.epoch = 1'000'000;
  broker.master.data.assign(32, 'm');
  broker.waiting_max = broker.sessions_max = 20'000'000;
  broker.workers_max = broker.service.offers_max = 1'000'000;
  broker.service.policy = options.policy;
  broker.service.queue_max = broker.waiting_max;
  return broker;
}

Fleet::Fleet(const FleetOptions& options) : options_(options), broker_(options_of(options)), now_(1h) {
  out_.reserve(64);
  register_workers(options.workers);
  if (options.sessions > 0) open_sessions(options.sessions);
  if (options.aside) {
    ask_aside(options.waiting);
  } else {
    for (std::size_t i = 0; i < options.waiting; ++i) step(request("resize"));
    MUST(told_.empty());
  }
}

// What the broker says is done away with by the next step, as a shell does it.
void Fleet::step(const broker::Event& event) {
  out_.clear();
  broker_.step(now_ += tick, event, out_);
  for (const broker::Action& action : out_) {
    if (const auto* assign = std::get_if<Assign>(&std::get<Send>(action).message)) {
      told_.emplace_back(assign->lease, assign->sessions.front().session);
    }
  }
}

// Whom the broker told of whom. A worker tells of a new session with its next report.
void Fleet::take_note() {
  for (const auto& [lease, session] : told_) {
    const auto at = static_cast<std::uint32_t>(lease - workers_.front().lease);
    workers_[at].fresh.push_back(session);
    sessions_.push_back({session, at});
  }
  granted_ += told_.size();
  told_.clear();
}

std::size_t Fleet::notes() const {
  std::size_t bytes = workers_.capacity() * sizeof(Worker) + sessions_.size() * sizeof(Held) +
                      told_.capacity() * sizeof(told_.front());
  for (const Worker& worker : workers_) {
    if (worker.fresh.capacity() > 0) bytes += std::max<std::size_t>(32, worker.fresh.capacity() * 8 + 16);
  }
  return bytes;
}

void Fleet::register_workers(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t number = workers_.size();
    Register message{.worker = numbered("worker-%06lu", number),
                     .instance = numbered("%016lx", number * 0x9e3779b97f4a7c15ULL),
                     .services = {{.service = "resize", .weight = 1 + number % options_.weights}},
                     .slots = options_.slots,
                     .endpoint = numbered("tcp://10.0.0.1:%lu", 10'000 + number % 50'000),
                     .lease_ms = 1h};
    if (options_.classes > 1) {
      MUST(message.attributes.add("class", static_cast<double>(number % options_.classes)).empty());
    }
    out_.clear();
    broker_.step(now_,
                 Received{address(Door::workers, 1'000'000 + number % connections), std::move(message), {}},
                 out_);
    const auto lease = std::get<Registered>(std::get<Send>(out_.front()).message).lease;
    MUST(workers_.empty() || lease == workers_.back().lease + 1);
    workers_.push_back({.lease = lease});
  }
}

Received Fleet::request(const std::string& service) {
  const std::uint64_t client = ++asked_ % clients;
  return {address(Door::clients, 1 + client),
          Request{.id = numbered("%lu", asked_),
                  .service = service,
                  .client = numbered("client-%05lu", client),
                  .wait_ms = 24h,
                  .absent = service != "resize",
                  .when = options_.when,
                  .prefer = options_.prefer},
          {}};
}

void Fleet::ask_aside(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) step(request("elsewhere"));
}

Received Fleet::opening(std::uint32_t at) {
  Worker& worker = workers_[at];
  Report report{.lease = worker.lease, .first = worker.reported + 1, .completed = worker.completed};
  for (const std::uint64_t session : worker.fresh) report.events.push_back({.session = session});
  worker.reported += worker.fresh.size();
  worker.fresh.clear();
  return {address(Door::workers, 1'000'000 + at % connections), std::move(report), {}};
}

void Fleet::open_sessions(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t before = sessions_.size();
    step(request("resize"));
    take_note();
    MUST(sessions_.size() == before + 1);
    const std::uint32_t at = sessions_.back().worker;
    if (workers_[at].fresh.size() >= 8) step(opening(at));
  }
  for (std::uint32_t at = 0; at < workers_.size(); ++at) {
    if (!workers_[at].fresh.empty()) step(opening(at));
  }
}

// A closing tells of what was opened before it, as a worker's does.
Received Fleet::closing(const Held& held) {
  Received received = opening(held.worker);
  Worker& worker = workers_[held.worker];
  auto& report = std::get<Report>(received.message);
  report.events.push_back({.session = held.session, .closed = true});
  ++worker.reported;
  report.completed = ++worker.completed;
  report.busy_ms = Milliseconds(worker.completed * 10);
  return received;
}

double Fleet::churn(std::size_t hand_offs) {
  // In batches: only sessions of before are closed in one.
  const std::size_t most = std::max<std::size_t>(1, std::min<std::size_t>(256, sessions_.size()));
  std::vector<broker::Event> closings, requests;
  double took = 0;
  while (hand_offs > 0) {
    const std::size_t batch = std::min(hand_offs, most);
    hand_offs -= batch;
    closings.clear();
    requests.clear();
    for (std::size_t i = 0; i < batch; ++i) {
      closings.emplace_back(closing(sessions_.front()));
      sessions_.pop_front();
      requests.emplace_back(request("resize"));
    }
    const std::uint64_t before = granted_;
    const auto begun = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < batch; ++i) {
      step(closings[i]);
      step(requests[i]);
    }
    took += seconds(std::chrono::steady_clock::now() - begun);
    take_note();
    MUST(granted_ == before + batch);
  }
  return took;
}

Received Fleet::cancel(std::uint64_t asked) {
  const std::uint64_t client = asked % clients;
  return {address(Door::clients, 1 + client),
          Cancel{.id = numbered("%lu", asked), .client = numbered("client-%05lu", client)},
          {}};
}

double Fleet::enter_and_cancel(std::size_t count) {
  std::vector<broker::Event> requests, cancels;
  for (std::size_t i = 0; i < count; ++i) {
    requests.emplace_back(request("elsewhere"));
    cancels.emplace_back(cancel(asked_ - options_.waiting / 2));
  }
  const auto begun = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    step(requests[i]);
    step(cancels[i]);
    MUST(std::holds_alternative<Cancelled>(std::get<Send>(out_.front()).message));
  }
  return seconds(std::chrono::steady_clock::now() - begun);
}

double Fleet::renew(std::size_t renewals) {
  std::vector<broker::Event> beats;
  double took = 0;
  for (std::size_t done = 0; done < renewals;) {
    beats.clear();
    for (; beats.size() < 256 && done < renewals; ++done) {
      const std::size_t at = done % workers_.size();
      const Worker& worker = workers_[at];
      beats.emplace_back(Received{address(Door::workers, 1'000'000 + at % connections),
                                  Heartbeat{.lease = worker.lease,
                                            .beat = done,
                                            .reported = worker.reported,
                                            .completed = worker.completed},
                                  {}});
    }
    const auto begun = std::chrono::steady_clock::now();
    for (const broker::Event& beat : beats) {
      out_.clear();
      broker_.step(now_ += tick, beat, out_);
    }
    took += seconds(std::chrono::steady_clock::now() - begun);
  }
  return took;
}

double Fleet::expire(std::size_t grants) {
  double longest = 0;
  const auto timed = [&](const broker::Event& event) {
    out_.clear();
    const auto begun = std::chrono::steady_clock::now();
    broker_.step(now_, event, out_);
    longest = std::max(longest, seconds(std::chrono::steady_clock::now() - begun));
  };
  now_ = std::max(now_, broker_.deadline());
  for (; grants > 0; --grants) {
    timed(request("resize"));
    if (broker_.deadline() <= now_) timed(Elapsed{});
  }
  return longest;
}

}  // namespace pointsman::bench
