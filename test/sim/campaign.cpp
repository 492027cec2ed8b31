// Children run seeds one after the other and write what came of each into shared memory.

#include "test/sim/campaign.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/sim/world.hpp"

namespace pointsman::sim {
namespace {

constexpr int must = 76;
constexpr int same_story = 77;
constexpr int endless = 79;

// Seconds of processor time between two looks at whether the simulation moves on; a step takes microseconds.
constexpr int look_every = 2;

double seconds_since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

// What a child tells its parent; plain data.
struct Result {
  std::uint64_t seed;
  int invariant;
  bool calm;
  char what[400];
  std::int64_t simulated;
  std::uint64_t events, grants, sessions, answered;
  std::array<std::uint64_t, troubles> met;
  std::array<std::uint64_t, troubles + 1> asked;
};

Result result_of(std::uint64_t seed, const Outcome& outcome) {
  Result r{};
  r.seed = seed;
  r.invariant = outcome.invariant;
  r.calm = outcome.calm;
  const auto what = outcome.violation.value_or("");
  std::strncpy(r.what, what.c_str(), sizeof r.what - 1);
  r.simulated = outcome.simulated.count();
  r.events = outcome.events;
  r.grants = outcome.grants;
  r.sessions = outcome.sessions;
  r.answered = outcome.answered;
  r.met = outcome.met;
  r.asked = outcome.asked;
  return r;
}

// In a child: a step that does not end ends the process, so that it costs its seed only. Whoever looks twice at the same
// number of turns sees a step that has run for longer than `look_every`.
std::uint64_t turns_seen = 0;

void look(int) {
  const auto turns = turns_taken();
  if (turns == turns_seen) {
    constexpr std::string_view text = "I79: a step does not come to an end\n";
    if (write(2, text.data(), text.size()) < 0) std::_Exit(70);
    std::_Exit(endless);
  }
  turns_seen = turns;
}

void watch_turns() {
  struct sigaction action{};
  action.sa_handler = look;
  sigaction(SIGVTALRM, &action, nullptr);
  const itimerval every{{look_every, 0}, {look_every, 0}};
  setitimer(ITIMER_VIRTUAL, &every, nullptr);
}

// A pipe, and what a dying child says last: the text of a MUST, or of look().
struct Child {
  pid_t id = 0;
  int results = -1;
  std::FILE* said = nullptr;

  std::string last_words() const {
    std::string text(400, '\0');
    std::rewind(said);
    text.resize(std::fread(text.data(), 1, text.size(), said));
    text.resize(std::min(text.size(), text.find('\n')));
    return text.starts_with("I79: ") ? text : "I76: " + text;
  }
};

template <class Act>
Child start(Act act) {
  int ends[2];
  if (pipe(ends) != 0) std::perror("pipe"), std::exit(70);
  Child child{.results = ends[0], .said = std::tmpfile()};
  std::fflush(stdout);
  child.id = fork();
  if (child.id != 0) {
    close(ends[1]);
    return child;
  }
  close(ends[0]);
  dup2(fileno(child.said), 2);
  watch_turns();
  act(ends[1]);
  std::_Exit(0);
}

bool take(int from, Result& result) {
  auto* bytes = reinterpret_cast<char*>(&result);
  for (std::size_t have = 0; have < sizeof result;) {
    const auto n = read(from, bytes + have, sizeof result - have);
    if (n <= 0) return false;
    have += static_cast<std::size_t>(n);
  }
  return true;
}

void give(int to, const Result& result) {
  if (write(to, &result, sizeof result) != static_cast<ssize_t>(sizeof result)) std::_Exit(70);
}

// Shared by all children: what comes next.
struct Board {
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::int64_t> simulated{0};
  std::atomic<bool> stop{false};
};

class Campaign {
 public:
  explicit Campaign(const Orders& orders) : orders_(orders) {
    void* memory = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::perror("mmap"), std::exit(70);
    board_ = new (memory) Board();
  }

