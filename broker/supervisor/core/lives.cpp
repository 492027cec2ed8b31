// One process from its start to its end, and to its next start.
#include <algorithm>
#include <array>
#include <csignal>

#include "broker/supervisor/core/supervisor.hpp"

namespace pointsman::supervisor {

namespace {

std::string in_words(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

std::string name_of_signal(int number) {
  constexpr std::array<std::pair<int, const char*>, 10> names{{{SIGHUP, "SIGHUP"},
                                                               {SIGINT, "SIGINT"},
                                                               {SIGQUIT, "SIGQUIT"},
                                                               {SIGILL, "SIGILL"},
                                                               {SIGABRT, "SIGABRT"},
                                                               {SIGBUS, "SIGBUS"},
                                                               {SIGFPE, "SIGFPE"},
                                                               {SIGKILL, "SIGKILL"},
                                                               {SIGSEGV, "SIGSEGV"},
                                                               {SIGTERM, "SIGTERM"}}};
  const auto* found = std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.first == number; });
  return found == names.end() ? "signal " + std::to_string(number) : found->second;
}

}  // namespace

Process* Supervisor::find(Run run) {
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : found->second;
}

// The lowest number that is free in the group.
Process& Supervisor::add(std::size_t group) {
  Crowd& crowd = crowds_[group];
  std::uint64_t index = 1;
  while (crowd.indexes.contains(index)) ++index;
  crowd.indexes.insert(index);
  auto owned = std::make_unique<Process>();
  Process& process = *owned;
  process.group = group;
  process.index = index;
  const bool only = options_.groups[group].max == 1 && index == 1;
  process.name = options_.groups[group].name + (only ? "" : "-" + std::to_string(index));
  process.state = ProcessState::stopped;
  ++in_state_[static_cast<std::size_t>(process.state)];
  processes_.emplace(std::pair(group, index), std::move(owned));
  return process;
}

void Supervisor::remove(Process& process) {
  if (process.timer != never) timers_.erase({process.timer, &process});
  --in_state_[static_cast<std::size_t>(process.state)];
  crowds_[process.group].indexes.erase(process.index);
  processes_.erase({process.group, process.index});
}

void Supervisor::enter(Process& process, ProcessState state) {
  --in_state_[static_cast<std::size_t>(process.state)];
  process.state = state;
  ++in_state_[static_cast<std::size_t>(state)];
}

void Supervisor::retime(Process& process) {
  const Instant due = std::min({process.next, process.judge_at, process.term_at, process.kill_at, process.leave_at});
  if (due == process.timer) return;
  if (process.timer != never) timers_.erase({process.timer, &process});
  process.timer = due;
  if (due != never) timers_.insert({due, &process});
}

void Supervisor::due(Process& process) {
  if (process.kill_at <= now_) kill(process);
  if (process.term_at <= now_) terminate(process);
  if (process.leave_at <= now_) {
    drain(process, DrainMode::leave);
    process.leave_at = now_ + options_.repeat;
  }
  if (process.judge_at <= now_) {
    const Group& group = group_of(process);
    hung(process, process.was_ready ? "it hung: no sign of life for " + in_words(group.watchdog)
                                    : "it was not ready after " + in_words(group.ready));
  }
  if (process.next <= now_) launch(process);
  retime(process);
}

void Supervisor::launch(Process& process) {
  process.next = never;
  if (has_broker_ && !broker_ready_ && !is_broker(process)) {
    enter(process, ProcessState::waiting);
    return retime(process);
  }
  const Group& group = group_of(process);
  if (!process.last_exit.empty()) ++process.restarts;
  process.run = ++last_run_;
  process.was_ready = process.ticked = process.aborted = process.terminated = false;
  process.after = After::restart;
  process.why.clear();
  process.status.clear();
  process.since = now_;
  process.judge_at = group.ready == Duration{0} ? never : now_ + group.ready;
  runs_[process.run] = &process;
  enter(process, ProcessState::starting);
  retime(process);
  out_->emplace_back(Start{process.run, process.group, process.name});
}

void Supervisor::on(const Started& event) {
  Process* process = find(event.run);
  if (!process) return;
  process->pid = event.pid;
  if (!group_of(*process).notifies) became_ready(*process);
}

void Supervisor::on(const StartFailed& event) {
  if (Process* process = find(event.run)) ended(*process, event.code, 0, event.reason);
}

void Supervisor::on(const Noticed& event) {
  Process* process = find(event.run);
  if (!process) return;
  if (!event.status.empty()) process->status = event.status;
  if (!event.worker.empty()) {
    auto& workers = process->workers;
    std::erase_if(workers, [&](const auto& known) { return known.first == event.worker; });
    if (workers.size() == limits::names_of_process) workers.erase(workers.begin());
    workers.emplace_back(event.worker, event.instance);
  }
  if (event.ready) became_ready(*process);
  if (event.alive) process->ticked = true;
  if (event.stopping && process->state == ProcessState::ready) enter(*process, ProcessState::stopping);
  // One that was asked to end has its bound for that.
  const Duration watchdog = group_of(*process).watchdog;
  if (process->was_ready && process->ticked && process->why.empty() && watchdog != Duration{0}) {
    if (event.alive || process->judge_at == never) process->judge_at = now_ + watchdog;
  }
  retime(*process);
}

