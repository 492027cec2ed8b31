// The parties of the runs with faults, and what starts them.
//
//   pointsman_faults_party worker BROKER HISTORY NAME [slots=2] [work_ms=5] [count=1] [lease_ms=0] [bind=] [advertise=]
//   pointsman_faults_party client BROKER HISTORY NAME [threads=4] [calls=2] [wait_ms=5000] [pause_ms=0] [hold=0]
//       [priority=0] [work=WORD]
//   pointsman_faults_party watch BROKER HISTORY NAME
//   pointsman_faults_party list BROKER HISTORY NAME
//   pointsman_faults_party check FOLDER
//   pointsman_faults_party in [net=PID] [descriptors=N] [memory=BYTES] -- COMMAND…
//   pointsman_faults_party nets
//
// Worker, client and watch run until SIGTERM, print `ready` once they are at it, and write histories as checker.hpp lists
// them. `in` starts a command that is killed when the caller dies, in the network namespace of a process, with less to
// spend. `nets` holds a network namespace of its own until it is killed.

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "test/faults/checker.hpp"
#include "test/faults/parties.hpp"

using namespace pointsman::faults;

namespace {

int refuse(const std::string& what) {
  std::fprintf(stderr, "pointsman_faults_party: %s: %s\n", what.c_str(), std::strerror(errno));
  return 125;
}

bool limit(int what, std::uint64_t most) {
  const rlimit both{most, most};
  return setrlimit(static_cast<__rlimit_resource>(what), &both) == 0;
}

int run_in(int argc, char** argv) {
  int i = 2;
  for (; i < argc && std::string(argv[i]) != "--"; ++i) {
    const std::string word = argv[i];
    const std::string value = word.substr(word.find('=') + 1);
    if (word.starts_with("net=")) {
      const int net = ::open(("/proc/" + value + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
      if (net < 0 || ::setns(net, CLONE_NEWNET) != 0) return refuse("network namespace of " + value);
      ::close(net);
    }
    if (word.starts_with("descriptors=") && !limit(RLIMIT_NOFILE, std::stoull(value))) return refuse(word);
    if (word.starts_with("memory=") && !limit(RLIMIT_DATA, std::stoull(value))) return refuse(word);
  }
  if (i + 1 >= argc) return refuse("no command");
  ::execvp(argv[i + 1], argv + i + 1);
  return refuse(argv[i + 1]);
}

int run_nets() {
  if (::unshare(CLONE_NEWNET) != 0) return refuse("unshare");
  std::puts("ready");
  std::fflush(stdout);
  for (;;) ::pause();
}

int run_check(const std::string& folder) {
  const Verdict verdict = check(read_histories(folder));
  for (const auto& violation : verdict.violations) {
    std::printf("%s %s\n", violation.rule.c_str(), violation.what.c_str());
  }
  std::printf("%s\n", text(verdict.tally).c_str());
  return verdict.violations.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  try {
    if (what == "check" && argc == 3) return run_check(argv[2]);
    // Nothing of a test outlives it, however it ends.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (what == "in") return run_in(argc, argv);
    if (what == "nets") return run_nets();
    if (argc >= 5) {
      const PartyOptions options{argv[2], argv[3], argv[4], Words(std::vector<std::string>(argv + 5, argv + argc))};
      if (what == "worker") return run_worker(options);
      if (what == "client") return run_client(options);
      if (what == "watch") return run_watch(options);
      if (what == "list") return run_list(options);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pointsman_faults_party: %s\n", error.what());
    return 1;
  }
  std::fprintf(stderr, "pointsman_faults_party: see party.cpp for its arguments\n");
  return 2;
}