  Report carry_out() {
    for (int i = 0; i < orders_.jobs; ++i) children_.push_back(employ());
    // One after the other in turn is enough: a pipe holds what a child has said meanwhile.
    while (!children_.empty()) {
      fd_set ready;
      FD_ZERO(&ready);
      int most = 0;
      for (const auto& child : children_) {
        FD_SET(child.results, &ready);
        most = std::max(most, child.results);
      }
      if (select(most + 1, &ready, nullptr, nullptr, nullptr) < 0) continue;
      for (std::size_t i = children_.size(); i-- > 0;)
        if (FD_ISSET(children_[i].results, &ready)) hear(i);
    }
    report_.seconds = seconds_since(begun_);
    return std::move(report_);
  }

 private:
  Child employ() {
    return start([this](int to) { work(to); });
  }

  // In a child. Announces each seed, so that its parent knows which one it died of.
  void work(int to) {
    for (;;) {
      if (board_->stop) return;
      const auto index = board_->next++;
      const bool listed = index < orders_.seeds.size();
      const double hours = static_cast<double>(board_->simulated) / 3.6e9;
      if (!listed && hours >= orders_.hours) return;
      const auto seed = listed ? orders_.seeds[index] : orders_.more + (index - orders_.seeds.size());
      Result begun{};
      begun.seed = seed;
      begun.invariant = -1;
      give(to, begun);
      const auto result = play(seed);
      board_->simulated += result.simulated;
      give(to, result);
    }
  }

  Result play(std::uint64_t seed) const {
    Story story(Story::Telling::none, orders_.twice);
    auto outcome = run(seed, story);
    if (orders_.twice && !outcome.violation) {
      Story again(Story::Telling::none, true);
      run(seed, again);
      if (again.hash() != story.hash()) {
        outcome.violation = "I77: two runs of the seed differ";
        outcome.invariant = same_story;
      }
    }
    return result_of(seed, outcome);
  }

  void hear(std::size_t at) {
    Child& child = children_[at];
    Result result;
    if (take(child.results, result)) {
      if (result.invariant == -1) child_seed_[child.id] = result.seed;
      else count(result);
      return;
    }
    int status = 0;
    waitpid(child.id, &status, 0);
    close(child.results);
    const bool died = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (died) {
      const int invariant = WIFEXITED(status) && WEXITSTATUS(status) == endless ? endless : must;
      fail({child_seed_[child.id], invariant, child.last_words(), seconds_since(begun_)});
    }
    std::fclose(child.said);
    if (died && !board_->stop) child = employ();
    else children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void count(const Result& result) {
    auto& total = report_.total;
    total.simulated += Duration(result.simulated);
    total.events += result.events;
    total.grants += result.grants;
    total.sessions += result.sessions;
    total.answered += result.answered;
    for (std::size_t i = 0; i < troubles; ++i) total.met[i] += result.met[i];
    if (result.invariant != 0) return fail({result.seed, result.invariant, result.what, seconds_since(begun_)});
    ++report_.passed;
    if (orders_.verbose)
      std::printf("seed %llu: %llu events, %.0f s\n", static_cast<unsigned long long>(result.seed),
                  static_cast<unsigned long long>(result.events), static_cast<double>(result.simulated) / 1e6);
  }

  void fail(Failure failure) {
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(failure.seed), failure.what.c_str());
    std::fflush(stdout);
    report_.failures.push_back(std::move(failure));
    if (report_.failures.size() >= orders_.most_failures) board_->stop = true;
  }

  const Orders& orders_;
  Board* board_;
  Report report_;
  std::vector<Child> children_;
  std::map<pid_t, std::uint64_t> child_seed_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace

Report carry_out(const Orders& orders) { return Campaign(orders).carry_out(); }

Verdict judge(std::uint64_t seed, const Cut& cut) {
  Child child = start([&](int to) {
    Story story(Story::Telling::none, false);
    give(to, result_of(seed, run(seed, story, cut)));
  });
  Verdict verdict{.invariant = must};
  Result result;
  const bool told = take(child.results, result);
  int status = 0;
  waitpid(child.id, &status, 0);
  close(child.results);
  if (told) {
    verdict = {result.invariant, result.what, result.calm, Duration(result.simulated), result.asked};
  } else {
    verdict.what = child.last_words();
    if (WIFEXITED(status) && WEXITSTATUS(status) == endless) verdict.invariant = endless;
    std::fill(verdict.asked.begin(), verdict.asked.end(), 0);
  }
  std::fclose(child.said);
  return verdict;
}

}  // namespace pointsman::sim
