// Rounds, medians, tables.
#include "test/peers/contest.hpp"

#include <cstdarg>
#include <cstdio>

#include "test/peers/wire.hpp"

namespace pointsman::peers {
namespace {

__attribute__((format(printf, 1, 2))) std::string text(const char* format, ...) {
  char out[512];
  va_list list;
  va_start(list, format);
  std::vsnprintf(out, sizeof out, format, list);
  va_end(list);
  return out;
}

double value_of(const Figure& figure, Quantity what) {
  return what == Quantity::rate ? figure.rate : what == Quantity::p50 ? figure.p50 : figure.cpu;
}

const char* name_of(Quantity what) {
  return what == Quantity::rate ? "rate" : what == Quantity::p50 ? "p50" : "CPU";
}

std::string number(double value) {
  if (value == 0) return "-";
  if (value >= 1000) return text("%.0f", value);
  return value >= 100 ? text("%.0f", value) : value >= 10 ? text("%.1f", value) : text("%.2f", value);
}

// What came of a goal: the ratio to the one that it was hardest to reach against.
struct Verdict {
  Goal goal;
  double ratio = 0;
  std::string against;
  bool reached = false;
};

std::vector<Verdict> verdicts_of(const Outcome& outcome) {
  std::vector<Verdict> all;
  for (const Goal& goal : outcome.contest.goals) {
    const bool more = goal.what == Quantity::rate;
    Verdict verdict{goal, 0, {}, false};
    for (const std::string& against : goal.against) {
      if (!outcome.rounds.contains(against) || !outcome.rounds.contains(goal.of)) continue;
      const double ratio = outcome.ratio(goal.what, goal.of, against);
      const bool harder = verdict.against.empty() || (more ? ratio < verdict.ratio : ratio > verdict.ratio);
      if (harder) verdict = {goal, ratio, against, more ? ratio >= goal.ratio : ratio <= goal.ratio};
    }
    if (!verdict.against.empty()) all.push_back(verdict);
  }
  return all;
}

// For each rival the shortest session, of those measured, with which a call is ahead.
std::string break_even_of(const Outcome& outcome) {
  std::string out;
  const auto shortest = [&](Quantity what, const std::string& rival) -> std::string {
    for (const auto& [calls, name] : outcome.contest.sessions) {
      if (!outcome.rounds.contains(name)) continue;
      const double ratio = outcome.ratio(what, name, rival);
      if (what == Quantity::rate ? ratio > 1 : ratio < 1) return std::to_string(calls);
    }
    return "never";
  };
  for (const std::string& rival : outcome.contest.rivals) {
    if (!outcome.rounds.contains(rival)) continue;
    out += "| " + outcome.contest.name + " | " + rival + " | " + shortest(Quantity::rate, rival) + " | " +
           shortest(Quantity::cpu, rival) + " |\n";
  }
  return out;
}

}  // namespace

Figure Outcome::middle(const std::string& contender) const {
  const auto& all = rounds.at(contender);
  Figure out;
  const auto of = [&](double Figure::*field) {
    std::vector<double> values;
    for (const Figure& figure : all) values.push_back(figure.*field);
    return median(values);
  };
  out.rate = of(&Figure::rate);
  out.p50 = of(&Figure::p50);
  out.p99 = of(&Figure::p99);
  out.cpu = of(&Figure::cpu);
  out.load_cpu = of(&Figure::load_cpu);
  for (const Figure& figure : all) out.count += figure.count;
  return out;
}

double Outcome::ratio(Quantity what, const std::string& of, const std::string& against) const {
  const auto &ours_all = rounds.at(of), &others = rounds.at(against);
  std::vector<double> values;
  for (std::size_t i = 0; i < ours_all.size() && i < others.size(); ++i) {
    values.push_back(value_of(ours_all[i], what) / std::max(value_of(others[i], what), 1e-9));
  }
  return median(values);
}

Outcome hold(const Contest& contest, int rounds) {
  Outcome outcome{contest, {}, {}};
  for (const Contender& contender : contest.contenders) {
    if (!contender.missing.empty()) outcome.notices[contender.name] = contender.missing;
  }
  for (int round = 0; round < rounds; ++round) {
    for (const Contender& contender : contest.contenders) {
      if (outcome.notices.contains(contender.name)) continue;
      try {
        outcome.rounds[contender.name].push_back(contender.run());
      } catch (const Broken& broken) {
        outcome.rounds.erase(contender.name);
        outcome.notices[contender.name] = std::string("failed: ") + broken.what();
      }
    }
  }
  return outcome;
}

std::string table_of(const std::vector<Outcome>& outcomes) {
  std::string out;
  std::string group;
  for (const Outcome& outcome : outcomes) {
    const Contest& contest = outcome.contest;
    if (contest.group != group) {
      group = contest.group;
      out += "\n" + group +
             "\n\n| | | a second | p50 us | p99 us | CPU us | load CPU us | rate, of the first | CPU, of the "
             "first |\n";
      out += "|---|---|---|---|---|---|---|---|---|\n";
    }
    std::string title = contest.name;
    std::string first;
    for (const Contender& contender : contest.contenders) {
      if (!outcome.rounds.contains(contender.name)) continue;
      if (first.empty()) first = contender.name;
      const Figure f = outcome.middle(contender.name);
      out += "| " + title + " | " + contender.name + " | " + number(f.rate) + " | " + number(f.p50) + " | " +
             number(f.p99) + " | " + number(f.cpu) + " | " + number(f.load_cpu) + " | " +
             text("%.2f", outcome.ratio(Quantity::rate, contender.name, first)) + " | " +
             (f.cpu > 0 ? text("%.2f", outcome.ratio(Quantity::cpu, contender.name, first)) : "-") + " |\n";
      title.clear();
    }
  }
  std::string break_even;
  for (const Outcome& outcome : outcomes) break_even += break_even_of(outcome);
  if (!break_even.empty()) {
    out += "\n| calls of a session to be ahead | of | in rate | in CPU |\n|---|---|---|---|\n" + break_even;
  }
  out += "\n| goal | wanted | measured | |\n|---|---|---|---|\n";
  for (const Outcome& outcome : outcomes) {
    for (const Verdict& v : verdicts_of(outcome)) {
      out += "| " + outcome.contest.group + ", " + outcome.contest.name + ": " + name_of(v.goal.what) +
             " of " + v.goal.of + " | " + (v.goal.what == Quantity::rate ? "≥ " : "≤ ") +
             text("%.2f", v.goal.ratio) + " | " + text("%.2f", v.ratio) + " of " + v.against + " | " +
             (v.reached ? "reached" : "**missed**") + " |\n";
    }
  }
  for (const Outcome& outcome : outcomes) {
    for (const auto& [name, why] : outcome.notices)
      out += "\nnot run: " + outcome.contest.name + ", " + name + ": " + why + "\n";
  }
  return out;
}

std::string json_of(const std::vector<Outcome>& outcomes) {
  std::string out = "[";
  for (const Outcome& outcome : outcomes) {
    out +=
        (out.size() > 1 ? ",\n" : "\n") + text(R"({"group":"%s","contest":"%s","contenders":[)",
                                               outcome.contest.group.c_str(), outcome.contest.name.c_str());
    std::string comma;
    for (const auto& [name, rounds] : outcome.rounds) {
      out += comma + "{\"name\":\"" + name + "\",\"rounds\":[";
      comma = ",";
      for (const Figure& f : rounds) {
        out += text(
            R"(%s{"rate":%.1f,"p50_us":%.2f,"p99_us":%.2f,"cpu_us":%.3f,"load_cpu_us":%.3f,"count":%llu})",
            &f == &rounds.front() ? "" : ",", f.rate, f.p50, f.p99, f.cpu, f.load_cpu,
            static_cast<unsigned long long>(f.count));
      }
      out += "]}";
    }
    out += "],\"goals\":[";
    comma.clear();
    for (const Verdict& v : verdicts_of(outcome)) {
      out +=
          comma + text(R"({"of":"%s","against":"%s","what":"%s","wanted":%.3f,"measured":%.4f,"reached":%s})",
                       v.goal.of.c_str(), v.against.c_str(), name_of(v.goal.what), v.goal.ratio, v.ratio,
                       v.reached ? "true" : "false");
      comma = ",";
    }
    out += "]}";
  }
  return out + "\n]\n";
}

}  // namespace pointsman::peers
