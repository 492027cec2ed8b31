// Problem: one way to say what is wrong, whoever found it.

#include "clients/program/problem.hpp"

#include <utility>

#include "clients/program/duration.hpp"
#include "clients/program/output.hpp"
#include "protocol/json_text.hpp"
#include "protocol/names.hpp"

namespace pointsman::program {

Problem usage(std::string message, std::string remedy) {
  return {Exit::usage, "usage", std::move(message), std::move(remedy), {}, 0};
}

Problem wrapper(std::string message, std::string remedy) {
  return {Exit::wrapper, "wrapper", std::move(message), std::move(remedy), {}, 0};
}

Problem elapsed(std::string message, std::string remedy) {
  return {Exit::elapsed, "elapsed", std::move(message), std::move(remedy), {}, 0};
}

Problem problem_of(const Error& error, bool call) {
  Problem problem{exit_of(error.code), std::string(word(error.code)), error.what(), error.remedy, error.detail,
                  error.exit};
  if (error.retry > Milliseconds(0)) {
    problem.remedy += (problem.remedy.empty() ? "try" : "; try") + std::string(" again in ") + rough(error.retry);
  }
  if (call && error.code == Code::timed_out) problem.exit = Exit::elapsed;
  return problem;
}

std::string json_of(const Problem& problem) {
  std::string text = R"({"code":)" + json_quote(problem.code);
  text += R"(,"exit":)" + std::to_string(status(problem.exit));
  text += R"(,"message":)" + json_quote(problem.message);
  if (!problem.remedy.empty()) text += R"(,"remedy":)" + json_quote(problem.remedy);
  if (problem.work_exit != 0) text += R"(,"work_exit":)" + std::to_string(problem.work_exit);
  if (!problem.detail.empty()) text += R"(,"detail":)" + json_quote(problem.detail);
  return text + "}";
}

std::string told(const Problem& problem, bool json) {
  if (json) return R"({"error":)" + json_of(problem) + "}\n";
  std::string text = std::string(program_name) + ": " + problem.message;
  if (problem.work_exit != 0 && problem.message.find("exit") == std::string::npos) {
    text += " (the worker's program ended with exit code " + std::to_string(problem.work_exit) + ")";
  }
  text += '\n';
  if (!problem.remedy.empty()) text += "  " + problem.remedy + '\n';
  if (!problem.detail.empty()) {
    text += problem.detail;
    if (text.back() != '\n') text += '\n';
  }
  return printable_lines(text);
}

int complain(const Problem& problem, bool json) {
  write_err(told(problem, json));
  return status(problem.exit);
}

}  // namespace pointsman::program
