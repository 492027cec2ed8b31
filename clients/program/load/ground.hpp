// Ground: the processes that a load test starts itself, what becomes of them on purpose, and what they cost.
//
// A broker and hosts of workers, as wanted; all are gone when this is. Used by the process's first thread. Throws what
// the world throws.

#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clients/program/load/generator.hpp"
#include "clients/program/load/host.hpp"
#include "clients/program/load/relay.hpp"
#include "clients/program/load/result.hpp"
#include "protocol/processes.hpp"

namespace pointsman::load {

struct GroundPlan {
  bool broker = true;
  std::uint64_t hosts = 0;  // 0: no workers of ours
  HostCommand crew;         // of all hosts together; its broker is filled in
  bool ipc = false;
  bool encrypt = false;
  std::string lease;
  std::uint64_t connections = 0;  // that the broker must take, about
  bool relay = false;             // between the broker and all others, so that these can be cut off
  std::vector<Fault> faults;
};

class Ground {
 public:
  // Starts all of it and fills in where the broker is (`clients`, `workers`, and keys), unless it is not ours.
  Ground(GroundPlan plan, Aim& aim);
  ~Ground();
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  // Faults of the measured time, which began then: carries out what is due, says what happened, and when to come again.
  Nanos tend(Nanos begin, Nanos now, std::vector<Happening>& happened);

  // Undoes what still lasts, so that everybody can finish.
  void mend(Nanos begin, std::vector<Happening>& happened);

  // Throws if something died that was not killed.
  void look_after();

  // What hosts say: when all of their workers were registered anew, in the measured time, which began then.
  void hear(Nanos begin, std::vector<Happening>& happened);

  // Microseconds so far; -1: not ours.
  double broker_cpu() const;
  double workers_cpu() const;

  // Ends the hosts. What all of them served; nothing if one was killed and took it along.
  std::optional<Tally> dismiss();

  bool broker_killed() const { return broker_killed_; }
  bool disturbed() const { return disturbed_; }

 private:
  struct Process {
    std::vector<std::string> command;
    Child child;
    bool alive = false;
    bool killed = false;       // on purpose
    bool lost = false;         // it was, and perhaps started again
    unsigned long before = 0;  // ticks of those that were killed
    std::string said;          // the end of its stderr
    std::string heard;         // of its stdout, since the last whole line
  };
  struct Deed {
    Nanos at;  // into the measured time
    Fault fault;
    bool undo = false;
    std::size_t victim = 0;
  };

  static void close_pipes(Process& process);
  void start(Process& process);
  void start_broker(Aim& aim);
  void start_hosts(Aim& aim);
  void make_keys(Aim& aim);
  std::string line(Process& process, const std::string& prefix, Nanos within);
  void drain_errors(Process& process);
  void carry_out(Deed deed, std::vector<Happening>& happened);
  Process& victim(const Deed& deed);

  GroundPlan plan_;
  std::filesystem::path folder_;
  Children children_;
  Process broker_;
  std::vector<Process> hosts_;
  std::unique_ptr<Relay> to_clients_, to_workers_;
  std::vector<Deed> deeds_;  // by time
  std::size_t next_victim_ = 0;
  bool broker_killed_ = false;
  bool disturbed_ = false;
};

}  // namespace pointsman::load
