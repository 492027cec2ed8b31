// Results as text for people and programs.

#include "clients/program/load/result.hpp"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>

#include "protocol/json_text.hpp"

namespace pointsman::load {
namespace {

template <class... Values>
std::string format(const char* how, Values... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), how, values...);
  return text.data();
}

std::string number(double value) { return format("%.9g", value); }
std::string number(std::uint64_t value) { return std::to_string(value); }

std::string line(std::string_view name, const std::string& text) {
  return format("%-11s ", std::string(name).c_str()) + text + "\n";
}

// "12,345"
std::string grouped(double value) {
  std::string digits = format("%.0f", value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}
std::string grouped(std::uint64_t value) { return grouped(static_cast<double>(value)); }

std::string percentiles(const Histogram& histogram) {
  std::string text;
  for (const double share : shares) text += format("%12s", shown_time(histogram.at(share)).c_str());
  return text + format("%12s", shown_time(histogram.greatest()).c_str());
}

std::string codes(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [code, count] : counts) text += (text.empty() ? " (" : ", ") + code + " " + grouped(count);
  return text.empty() ? text : text + ")";
}

std::string account_line(const Account& account) {
  return grouped(account.made) + " made = " + grouped(account.answered) + " answered + " +
         grouped(account.total(account.refused)) + " refused" + codes(account.refused) + " + " +
         grouped(account.total(account.failed)) + " failed" + codes(account.failed) + " + " +
         grouped(account.unfinished) + " unfinished; " + grouped(account.doubled) + " doubled";
}

std::string cpu_text(const Result& result) {
  const auto of = [&](const char* who, double used) -> std::string {
    if (used < 0 || result.seconds <= 0) return "";
    std::string text = std::string(who) + format(" %.0f %% of a core", used / 1e4 / result.seconds);
    if (result.answered_in_time > 0) {
      text += format(", %.1f us each", used / static_cast<double>(result.answered_in_time));
    }
    return text + "; ";
  };
  std::string text = of("broker", result.cpu.broker) + of("workers", result.cpu.workers) +
                     of("this load generator", result.cpu.generator);
  return text.empty() ? text : text.substr(0, text.size() - 2);
}

}  // namespace

bool Result::good() const {
  return std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.holds; });
}

const std::string& Result::parameter(std::string_view name) const {
  static const std::string none;
  const auto found = std::find_if(parameters.begin(), parameters.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == parameters.end() ? none : found->second;
}

std::string table_of(const Result& result) {
  std::string text, how;
  for (const auto& [name, value] : result.parameters) how += (how.empty() ? "" : ", ") + name + " " + value;
  text += line("load", how);
  if (result.cut_short) text += line("", "stopped by a signal; these are the results so far");
  for (const Step& step : result.steps) {
    text += line("tried", format("%12s /s: %s, answered %s /s, %s", grouped(step.rate).c_str(),
                                 step.held ? "held  " : "missed", grouped(step.answered).c_str(),
                                 shown_time(step.seen).c_str()));
  }
  text += line("answered",
               grouped(result.rate()) + " a second over " + format("%.1f s", result.seconds) +
                   (result.bytes > 0 && result.seconds > 0
                        ? format(", %.1f MB/s", static_cast<double>(result.bytes) / 1e6 / result.seconds)
                        : ""));
  text += "\n" + format("%-11s", "latency");
  for (const char* name : {"p50", "p90", "p99", "p99.9", "p99.99", "max"}) text += format("%12s", name);
  text += "\n" + format("%-11s", "  from due") + percentiles(result.latency) + "\n";
  text += format("%-11s", "  from sent") + percentiles(result.took) + "\n";
  if (result.handoff.count() > 0) text += format("%-11s", "  hand-off") + percentiles(result.handoff) + "\n";
  text += "\n";
  if (const std::string cpu = cpu_text(result); !cpu.empty()) text += line("cpu", cpu);
  for (const Happening& happening : result.happenings) {
    text += line("happened", format("%6.2f s  ", happening.at) + happening.what);
  }
  text += line("account", account_line(result.account));
  for (const Check& check : result.checks) {
    text += line(check.holds ? "checked" : "VIOLATED", check.what + ": " + check.seen);
  }
  if (!result.bound.empty()) text += line("bound", result.bound + (result.missed ? ": MISSED" : ": held"));
  return text;
}

namespace {

std::string json_counts(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [code, count] : counts)
    text += (text.empty() ? "" : ",") + json_quote(code) + ":" + number(count);
  return "{" + text + "}";
}

std::string json_histogram(const Histogram& histogram) {
  std::string text = "{\"relative_error\":" + number(Histogram::error) +
                     ",\"count\":" + number(histogram.count()) + ",\"sum\":" + number(histogram.sum()) +
                     ",\"min\":" + number(histogram.least()) + ",\"max\":" + number(histogram.greatest());
  for (const double share : shares)
    text += ",\"p" + format("%g", share * 100) + "\":" + number(histogram.at(share));
  text += ",\"buckets\":[";
  bool first = true;
  for (std::size_t i = 0; i < histogram.buckets().size(); ++i) {
    if (histogram.buckets()[i] == 0) continue;
    text += (first ? "" : ",") + number(std::uint64_t{i}) + "," + number(histogram.buckets()[i]);
    first = false;
  }
  return text + "]}";
}

template <class List, class Each>
std::string json_list(const List& list, const Each& each) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "\n  " : ",\n  ") + each(entry);
  return "[" + text + "]";
}

