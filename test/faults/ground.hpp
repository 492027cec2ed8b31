// The ground on which a run with faults takes place: a broker, workers and clients, each a process of its own with a
// history of its own; the faults that are done to them; and the proof at the end.
//
// Whatever a test does, nothing of it is left: processes die with the ground, and with the test if that is killed.

#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/faults/checker.hpp"
#include "test/faults/history.hpp"
#include "test/folder.hpp"

namespace pointsman::faults {

// tcp://127.0.0.1 with a port that was free a moment ago.
std::string free_endpoint();

struct GroundOptions {
  std::chrono::milliseconds lease{1000};
  std::vector<std::string> broker;  // more arguments
  std::vector<std::string> limits;  // of the broker, or of all that is supervised: descriptors=N, memory=N
  std::string clients, workers;     // the listeners; empty: free ports of the loopback
  std::map<std::string, std::string> nets;  // party -> process whose network namespace it lives in
  std::vector<std::string> supervised;      // workers that `pointsman up` runs with the broker; empty: there is none
  bool keys = false;  // everything is encrypted, and parties have the key of their kind; not where it is supervised
};

class Ground {
 public:
  explicit Ground(GroundOptions options = {});

  // Parties. Each waits until it is there. `broker` may be started again after it was killed.
  void start_broker();
  void start_supervisor();
  void start_worker(const std::string& name, std::vector<std::string> words = {}, const std::string& listener = {});
  void start_client(const std::string& name, std::vector<std::string> words = {}, const std::string& listener = {});
  void start_watch();

  // Faults, written down.
  void kill(const std::string& party);
  pid_t pid_of(const std::string& process) const;                   // of the broker or a worker, supervised; 0: none
  void kill_supervised(const std::string& process, pid_t pid = 0);  // without a pid it asks the supervisor
  void stop(const std::string& party);
  void go_on(const std::string& party);
  void fault(const std::string& of, const std::string& kind);
  void healed(const std::string& of);
  void calm();
  void rss(const std::string& party, std::uint64_t bound);

  // Ends a party by SIGTERM; its exit code.
  int end(const std::string& party);

  // What the broker lists, as run_list() prints it; also goes into the history.
  std::string list();
  // Waits until the broker lists no session and nobody waits.
  bool empty(std::chrono::milliseconds within);

  // So many requests more have been granted to this client, within a time.
  bool granted(const std::string& client, std::uint64_t more, std::chrono::milliseconds within = std::chrono::seconds(20));

  // The broker has all that are supervised, and of each the instance that runs: one that was killed is listed for a lease.
  bool all_registered();

  // Lets the run come to rest, proves what is promised, and says what was counted.
  Tally prove();

  Process& process(const std::string& party) { return *processes_.at(party); }
  bool runs(const std::string& party) const { return processes_.contains(party); }
  void forget(const std::string& party) { processes_.erase(party); }
  const std::string& folder() const { return folder_.path(); }
  const std::string& clients() const { return options_.clients; }
  const std::string& workers() const { return options_.workers; }
  std::chrono::milliseconds lease() const { return options_.lease; }
  Pen& pen() { return pen_; }

  // A command as a process that dies with the test, where `party` lives.
  std::vector<std::string> command(const std::string& party, std::vector<std::string> command,
                                   const std::vector<std::string>& limits = {}) const;

 private:
  void start_party(const std::string& kind, const std::string& name, const std::string& listener,
                   std::vector<std::string> words);
  void make_keys();
  Surroundings holding(const std::string& key) const;  // of workers or clients; nothing where there are no keys
  std::string history(const std::string& name) const { return folder_.path() + "/" + name + ".history"; }
  std::string up_file() const { return folder_.path() + "/up.toml"; }

  GroundOptions options_;
  TemporaryFolder folder_;
  Pen pen_;
  std::map<std::string, std::unique_ptr<Process>> processes_;
  std::map<std::string, int> killed_;  // how often, of what is supervised
  std::vector<std::string> clients_, workers_;
};

// So many bytes of memory as a process holds now.
std::uint64_t rss_of(pid_t process);

// Lets time pass while a fault lasts: the one thing that has no condition to wait for.
void last(std::chrono::milliseconds time);

}  // namespace pointsman::faults
