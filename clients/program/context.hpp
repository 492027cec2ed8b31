// Context: what every command gets beside its own options, and the few things every command does with it.

#pragma once

#include <chrono>
#include <string>

#include "clients/client.hpp"
#include "clients/program/settings.hpp"
#include "protocol/messages.hpp"

namespace pointsman::program {

using Clock = std::chrono::steady_clock;

struct Context {
  Settings settings;
  bool json = false;   // data and errors as JSON
  bool trace = false;  // every message on stderr
  Clock::time_point deadline = Clock::time_point::max();  // --timeout

  bool elapsed() const { return Clock::now() >= deadline; }
};

// Thrown by a command that a signal ended, when it has cleaned up. Main dies of that signal, so that the
// shell knows.
struct Interrupted {
  int signal;
};

// How the client library is to be used. Throws KeyError for what is wrong with its keys. It waits for the
// broker no longer than --timeout.
ClientOptions client_options(const Context& context);

// The time left until --timeout, at most `wish`.
std::chrono::milliseconds within(const Context& context, Milliseconds wish);

Problem timeout_problem(const Context& context);

// Asks the broker; its answer has to be an Answer. Throws Error if it refuses or is not there.
template <class Answer>
Answer ask(Client& client, const Message& question) {
  Message answer = client.ask(question);
  if (auto* expected = std::get_if<Answer>(&answer)) return std::move(*expected);
  throw Error(Code::bad_message, "the broker answered `" + std::string(op_of(answer)) + "` to `" +
                                     std::string(op_of(question)) + "`; is it of another version?");
}

// The message as one JSON document on a line of stdout.
void print_json(const Message& message);

}  // namespace pointsman::program