const char* boolean(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string json_of(const Result& result) {
  std::string parameters;
  for (const auto& [name, value] : result.parameters) {
    parameters += (parameters.empty() ? "" : ",") + json_quote(name) + ":" + json_quote(value);
  }
  const Account& account = result.account;
  std::string text = "{\"format\":\"pointsman-load-1\",\"version\":" + json_quote(result.version) +
                     ",\"machine\":" + json_quote(result.machine) + ",\"started\":" + number(result.started) +
                     ",\n\"parameters\":{" + parameters + "},\n\"seconds\":" + number(result.seconds) +
                     ",\"interval\":" + number(result.interval) + ",\"rate\":" + number(result.rate()) +
                     ",\"answered_in_time\":" + number(result.answered_in_time) +
                     ",\"bytes\":" + number(result.bytes);
  text += ",\n\"account\":{\"made\":" + number(account.made) + ",\"answered\":" + number(account.answered) +
          ",\"refused\":" + json_counts(account.refused) + ",\"failed\":" + json_counts(account.failed) +
          ",\"unfinished\":" + number(account.unfinished) + ",\"doubled\":" + number(account.doubled) + "}";
  text += ",\n\"latency\":" + json_histogram(result.latency) + ",\n\"took\":" + json_histogram(result.took) +
          ",\n\"handoff\":" + json_histogram(result.handoff);
  text += ",\n\"points\":" + json_list(result.points, [](const Point& point) {
            return "[" + number(point.answered) + "," + number(point.others) + "," + number(point.p50) + "," +
                   number(point.p99) + "," + number(point.greatest) + "]";
          });
  text += ",\n\"repeats\":" + json_list(result.repeats, [](const Sample& sample) {
            return "[" + number(sample.rate) + "," + number(sample.p50) + "," + number(sample.p99) + "]";
          });
  text += ",\n\"steps\":" + json_list(result.steps, [](const Step& step) {
            return "[" + number(step.rate) + "," + boolean(step.held) + "," + number(step.seen) + "," +
                   number(step.answered) + "]";
          });
  text += ",\n\"happened\":" + json_list(result.happenings, [](const Happening& happening) {
            return "[" + number(happening.at) + "," + json_quote(happening.what) + "]";
          });
  text +=
      ",\n\"checks\":" + json_list(result.checks, [](const Check& check) {
        return "[" + json_quote(check.what) + "," + boolean(check.holds) + "," + json_quote(check.seen) + "]";
      });
  text += ",\n\"bound\":" + json_quote(result.bound) + ",\"missed\":" + boolean(result.missed) +
          ",\"cut_short\":" + boolean(result.cut_short) +
          ",\"cpu_us\":{\"generator\":" + number(result.cpu.generator) +
          ",\"broker\":" + number(result.cpu.broker) + ",\"workers\":" + number(result.cpu.workers) + "}}\n";
  return text;
}

std::string csv_of(const Result& result) {
  std::string text = "seconds,answered_per_s,not_answered_per_s,p50_us,p99_us,max_us\n";
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const Point& point = result.points[i];
    text += format("%.3f,%.1f,%.1f,%.1f,%.1f,%.1f\n", static_cast<double>(i) * result.interval,
                   static_cast<double>(point.answered) / result.interval,
                   static_cast<double>(point.others) / result.interval, static_cast<double>(point.p50) / 1e3,
                   static_cast<double>(point.p99) / 1e3, static_cast<double>(point.greatest) / 1e3);
  }
  return text;
}

}  // namespace pointsman::load
