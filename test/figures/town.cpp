// Time in the town, and what its parties say.
#include "test/figures/town.hpp"

#include <algorithm>
#include <utility>

#include "protocol/must.hpp"

namespace pointsman::figures {

namespace {

constexpr std::string_view everybody = "everybody";  // the client's name: nobody has a quota here

}  // namespace

void Town::at(Instant when, std::function<void()> act) {
  due_.push_back({std::max(when, now_), ++orders_, std::move(act)});
  std::push_heap(due_.begin(), due_.end());
}

void Town::run(Duration time) {
  const Instant until = now_ + time;
  while (!due_.empty() && due_.front().at <= until) {
    std::pop_heap(due_.begin(), due_.end());
    const Due due = std::move(due_.back());
    due_.pop_back();
    now_ = due.at;
    due.act();
  }
  now_ = until;
}

void Alarm::set(Instant deadline) {
  if (deadline >= set_) return;
  set_ = deadline;
  town_.at(deadline, [this, deadline] {
    if (set_ != deadline) return;  // it was set to an earlier moment meanwhile
    set_ = never;
    ring_();
  });
}

Hall::Hall(Town& town, broker::Options options)
    : town_(town),
      broker_((options.master.data.assign(32, 'm'), options.settle = {}, options)),
      alarm_(town, [this] { step(Elapsed{}); }) {}

std::uint64_t Hall::connect(Ear ear) {
  ears_.push_back(std::move(ear));
  return ears_.size() - 1;
}

void Hall::say(Door door, std::uint64_t peer, Message message) {
  town_.after({}, [this, door, peer, message = std::move(message)] {
    step(Received{{.door = door, .peer = peer}, message, {}});
  });
}

void Hall::step(const broker::Event& event) {
  actions_.clear();
  broker_.step(town_.now(), event, actions_);
  for (broker::Action& action : actions_) {
    auto& send = std::get<Send>(action);
    town_.after({}, [this, peer = send.to.peer, message = std::move(send.message)] { ears_[peer](message); });
  }
  alarm_.set(broker_.deadline());
}

Crew::Crew(Hall& hall, std::string service)
    : hall_(hall), service_(std::move(service)), peer_(hall.connect([this](const Message& message) {
        if (const auto* said = std::get_if<Registered>(&message)) workers_[said->worker].lease = said->lease;
        MUST(!std::holds_alternative<Refused>(message));
      })) {}

void Crew::join(const std::string& name, std::uint64_t slots) {
  hall_.say(Door::workers, peer_,
            Register{.worker = name,
                     .instance = name,
                     .services = {{.service = service_}},
                     .slots = slots,
                     .endpoint = "tcp://worker:1",
                     .lease_ms = forever});
}

void Crew::serve(const Granted& granted, Duration work, std::function<void()> done) {
  Worker& worker = workers_.at(granted.worker);
  report(worker, {.session = granted.session});
  hall_.town().after(work, [this, &worker, session = granted.session, work, done = std::move(done)] {
    ++worker.completed;
    worker.busy += work;
    report(worker, {.session = session, .closed = true});
    done();
  });
}

void Crew::report(Worker& worker, SessionEvent event) {
  hall_.say(Door::workers, peer_,
            Report{.lease = worker.lease,
                   .first = ++worker.reported,
                   .events = {event},
                   .completed = worker.completed,
                   .busy_ms = std::chrono::duration_cast<Milliseconds>(worker.busy)});
}

Clients::Clients(Hall& hall)
    : hall_(hall), peer_(hall.connect([this](const Message& message) { hear(message); })) {}

void Clients::ask(const std::string& id, const std::string& service, Milliseconds wait, Answered answered) {
  MUST(waiting_.emplace(id, std::move(answered)).second);
  hall_.say(Door::clients, peer_,
            Request{.id = id, .service = service, .client = std::string(everybody), .wait_ms = wait});
}

void Clients::release(const Granted& granted) {
  hall_.say(Door::clients, peer_, Release{.session = granted.session, .client = std::string(everybody)});
}

void Clients::hear(const Message& message) {
  const auto* granted = std::get_if<Granted>(&message);
  const auto* refused = std::get_if<Refused>(&message);
  if (granted == nullptr && refused == nullptr) return;
  MUST(granted != nullptr || refused->about == Request::op);
  const auto found = waiting_.find(granted != nullptr ? granted->id : refused->id);
  MUST(found != waiting_.end());
  const Answered answered = std::move(found->second);
  waiting_.erase(found);
  answered(granted);
}

}  // namespace pointsman::figures
