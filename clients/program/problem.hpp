// Problem: why a command cannot do what it was asked, as it is told to people and to programs.

#pragma once

#include <string>
#include <variant>

#include "clients/client.hpp"
#include "clients/program/exit.hpp"

namespace pointsman::program {

struct Problem {
  Exit exit = Exit::usage;
  std::string code;     // one word for programs: a code of the protocol, or `usage`, `elapsed`, `wrapper`
  std::string message;  // one or more lines
  std::string remedy;   // empty if the message says it
  std::string detail;   // the end of a worker's stderr
  int work_exit = 0;    // exit code of the worker's program, if it had one
};

// A value, or why there is none.
template <class Value>
using Or = std::variant<Value, Problem>;

Problem usage(std::string message, std::string remedy = {});
Problem wrapper(std::string message, std::string remedy = {});
Problem elapsed(std::string message, std::string remedy = {});

// As the client library threw it. `call` says that it ended a call and not the wait for a worker.
Problem problem_of(const Error& error, bool call = false);

// {"code":…,"exit":…,"message":…}
std::string json_of(const Problem& problem);

// As it is printed: text for people, or one JSON document. With a line end.
std::string told(const Problem& problem, bool json);

// Prints it on stderr and returns the status to leave with.
int complain(const Problem& problem, bool json);

}  // namespace pointsman::program
