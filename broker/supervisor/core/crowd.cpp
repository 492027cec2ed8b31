// Which processes there are to be: from the first to the last, and as the broker's services need them.
#include <algorithm>

#include "broker/supervisor/core/supervisor.hpp"

namespace pointsman::supervisor {

namespace {

bool on_demand(const Group& group) { return !group.service.empty() && group.max > group.min; }

}  // namespace

// The broker first; the others wait until it is ready. One is shown of each group, if only at rest.
void Supervisor::open() {
  opened_ = true;
  opened_at_ = now_;
  broker_ready_ = !has_broker_;
  for (const bool brokers : {true, false}) {
    for (std::size_t i = 0; i < options_.groups.size(); ++i) {
      const Group& group = options_.groups[i];
      if ((group.kind == ProcessKind::broker) != brokers) continue;
      for (std::uint64_t n = 0; n < std::max<std::uint64_t>(1, group.min); ++n) {
        Process& process = add(i);
        if (n < group.min) launch(process);
      }
    }
  }
  if (!has_broker_) broker_is_ready();
}

void Supervisor::broker_is_ready() {
  broker_ready_ = true;
  silent_since_ = never;
  obituaries_.clear();  // a new broker never heard of them
  if (has_broker_) out_->emplace_back(Reconnect{});
  if (!told_ready_) out_->emplace_back(Ready{});
  told_ready_ = true;
  if (stopping_) return;
  if (std::any_of(options_.groups.begin(), options_.groups.end(), on_demand)) look_at_ = now_;
  for (const auto& [key, process] : processes_) {
    if (process->state == ProcessState::waiting) launch(*process);
  }
}

void Supervisor::broker_is_gone() {
  broker_ready_ = false;
  look_at_ = silent_since_ = never;
  for (Crowd& crowd : crowds_) {
    crowd.unused_since = never;
    crowd.granted = 0;
  }
}

void Supervisor::tell_broker(Message message) {
  if (!broker_ready_) return;
  if (silent_since_ == never) silent_since_ = now_;
  send(Address{.door = Door::broker}, std::move(message));
}

void Supervisor::look() {
  look_at_ = now_ + options_.look;
  if (silent_since_ != never && now_ - silent_since_ >= options_.silence) {
    out_->emplace_back(Reconnect{});
    silent_since_ = never;
  }
  for (const Group& group : options_.groups) {
    if (on_demand(group)) tell_broker(List{.of = Subject::services, .service = group.service, .limit = 1});
  }
}

void Supervisor::on(const Listing& listing) {
  if (stopping_ || listing.of != Subject::services) return;
  for (const ServiceRow& row : listing.services) {
    for (std::size_t i = 0; i < options_.groups.size(); ++i) {
      const Group& group = options_.groups[i];
      if (on_demand(group) && group.service == row.service && !rolls(i)) judge(i, row);
    }
  }
}

void Supervisor::judge(std::size_t group, const ServiceRow& row) {
  Crowd& crowd = crowds_[group];
  const bool used = row.used > 0 || row.waiting > 0 || row.granted != crowd.granted;
  crowd.granted = row.granted;
  if (row.waiting > 0) start_another(group);
  if (used) {
    crowd.unused_since = never;
  } else if (crowd.unused_since == never) {
    crowd.unused_since = now_;
  } else if (now_ - crowd.unused_since >= options_.groups[group].idle) {
    crowd.unused_since = never;
    rest(group);
  }
}

// One more, unless one is on its way.
void Supervisor::start_another(std::size_t group) {
  Process* free = nullptr;
  std::uint64_t active = 0;
  for (const std::uint64_t index : crowds_[group].indexes) {
    Process& process = *processes_.at({group, index});
    switch (process.state) {
      case ProcessState::stopped:
        if (!free) free = &process;
        break;
      case ProcessState::waiting:
      case ProcessState::starting:
      case ProcessState::back_off:
        return;
      case ProcessState::ready:
      case ProcessState::stopping:
      case ProcessState::crash_loop:
      case ProcessState::failed:
      case ProcessState::count_:
        ++active;
    }
  }
  if (active >= options_.groups[group].max) return;
  if (!free && processes_.size() >= limits::processes) return;
  Process& process = free ? *free : add(group);
  say(process, "it is started: requests wait for " + options_.groups[group].service);
  launch(process);
}

// Those above min, the newest first.
void Supervisor::rest(std::size_t group) {
  std::vector<Process*> active;
  for (const std::uint64_t index : crowds_[group].indexes) {
    Process* process = processes_.at({group, index}).get();
    const auto state = process->state;
    if (state != ProcessState::stopped && state != ProcessState::stopping) active.push_back(process);
  }
  for (; active.size() > options_.groups[group].min; active.pop_back()) {
    Process& process = *active.back();
    if (process.run != 0) {
      stop(process, After::rest, "nobody used it");
      continue;
    }
    process.next = never;
    enter(process, ProcessState::stopped);
    retime(process);
  }
}

void Supervisor::drain(const Process& process, DrainMode mode) {
  for (const auto& [worker, instance] : process.workers) {
    tell_broker(Drain{.worker = worker, .mode = mode, .instance = instance});
  }
}

// The broker shall not send anybody there. Said more than once, for messages get lost; harmless, since it is about
// this one instance.
void Supervisor::bury(Process& process) {
  drain(process, DrainMode::forget);
  if (!broker_ready_) return;
  for (const auto& [worker, instance] : process.workers) {
    if (obituaries_.size() == options_.obituaries_max) obituaries_.pop_front();
    obituaries_.push_back({worker, instance, now_ + options_.repeat, options_.repeats - 1});
  }
}

// The oldest is in front.
void Supervisor::repeat_obituaries() {
  while (!obituaries_.empty() && obituaries_.front().at <= now_) {
    Obituary obituary = std::move(obituaries_.front());
    obituaries_.pop_front();
    tell_broker(Drain{.worker = obituary.worker, .mode = DrainMode::forget, .instance = obituary.instance});
    obituary.at = now_ + options_.repeat;
    if (--obituary.left > 0) obituaries_.push_back(std::move(obituary));
  }
}

// Workers first, for they say good-bye to the broker; the broker when they have, or when its share of the time has
// come. The second time: at once.
void Supervisor::shut_down() {
  if (stopping_) {
    for (const auto& [run, process] : runs_) kill(*process);
    stop_by_ = broker_by_ = never;
    return;
  }
  stopping_ = true;
  stop_by_ = now_ + options_.stop;
  broker_by_ = stop_by_ - std::min(options_.last_share, options_.stop / 2);
  look_at_ = never;
  obituaries_.clear();
  for (auto& [name, rolling] : rolls_) {
    send(rolling.to, Rolled{.service = rolling.service,
                            .done = rolling.done,
                            .total = rolling.total,
                            .over = true,
                            .code = Code::shutting_down,
                            .reason = "everything is being stopped"});
  }
  rolls_.clear();
  for (const auto& [key, process] : processes_) {
    process->fresh = false;
    process->next = never;
    if (process->run == 0) {
      if (process->state != ProcessState::failed) enter(*process, ProcessState::stopped);
      retime(*process);
    } else if (!is_broker(*process) && !process->aborted) {
      terminate(*process);
    }
  }
}

void Supervisor::end_when_empty() {
  if (!stopping_) return;
  if (runs_.empty()) {
    done_ = true;
    out_->emplace_back(Done{exit_ != 0 ? exit_ : killed_ ? 124 : 0});
  } else if (runs_.size() == 1 && is_broker(*runs_.begin()->second)) {
    Process& broker = *runs_.begin()->second;
    if (!broker.terminated && !broker.aborted) terminate(broker);
  }
}

}  // namespace pointsman::supervisor
