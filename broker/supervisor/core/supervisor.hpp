// The supervisor: a machine that keeps a broker and workers running.
//
// It starts the broker, and when that is ready the others; what ends is started again, sooner or later; what hangs
// is killed first. It tells the broker of workers whose processes have died, starts processes of services for
// which requests wait, stops them when nobody comes, and replaces them one by one when told to. It answers `ps`
// and `roll`. Shape and thread safety: protocol/machine.hpp. What it is told and says: events.hpp, beside this.
//
// To drive it: step(Elapsed) once at the beginning, then Started, Noticed and Exited as processes come and go, and
// Received from both doors; carry out the actions in order. Messages of either door may be lost, repeated or late.
//
// Cost of an event: O(log n) in processes, at most limits::processes. Only `ps`, looks at the broker, rolls, the
// broker's return and the end walk over all.

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/supervisor/core/events.hpp"
#include "broker/supervisor/core/options.hpp"
#include "broker/supervisor/core/records.hpp"
#include "protocol/must.hpp"

namespace pointsman::supervisor {

class Supervisor {
 public:
  explicit Supervisor(Options options);

  void step(Instant now, Event event, Actions& out);
  Instant deadline() const;  // before the first step: at once
  void check() const;

  bool done() const { return done_; }

 private:
  // supervisor.cpp: what comes in, and who gets to see it
  void pass_time();
  void forgive(Instant now);
  void on(const Elapsed&) {}
  void on(const Received& event);
  void on(const Garbled& event);
  void on(const Gone&) {}
  void on(const Started& event);
  void on(const StartFailed& event);
  void on(const Exited& event);
  void on(const Noticed& event);
  void on(const Measured& event);
  void on(const Shutdown&);
  void send(const Address& to, Message message);
  void refuse(const Address& to, std::string_view about, Code code, std::string reason, std::string remedy);
  void say(const Process& process, std::string text);
  Duration below(Duration bound);  // a random one
  void list_processes(const Address& to);
  ProcessRow row_of(const Process& process) const;
  void summarize();

  // lives.cpp: one process from its start to its end
  Process& add(std::size_t group);
  void remove(Process& process);
  void enter(Process& process, ProcessState state);
  void launch(Process& process);
  void became_ready(Process& process);
  void hung(Process& process, std::string why);
  void stop(Process& process, After after, std::string why);
  void terminate(Process& process);
  void kill(Process& process);
  void ended(Process& process, int code, int signal, const std::string& how);
  void again(Process& process, bool for_good);
  void due(Process& process);
  void retime(Process& process);
  Process* find(Run run);
  const Group& group_of(const Process& process) const { return options_.groups[process.group]; }
  bool is_broker(const Process& process) const { return group_of(process).kind == ProcessKind::broker; }

  // crowd.cpp: which processes there are to be, and what the broker says and is told
  void open();
  void broker_is_ready();
  void broker_is_gone();
  void look();
  void on(const Listing& listing);
  void judge(std::size_t group, const ServiceRow& row);
  void start_another(std::size_t group);
  void rest(std::size_t group);
  void shut_down();
  void end_when_empty();
  void tell_broker(Message message);
  void bury(Process& process);
  void repeat_obituaries();
  void drain(const Process& process, DrainMode mode);

  // rolls.cpp: replacing a service's processes
  void on(const Address& from, const Roll& message);
  void advance(Rolling& rolling);
  void replacement_ready(Process& fresh);
  void replacement_failed(Process& fresh, const std::string& why);
  void replaced(Process& old);
  void tell(const Rolling& rolling, std::string step);
  void finish_if_over(Rolling& rolling);
  bool rolls(std::size_t group) const;

  Options options_;
  std::uint64_t chance_;  // state of below()
  Instant now_;
  Instant opened_at_;
  bool opened_ = false;
  Actions* out_ = nullptr;  // of the current step

  std::vector<Crowd> crowds_;  // one a group
  std::map<std::pair<std::size_t, std::uint64_t>, std::unique_ptr<Process>> processes_;  // by group and index
  std::map<Run, Process*> runs_;                               // those that live
  std::set<std::pair<Instant, Process*>, TimerOrder> timers_;  // by Process::timer, unless that is never
  std::array<std::uint64_t, static_cast<std::size_t>(ProcessState::count_)> in_state_{};
  Run last_run_ = 0;

  bool has_broker_ = false;  // of our own
  bool broker_ready_ = false;
  bool told_ready_ = false;
  Instant look_at_ = never;
  Instant silent_since_ = never;  // when the oldest question to the broker without an answer was asked
  std::deque<Obituary> obituaries_;
  std::map<std::string, Rolling> rolls_;  // by what was asked for
  std::string told_summary_;

  bool stopping_ = false;
  bool killed_ = false;        // something had to be
  int exit_ = 0;
  Instant broker_by_ = never;  // the broker is asked to end at the latest
  Instant stop_by_ = never;    // all that is left is killed
  bool done_ = false;
};

}  // namespace pointsman::supervisor
