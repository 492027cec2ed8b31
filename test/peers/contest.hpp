// Comparisons: contenders that take turns on the same work, round after round, and what is asked of one against
// another.
//
// Ratios are medians of the ratios of each round, so that a machine whose speed drifts does little harm.

#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "test/peers/figures.hpp"

namespace pointsman::peers {

inline const std::string ours = "pointsman";

struct Contender {
  std::string name;
  std::function<Figure()> run;  // once, anew
  std::string missing;          // why it cannot run; empty: it can
};

enum class Quantity { rate, p50, cpu };

// `of` is to have at least (rate) or at most (p50, cpu) `ratio` times what each of `against` has.
struct Goal {
  Quantity what = Quantity::rate;
  double ratio = 1;
  std::vector<std::string> against;
  std::string of = ours;
};

struct Contest {
  std::string group;
  std::string name;
  std::vector<Contender> contenders;
  std::vector<Goal> goals;
  // To say how long a session must be to be ahead: contenders by the calls of a session, and whom to be ahead of.
  std::map<unsigned, std::string> sessions;
  std::vector<std::string> rivals;
};

// The rounds of each contender, in order; empty where it could not run.
struct Outcome {
  Contest contest;
  std::map<std::string, std::vector<Figure>> rounds;
  std::map<std::string, std::string> notices;  // why somebody did not run

  Figure middle(const std::string& contender) const;
  double ratio(Quantity what, const std::string& of, const std::string& against) const;
};

Outcome hold(const Contest& contest, int rounds);

// Markdown, and JSON.
std::string table_of(const std::vector<Outcome>& outcomes);
std::string json_of(const std::vector<Outcome>& outcomes);

}  // namespace pointsman::peers