void Supervisor::became_ready(Process& process) {
  if (process.state != ProcessState::starting) return;
  process.was_ready = true;
  process.judge_at = never;
  enter(process, ProcessState::ready);
  retime(process);
  if (is_broker(process)) broker_is_ready();
  if (process.fresh) replacement_ready(process);
}

// It may have left a core behind by the time that it is killed.
void Supervisor::hung(Process& process, std::string why) {
  say(process, why + "; it is killed");
  process.why = std::move(why);
  process.aborted = true;
  process.judge_at = process.term_at = process.leave_at = never;
  process.kill_at = now_ + options_.abort;
  enter(process, ProcessState::stopping);
  drain(process, DrainMode::drain);
  out_->emplace_back(Signal{process.run, SIGABRT});
  retime(process);
}

// A worker leaves the broker first, for which its sessions have to end.
void Supervisor::stop(Process& process, After after, std::string why) {
  process.after = after;
  process.why = std::move(why);
  process.judge_at = never;
  enter(process, ProcessState::stopping);
  if (process.workers.empty()) {
    terminate(process);
  } else {
    drain(process, DrainMode::leave);
    process.leave_at = now_ + options_.repeat;
    process.term_at = now_ + group_of(process).drain;
  }
  retime(process);
}

void Supervisor::terminate(Process& process) {
  process.term_at = process.leave_at = never;
  if (!process.terminated) out_->emplace_back(Signal{process.run, SIGTERM});
  if (!process.terminated && !stopping_) process.kill_at = std::min(process.kill_at, now_ + options_.stop);
  process.terminated = true;
  process.judge_at = never;
  if (process.why.empty()) process.why = "it was asked to end";
  enter(process, ProcessState::stopping);
  retime(process);
}

void Supervisor::kill(Process& process) {
  process.kill_at = process.term_at = process.leave_at = never;
  killed_ |= stopping_;
  out_->emplace_back(KillTree{process.run});
  retime(process);
}

void Supervisor::on(const Exited& event) {
  Process* process = find(event.run);
  if (!process) return;
  ended(*process, event.code, event.signal,
        event.signal != 0 ? "ended by " + name_of_signal(event.signal) : "exit code " + std::to_string(event.code));
}

void Supervisor::ended(Process& process, int code, int signal, const std::string& how) {
  const bool in_good_order = code == 0 && signal == 0 && !process.why.empty();
  if (!stopping_ && !in_good_order) bury(process);
  process.workers.clear();
  process.status.clear();
  process.last_exit = process.why.empty() ? how : process.why + "; " + how;
  runs_.erase(process.run);
  process.run = process.pid = process.memory = 0;
  process.judge_at = process.term_at = process.kill_at = process.leave_at = never;
  enter(process, ProcessState::stopped);
  retime(process);
  if (is_broker(process)) broker_is_gone();
  if (stopping_) return;
  if (process.fresh) return replacement_failed(process, process.last_exit);
  const auto& final_exits = options_.final_exits;
  const bool for_good = signal == 0 && process.why.empty() &&
                        std::find(final_exits.begin(), final_exits.end(), code) != final_exits.end();
  switch (process.after) {
    case After::restart: return again(process, for_good);
    case After::removal: return replaced(process);
    case After::rest: {
      say(process, "it rests: nobody uses " + group_of(process).service);
      const std::size_t kept = std::max<std::size_t>(1, group_of(process).min);
      if (crowds_[process.group].indexes.size() > kept) remove(process);
      return;
    }
  }
}

// The first time at once, then later and later, each time at random: what fails together shall not start together.
void Supervisor::again(Process& process, bool for_good) {
  if (for_good) {
    say(process, process.last_exit + ": it cannot run as it is configured, and is not started again");
    enter(process, ProcessState::failed);
    if (!is_broker(process)) return;
    exit_ = 2;
    return shut_down();
  }
  if (process.was_ready && now_ - process.since >= options_.healthy) {
    process.failures = 0;
    process.looping = false;
    process.ends.clear();
  }
  while (!process.ends.empty() && now_ - process.ends.front() >= options_.loop_within) process.ends.pop_front();
  if (process.ends.size() == options_.loop_exits) process.ends.pop_front();
  process.ends.push_back(now_);
  ++process.failures;
  process.looping |= process.ends.size() == options_.loop_exits;
  Duration pause{0};
  if (process.looping) {
    pause = options_.loop_retry;
  } else if (process.failures > 1) {
    pause = options_.pause;
    for (std::uint64_t i = 2; i < process.failures && pause < options_.pause_max; ++i) pause *= 2;
    pause = below(std::min(pause, options_.pause_max));
  }
  say(process, process.last_exit + "; it is started again " +
                   (pause == Duration{0} ? "at once" : "in " + std::to_string(pause / std::chrono::milliseconds(1)) + " ms") +
                   (process.looping ? ", for it ends again and again" : ""));
  if (pause == Duration{0}) return launch(process);
  enter(process, process.looping ? ProcessState::crash_loop : ProcessState::back_off);
  process.next = now_ + pause;
  retime(process);
}

}  // namespace pointsman::supervisor
