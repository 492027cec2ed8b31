// What an uplink asks below, and says above.
#include "test/figures/uplink.hpp"

#include <algorithm>
#include <utility>

#include "protocol/must.hpp"

namespace pointsman::figures {

using namespace std::chrono_literals;

Uplink::Member::Member(Hall& hall, workers::WorkerSettings settings)
    : above(hall),
      name(settings.name),
      core(std::move(settings)),
      alarm(hall.town(), [this] { step(Elapsed{}); }) {
  peer = above.connect([this](const Message& message) {
    step(Received{{.door = Door::broker}, message, {}});
  });
  step(Elapsed{});
}

void Uplink::Member::step(const workers::Event& event) {
  actions.clear();
  core.step(above.town().now(), event, actions);
  for (workers::Action& action : actions) {
    if (auto* send = std::get_if<Send>(&action)) above.say(Door::workers, peer, std::move(send->message));
    MUST(!std::holds_alternative<workers::Denied>(action));
  }
  alarm.set(core.deadline());
}

Uplink::Uplink(Hall& below, const std::vector<Hall*>& above, const std::string& name, Duration every)
    : below_(below),
      name_(name),
      peer_(below.connect([this](const Message& answer) { hear(answer); })),
      look_(below.town().now(), "tcp://" + name + ":1", every, 3s),
      alarm_(below.town(), [this] {
        const Instant now = below_.town().now();
        if (look_.deadline() <= now) below_.say(Door::clients, peer_, look_.begin(now));
        alarm_.set(look_.deadline());
      }) {
  for (Hall* hall : above) above_.push_back({*hall, uplink::Registrations(name), {}});
  alarm_.set(look_.deadline());
}

void Uplink::hear(const Message& answer) {
  auto found = look_.hear(below_.town().now(), answer);
  alarm_.set(look_.deadline());
  if (found.question) return below_.say(Door::clients, peer_, std::move(*found.question));
  if (!found.seen) return;
  for (Above& above : above_) {
    const auto passes = [&](const std::string& name) -> std::uint64_t {
      return member_of(above, name).core.sessions();
    };
    for (const uplink::Step& step : above.registrations.look(look_.census(), passes)) {
      if (const auto* one = std::get_if<uplink::Join>(&step)) join(above, *one);
      if (const auto* one = std::get_if<uplink::Change>(&step))
        member_of(above, one->name).step(workers::Resize{.slots = one->slots, .weight = one->weight});
      MUST(!std::holds_alternative<uplink::Leave>(step));
    }
  }
}

void Uplink::join(Above& above, const uplink::Join& join) {
  workers::WorkerSettings settings{.name = join.name,
                                   .instance = name_,
                                   .offers = {},
                                   .slots = join.slots,
                                   .endpoint = "tcp://" + name_ + ":1",
                                   .direct = Direct::broker};
  for (const std::string& service : join.of.services)
    settings.offers.push_back({.service = service, .weight = join.weight});
  above.members.emplace_back(above.hall, std::move(settings));
}

Uplink::Member& Uplink::member_of(Above& above, const std::string& name) {
  const auto found = std::find_if(above.members.begin(), above.members.end(),
                                  [&](const Member& one) { return one.name == name; });
  MUST(found != above.members.end());
  return *found;
}

}  // namespace pointsman::figures
