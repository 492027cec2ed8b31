// Rolls: new processes for old ones, a few at a time, and nobody notices.
#include <algorithm>

#include "broker/supervisor/core/supervisor.hpp"

namespace pointsman::supervisor {

bool Supervisor::rolls(std::size_t group) const {
  return std::any_of(rolls_.begin(), rolls_.end(), [&](const auto& entry) {
    return entry.first == options_.groups[group].service || entry.first == options_.groups[group].name;
  });
}

void Supervisor::on(const Address& from, const Roll& message) {
  Rolling rolling{.service = message.service, .to = from, .at_once = message.at_once};
  bool known = false;
  for (const auto& [key, process] : processes_) {
    const Group& group = group_of(*process);
    if (group.kind == ProcessKind::broker) continue;
    if (group.service != message.service && group.name != message.service) continue;
    known = true;
    if (rolls(key.first)) {
      return refuse(from, Roll::op, Code::busy, "its processes are being replaced already", "see: pointsman ps");
    }
    // Those that stop now have either done their service, or are started anew anyway.
    const bool goes_on = process->state != ProcessState::stopped && process->state != ProcessState::stopping;
    if (goes_on) rolling.old.push_back(process.get());
  }
  if (stopping_) return refuse(from, Roll::op, Code::shutting_down, "everything is being stopped", "");
  if (!known) {
    return refuse(from, Roll::op, Code::unknown_service, "no process is configured for \"" + message.service + "\"",
                  "see: pointsman ps");
  }
  const std::size_t room = limits::processes - processes_.size();
  if (room == 0 && !rolling.old.empty()) {
    return refuse(from, Roll::op, Code::limit_reached,
                  "there are " + std::to_string(limits::processes) + " processes, and no room for another",
                  "configure fewer");
  }
  rolling.at_once = std::min<std::uint64_t>(rolling.at_once, std::max<std::size_t>(room, 1));
  rolling.total = rolling.old.size();
  Rolling& kept = rolls_.emplace(message.service, std::move(rolling)).first->second;
  advance(kept);
}

void Supervisor::tell(const Rolling& rolling, std::string step) {
  send(rolling.to, Rolled{.service = rolling.service,
                          .done = rolling.done,
                          .total = rolling.total,
                          .step = std::move(step)});
}

// Starts successors as far as may be; or says that it is over.
void Supervisor::advance(Rolling& rolling) {
  while (!rolling.old.empty() && rolling.pairs.size() + rolling.leaving.size() < rolling.at_once) {
    Process& old = *rolling.old.front();
    rolling.old.pop_front();
    Process& fresh = add(old.group);
    fresh.fresh = true;
    rolling.pairs.emplace_back(&old, &fresh);
    launch(fresh);
    tell(rolling, fresh.name + " is started to replace " + old.name);
  }
  finish_if_over(rolling);
}

void Supervisor::finish_if_over(Rolling& rolling) {
  if (!rolling.old.empty() || !rolling.pairs.empty() || !rolling.leaving.empty()) return;
  send(rolling.to, Rolled{.service = rolling.service,
                          .done = rolling.done,
                          .total = rolling.total,
                          .over = true,
                          .code = rolling.code,
                          .reason = rolling.reason});
  rolls_.erase(rolls_.find(rolling.service));
}

void Supervisor::replacement_ready(Process& fresh) {
  fresh.fresh = false;
  for (auto& [name, rolling] : rolls_) {
    const auto pair = std::find_if(rolling.pairs.begin(), rolling.pairs.end(), [&](const auto& p) { return p.second == &fresh; });
    if (pair == rolling.pairs.end()) continue;
    Process& old = *pair->first;
    rolling.pairs.erase(pair);
    rolling.leaving.push_back(&old);
    tell(rolling, fresh.name + " is ready; " + old.name + " gets no new sessions");
    old.next = never;
    if (old.run == 0) return replaced(old);
    if (old.aborted || old.terminated) old.after = After::removal;
    else stop(old, After::removal, "it was replaced");
    return;
  }
}

// It goes, and the old ones that have no successor yet stay.
void Supervisor::replacement_failed(Process& fresh, const std::string& why) {
  for (auto& [name, rolling] : rolls_) {
    const auto pair = std::find_if(rolling.pairs.begin(), rolling.pairs.end(), [&](const auto& p) { return p.second == &fresh; });
    if (pair == rolling.pairs.end()) continue;
    if (rolling.code == Code::none) {
      rolling.code = Code::failed;
      rolling.reason = (fresh.name + " did not become ready: " + why + "; " + pair->first->name + " goes on").substr(0, limits::text);
      say(fresh, rolling.reason);
    }
    rolling.pairs.erase(pair);
    rolling.old.clear();
    remove(fresh);
    // The other successors are not needed either.
    for (const auto& [old, other] : std::vector(rolling.pairs)) {
      if (other->run == 0) {
        remove(*other);
        std::erase_if(rolling.pairs, [o = other](const auto& p) { return p.second == o; });
      } else if (!other->terminated && !other->aborted) {
        terminate(*other);
      }
    }
    return finish_if_over(rolling);
  }
  remove(fresh);
}

// The old one has ended.
void Supervisor::replaced(Process& old) {
  const std::string told = old.name + " has ended (" + old.last_exit + ")";
  Rolling* rolling = nullptr;
  for (auto& [service, candidate] : rolls_) {
    if (std::erase(candidate.leaving, &old) > 0) rolling = &candidate;
  }
  remove(old);
  if (!rolling) return;
  ++rolling->done;
  tell(*rolling, told);
  advance(*rolling);
}

}  // namespace pointsman::supervisor
