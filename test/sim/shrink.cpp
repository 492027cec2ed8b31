// Leaves out time, workers, clients, kinds of trouble, then single strikes and sessions (Zeller, Hildebrandt 2002).

#include "test/sim/shrink.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "test/sim/campaign.hpp"

namespace pointsman::sim {
namespace {

using Item = std::pair<std::size_t, std::uint64_t>;

class Shrinker {
 public:
  Shrinker(std::uint64_t seed, double seconds)
      : seed_(seed), until_(std::chrono::steady_clock::now() + std::chrono::milliseconds(static_cast<int>(seconds * 1000))) {}

  Shrunk shrink() {
    best_ = judge(seed_, {});
    shrunk_.invariant = best_.invariant;
    if (best_.invariant == 0) return shrunk_;
    time();
    people();
    kinds();
    // Strikes and sessions in ever smaller parts.
    for (std::size_t parts = 2; in_time();) {
      const auto all = items();
      if (all.empty()) break;
      parts = std::min(parts, all.size());
      if (!leave_out_one(all, parts)) {
        if (parts == all.size()) break;
        parts *= 2;
      }
    }
    people();
    time();
    shrunk_.what = best_.what;
    shrunk_.left = left();
    return shrunk_;
  }

 private:
  bool in_time() const { return std::chrono::steady_clock::now() < until_; }

  bool attempt(const Cut& cut) {
    if (!in_time()) return false;
    ++shrunk_.runs;
    const auto verdict = judge(seed_, cut);
    if (verdict.invariant != shrunk_.invariant) return false;
    shrunk_.cut = cut;
    best_ = verdict;
    return true;
  }

  void time() {
    for (std::int64_t part = 2; part <= 16; part *= 2) {
      Cut cut = shrunk_.cut;
      const auto chaos = std::min<std::int64_t>(cut.chaos, draw(seed_).chaos.count());
      cut.chaos = chaos - chaos / part;
      while (attempt(cut)) cut.chaos -= cut.chaos / part;
    }
  }

  void people() {
    for (auto member : {&Cut::workers, &Cut::clients}) {
      const auto profile = draw(seed_, shrunk_.cut);
      const std::size_t all = member == &Cut::workers ? profile.workers.size() : profile.clients.size();
      for (std::size_t n = 1; n < all; n = n < 4 ? n + 1 : 2 * n) {
        Cut cut = shrunk_.cut;
        cut.*member = n;
        if (attempt(cut)) break;
      }
    }
  }

  void kinds() {
    const auto profile = draw(seed_);
    for (std::size_t kind = 0; kind < troubles; ++kind) {
      if (profile.weight[kind] <= 0) continue;
      Cut cut = shrunk_.cut;
      cut.off.insert(kind);
      attempt(cut);
    }
  }

  // What still struck in the best run; of a core that broke its word nobody counted.
  std::vector<Item> items() const {
    std::vector<Item> all;
    for (std::size_t kind = 0; kind <= troubles; ++kind) {
      if (shrunk_.cut.off.contains(kind) || kind == static_cast<std::size_t>(Trouble::drift)) continue;
      for (std::uint64_t n = 0; n < best_.asked[kind]; ++n)
        if (!shrunk_.cut.skip.contains({kind, n})) all.emplace_back(kind, n);
    }
    return all;
  }

  bool leave_out_one(const std::vector<Item>& all, std::size_t parts) {
    for (std::size_t part = 0; part < parts && in_time(); ++part) {
      Cut cut = shrunk_.cut;
      for (std::size_t i = all.size() * part / parts; i < all.size() * (part + 1) / parts; ++i) cut.skip.insert(all[i]);
      if (attempt(cut)) return true;
    }
    return false;
  }

  std::string left() const {
    const auto profile = draw(seed_, shrunk_.cut);
    std::string text = std::to_string(profile.workers.size()) + " workers, " + std::to_string(profile.clients.size()) + " clients, " +
                       std::to_string(profile.chaos.count() / 1000) + " ms";
    for (std::size_t kind = 0; kind <= troubles; ++kind) {
      std::uint64_t n = 0;
      for (const auto& item : items()) n += item.first == kind;
      if (n > 0) text += ", " + std::to_string(n) + " " + (kind == troubles ? "sessions" : std::string(name_of(static_cast<Trouble>(kind))));
    }
    return text;
  }

  std::uint64_t seed_;
  std::chrono::steady_clock::time_point until_;
  Verdict best_;
  Shrunk shrunk_;
};

// Lines that say least go first, while there are too many.
std::deque<std::string> shortened(std::deque<std::string> lines, std::size_t most) {
  for (const char* dull : {" watch", " watching", " event ", " heard ", " heartbeat ", " listing", " list ", " queued ", " stats", " status",
                           " program < waiting", " drain", " resume"}) {
    if (lines.size() <= most) break;
    std::erase_if(lines, [&](const std::string& line) { return line.find(dull) != std::string::npos; });
  }
  while (lines.size() > most) lines.pop_front();
  return lines;
}

Story* told = nullptr;
std::size_t told_lines = 0;

void print_story() {
  for (const auto& line : shortened(told->lines(), told_lines)) std::printf("%s\n", line.substr(0, 200).c_str());
  std::fflush(stdout);
}

void on_abort(int) {
  print_story();
  std::_Exit(1);
}

}  // namespace

Shrunk shrink(std::uint64_t seed, double seconds) { return Shrinker(seed, seconds).shrink(); }

// In a child that writes to a file of its own, for it may die of a MUST.
std::string story_of(std::uint64_t seed, const Cut& cut, std::size_t lines) {
  std::FILE* file = std::tmpfile();
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    dup2(fileno(file), 1);
    dup2(fileno(file), 2);
    Story story(Story::Telling::kept, false);
    told = &story;
    told_lines = lines;
    std::signal(SIGABRT, on_abort);
    const auto outcome = run(seed, story, cut);
    print_story();
    std::printf("%s\n", outcome.violation.value_or("nothing is wrong").c_str());
    std::fflush(stdout);
    std::_Exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  std::string text;
  std::rewind(file);
  for (char part[4096]; const auto n = std::fread(part, 1, sizeof part, file);) text.append(part, n);
  std::fclose(file);
  return text;
}

}  // namespace pointsman::sim
