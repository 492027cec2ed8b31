// Shows which exit code each outcome has.
#include "clients/program/exit.hpp"

#include <doctest/doctest.h>

#include "clients/program/problem.hpp"

using namespace pointsman;
using namespace pointsman::program;

TEST_CASE("program: every code of the protocol has its exit code") {
  CHECK(exit_of(Code::none) == Exit::done);
  CHECK(exit_of(Code::failed) == Exit::failed);
  CHECK(exit_of(Code::unreachable) == Exit::unreachable);
  for (const Code code : {Code::unknown_service, Code::unknown_request, Code::unknown_session, Code::unknown_worker}) {
    CHECK(exit_of(code) == Exit::not_found);
  }
  for (const Code code : {Code::no_worker, Code::timed_out, Code::queue_full, Code::hopeless}) {
    CHECK(exit_of(code) == Exit::no_worker);
  }
  for (const Code code : {Code::wrong_role, Code::name_taken, Code::bad_ticket, Code::not_yours, Code::cancelled}) {
    CHECK(exit_of(code) == Exit::refused);
  }
}

TEST_CASE("program: a call that runs out of time is told from a wait that does") {
  const Error error(Code::timed_out, "too late");
  CHECK(problem_of(error).exit == Exit::no_worker);
  CHECK(problem_of(error, true).exit == Exit::elapsed);
}

TEST_CASE("program: a problem is told to people and to programs") {
  Error error(Code::failed, "the program said \"no\"");
  error.exit = 3;
  error.remedy = "mend it";
  error.retry = Milliseconds(1500);
  error.detail = "bad\x1b[31m input";
  CHECK(told(problem_of(error), false) ==
        "pointsman: the program said \"no\" (the worker's program ended with exit code 3)\n"
        "  mend it; try again in 1.5s\nbad?[31m input\n");
  CHECK(told(problem_of(error), true) ==
        R"({"error":{"code":"failed","exit":1,"message":"the program said \"no\"",)"
        R"("remedy":"mend it; try again in 1.5s","work_exit":3,"detail":"bad\u001b[31m input"}})"
        "\n");
  CHECK(told(usage("no", "do this"), false) == "pointsman: no\n  do this\n");
}
