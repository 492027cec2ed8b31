// Answers of `pointsman call`: bytes as they are, lines, or JSON.

#include "clients/program/answers.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "clients/program/output.hpp"
#include "protocol/base64.hpp"
#include "protocol/json_text.hpp"
#include "protocol/utf8.hpp"

namespace pointsman::program {
namespace {

constexpr std::uint64_t reported_max = 20;  // failures that are told one by one
constexpr std::size_t workers_shown = 8;    // in the summary for people

std::string milliseconds(std::chrono::microseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", static_cast<double>(time.count()) / 1000);
  return text.data();
}

std::chrono::microseconds quantile(const std::vector<std::chrono::microseconds>& sorted, std::size_t percent) {
  if (sorted.empty()) return std::chrono::microseconds(0);
  return sorted[std::min(sorted.size() - 1, sorted.size() * percent / 100)];
}

std::string joined(const Payload& payload) {
  std::string text;
  for (const Frame& frame : payload) text += frame.view();
  return text;
}

}  // namespace

Answers::Answers(const CallCommand& command, const Context& context, const Requests& requests)
    : command_(command),
      context_(context),
      requests_(requests),
      screen_(screen()),
      document_(context.json && !command.separate) {
  if (document_) write_out(R"({"answers":[)");
}

void Answers::add(std::uint64_t number, Outcome outcome) {
  if (number != next_) {
    early_.emplace(number, std::move(outcome));
    return;
  }
  print(next_++, outcome);
  for (auto first = early_.begin(); first != early_.end() && first->first == next_; first = early_.erase(first)) {
    print(next_++, first->second);
  }
}

void Answers::part(const Payload& payload) {
  for (const Frame& frame : payload) {
    if (frame.size() == 0) continue;
    write_out(frame.view());
    line_open_ = frame.view().back() != '\n';
  }
}

void Answers::print(std::uint64_t number, const Outcome& outcome) {
  if (context_.json) {
    write_out((document_ && number > 0 ? "," : "") + json(number, outcome) + (document_ ? "" : "\n"));
  } else {
    part(outcome.payload);
    if (command_.separate && !outcome.problem && std::exchange(line_open_, false)) write_out("\n");
    if (command_.separate && !outcome.problem && joined(outcome.payload).empty()) write_out("\n");
  }
  if (outcome.problem) {
    report(number, *outcome.problem);
    return;
  }
  ++by_worker_[outcome.worker];
  times_.push_back(outcome.took);
}

std::string Answers::json(std::uint64_t number, const Outcome& outcome) const {
  std::string text = R"({"request":)" + std::to_string(number + 1);
  text += R"(,"service":)" + json_quote(command_.service);
  if (!outcome.worker.empty()) text += R"(,"worker":)" + json_quote(outcome.worker);
  if (outcome.session != 0) text += R"(,"session":)" + std::to_string(outcome.session);
  text += R"(,"ms":)" + milliseconds(outcome.took);
  if (outcome.problem) return text + R"(,"error":)" + json_of(*outcome.problem) + "}";
  const std::string answer = joined(outcome.payload);
  text += R"(,"frames":)" + std::to_string(outcome.payload.size());
  if (is_utf8(answer)) return text + R"(,"text":)" + json_quote(answer) + "}";
  return text + R"(,"base64":")" + to_base64(answer) + R"("})";
}

void Answers::report(std::uint64_t number, Problem problem) {
  if (!first_failure_) first_failure_ = problem.exit;
  ++failed_;
  if (failed_ > reported_max) return;
  if (requests_.count() > 1) {
    problem.message = "request " + std::to_string(number + 1) + " (" + requests_.name(number) + "): " + problem.message;
  }
  complain(problem, context_.json);
}

std::string Answers::summary(std::uint64_t sessions) const {
  auto sorted = times_;
  std::sort(sorted.begin(), sorted.end());
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start_);
  const auto answered = next_ - failed_;
  const double seconds = std::max(1e-6, static_cast<double>(took.count()) / 1e6);
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(answered) / seconds + 0.5);
  const std::array<std::pair<const char*, std::string>, 8> figures{
      {{"answered", std::to_string(answered)},
       {"failed", std::to_string(failed_)},
       {"sessions", std::to_string(sessions)},
       {"took_ms", milliseconds(took)},
       {"per_second", std::to_string(rate)},
       {"p50_ms", milliseconds(quantile(sorted, 50))},
       {"p99_ms", milliseconds(quantile(sorted, 99))},
       {"max_ms", milliseconds(sorted.empty() ? std::chrono::microseconds(0) : sorted.back())}}};
  std::string text;
  if (context_.json) {
    for (const auto& [name, value] : figures) text += (text.empty() ? "{\"" : ",\"") + std::string(name) + "\":" + value;
    text += R"(,"workers":{)";
    std::size_t shown = 0;
    for (const auto& [worker, count] : by_worker_) {
      text += (shown++ == 0 ? "" : ",") + json_quote(worker) + ":" + std::to_string(count);
    }
    return text + "}}";
  }
  for (const auto& [name, value] : figures) text += (text.empty() ? "" : " ") + std::string(name) + "=" + value;
  std::size_t shown = 0;
  for (const auto& [worker, count] : by_worker_) {
    if (shown++ == workers_shown) return text + " …";
    text += " " + worker + "=" + std::to_string(count);
  }
  return printable(text);
}

int Answers::finish(std::uint64_t sessions, const std::optional<Problem>& lost) {
  const bool many = requests_.count() > 1 || command_.sessions > 1;
  if (line_open_ && screen_.terminal) write_out("\n");
  if (document_) write_out(R"(],"summary":)" + summary(sessions) + "}\n");
  if (failed_ > reported_max) {
    write_err("and " + std::to_string(failed_ - reported_max) + " more requests failed\n");
  }
  if (lost) {
    Problem problem = *lost;
    if (const auto left = requests_.count() - next_; many && left > 0) {
      problem.message = std::to_string(left) + " of " + std::to_string(requests_.count()) +
                        " requests have no answer: " + problem.message;
    }
    complain(problem, context_.json);
    if (!first_failure_) first_failure_ = lost->exit;
  }
  if (many && !document_) write_err(summary(sessions) + "\n");
  return status(first_failure_.value_or(Exit::done));
}

}  // namespace pointsman::program
