// The frame of the machine: events in, time passed, people answered, and the check of everything.
#include "broker/supervisor/core/supervisor.hpp"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "protocol/names.hpp"

namespace pointsman::supervisor {

namespace {

Milliseconds in_ms(Duration duration) { return std::chrono::duration_cast<Milliseconds>(duration); }

// So that the rows of all processes fit into one message.
constexpr std::size_t many = 64;  // processes, above which rows are cut:
constexpr std::size_t cut_text = 48;

}  // namespace

Supervisor::Supervisor(Options options)
    : options_(std::move(options)), chance_(options_.seed), crowds_(options_.groups.size()) {
  std::uint64_t most = 0;
  for (const Group& group : options_.groups) {
    MUST(!group.name.empty() && group.min <= group.max && group.max >= 1);
    most += group.max;
    if (group.kind != ProcessKind::broker) continue;
    MUST(!has_broker_ && group.max == 1 && group.min == 1);
    has_broker_ = true;
  }
  MUST(most <= limits::processes);
}

void Supervisor::step(Instant now, Event event, Actions& out) {
  MUST(now >= now_);
  if (done_) return;
  out_ = &out;
  forgive(now);
  now_ = now;
  if (!opened_) open();
  pass_time();
  std::visit([this](const auto& e) { on(e); }, event);
  end_when_empty();
  summarize();
  out_ = nullptr;
}

Instant Supervisor::deadline() const {
  if (done_) return never;
  if (!opened_) return Instant{};
  Instant due = std::min({look_at_, broker_by_, stop_by_});
  if (!timers_.empty()) due = std::min(due, timers_.begin()->first);
  if (!obituaries_.empty()) due = std::min(due, obituaries_.front().at);
  return due;
}

// Waking late is our own fault: nobody else is judged by it.
void Supervisor::forgive(Instant now) {
  const Instant due = deadline();
  if (!opened_ || due == never || now <= due + options_.stall) return;
  const Duration late = now - due + options_.stall;
  for (const auto& [key, process] : processes_) {
    if (process->judge_at == never) continue;
    process->judge_at += late;
    retime(*process);
  }
}

void Supervisor::pass_time() {
  while (!timers_.empty() && timers_.begin()->first <= now_) due(*timers_.begin()->second);
  if (look_at_ <= now_) look();
  repeat_obituaries();
  if (broker_by_ <= now_) {
    broker_by_ = never;
    for (const auto& [run, process] : runs_) {
      if (is_broker(*process)) terminate(*process);
    }
  }
  if (stop_by_ <= now_) {
    stop_by_ = never;
    for (const auto& [run, process] : runs_) kill(*process);
  }
}

void Supervisor::on(const Received& event) {
  const bool broker = event.from.door == Door::broker;
  if (broker) silent_since_ = never;
  std::visit(
      [&](const auto& message) {
        using M = std::remove_cvref_t<decltype(message)>;
        if (broker) {
          if constexpr (std::is_same_v<M, Listing>) on(message);
          if constexpr (std::is_same_v<M, Drained>) {
            if (message.mode != DrainMode::forget) return;
            std::erase_if(obituaries_, [&](const Obituary& o) { return o.worker == message.worker; });
          }
        } else if constexpr (std::is_same_v<M, Ps>) {
          list_processes(event.from);
        } else if constexpr (std::is_same_v<M, Roll>) {
          on(event.from, message);
        } else if constexpr (std::is_same_v<M, Hello>) {
          send(event.from, Welcome{.program = std::string(program_name),
                                   .version = std::string(program_version),
                                   .speaks = {protocol_version},
                                   .body_bytes = limits::body_bytes});
        } else if constexpr (!std::is_same_v<M, Refused>) {
          refuse(event.from, M::op, Code::wrong_role, std::string(M::op) + " is not for a supervisor",
                 "a supervisor takes: ps roll hello");
        }
      },
      event.message);
}

void Supervisor::on(const Garbled& event) {
  if (event.from.door == Door::broker) return;
  refuse(event.from, event.fault.op, event.fault.code, event.fault.reason, "see PROTOCOL.md");
}

void Supervisor::on(const Measured& event) {
  if (Process* process = find(event.run)) process->memory = event.bytes;
}

void Supervisor::on(const Shutdown&) { shut_down(); }

void Supervisor::send(const Address& to, Message message) { out_->emplace_back(Send{to, std::move(message), {}}); }

void Supervisor::refuse(const Address& to, std::string_view about, Code code, std::string reason,
                        std::string remedy) {
  send(to, Refused{.about = std::string(about.substr(0, limits::name)),
                   .code = code,
                   .reason = reason.substr(0, limits::text),
                   .remedy = std::move(remedy)});
}

void Supervisor::say(const Process& process, std::string text) {
  out_->emplace_back(Say{process.name, std::move(text)});
}

// SplitMix64 (Steele, Lea, Flood 2014).
Duration Supervisor::below(Duration bound) {
  std::uint64_t z = (chance_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  z ^= z >> 31;
  return Duration(static_cast<Duration::rep>(z % static_cast<std::uint64_t>(bound.count() + 1)));
}

ProcessRow Supervisor::row_of(const Process& process) const {
  const bool cut = processes_.size() > many;
  const std::size_t text = cut ? cut_text : limits::text;
  ProcessRow row{.process = process.name,
                 .kind = group_of(process).kind,
                 .service = group_of(process).service,
                 .pid = process.pid,
                 .state = process.state,
                 .ready = process.run != 0 && process.was_ready && process.state == ProcessState::ready,
                 .restarts = process.restarts,
                 .exit = process.last_exit.substr(0, text),
                 .memory = process.memory,
                 .status = process.status.substr(0, text)};
  if (process.run != 0) row.up_ms = in_ms(now_ - process.since);
  if (process.next != never) row.next_ms = in_ms(std::max(Duration{0}, process.next - now_));
  for (const auto& [worker, instance] : process.workers) {
    if (cut && !row.workers.empty()) break;
    row.workers.push_back(worker);
  }
  return row;
}

void Supervisor::list_processes(const Address& to) {
  Processes all{.up_ms = in_ms(now_ - opened_at_), .stopping = stopping_};
  for (const auto& [key, process] : processes_) all.rows.push_back(row_of(*process));
  send(to, std::move(all));
}

void Supervisor::summarize() {
  if (done_) return;
  std::string text;
  for (std::size_t i = 0; i < in_state_.size(); ++i) {
    if (in_state_[i] == 0) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(in_state_[i]) + " " +
            std::string(Words<ProcessState>::list[i]);
  }
  if (text == told_summary_) return;
  told_summary_ = text;
  out_->emplace_back(Summary{std::move(text)});
}

void Supervisor::check() const {
  decltype(in_state_) in_state{};
  std::size_t living = 0, timed = 0, indexes = 0;
  for (const auto& [key, process] : processes_) {
    MUST(key == std::pair(process->group, process->index));
    MUST(crowds_[process->group].indexes.contains(process->index));
    ++in_state[static_cast<std::size_t>(process->state)];
    timed += process->timer != never;
    if (process->timer != never) MUST(timers_.contains({process->timer, process.get()}));
    living += process->run != 0;
    if (process->run != 0) MUST(runs_.at(process->run) == process.get());
    const bool lives = process->state == ProcessState::starting || process->state == ProcessState::ready ||
                       process->state == ProcessState::stopping;
    MUST(lives == (process->run != 0));
    MUST(process->ends.size() <= options_.loop_exits);
    MUST(process->workers.size() <= limits::names_of_process);
    const bool pending = process->state == ProcessState::back_off || process->state == ProcessState::crash_loop;
    MUST(pending == (process->next != never));
  }
  for (const Crowd& crowd : crowds_) indexes += crowd.indexes.size();
  MUST(in_state == in_state_);
  MUST(indexes == processes_.size());
  MUST(living == runs_.size());
  MUST(timed == timers_.size());
  MUST(processes_.size() <= limits::processes);
  MUST(obituaries_.size() <= options_.obituaries_max);
  for (const auto& [name, rolling] : rolls_) {
    MUST(rolling.pairs.size() + rolling.leaving.size() <= rolling.at_once);
    for (const auto& [old, fresh] : rolling.pairs) MUST(fresh->fresh && !old->fresh);
    MUST(!stopping_);
  }
}

}  // namespace pointsman::supervisor
