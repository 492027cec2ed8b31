// Shows what a call sends, what a command tells by its end, and how words of the command line are read.
#include "clients/program/requests.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "clients/program/child.hpp"
#include "clients/program/signals.hpp"
#include "clients/program/words.hpp"
#include "protocol/limits.hpp"
#include "protocol/must.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace pointsman::program;

namespace {

// A file for the length of one test.
class File {
 public:
  explicit File(const std::string& text) { std::ofstream(path) << text; }

 private:
  const TemporaryFolder folder_;

 public:
  const std::string path = folder_ / "request";
};

std::string text_of(const Requests& requests, std::uint64_t number) {
  const auto payload = requests.read(number);
  REQUIRE(std::holds_alternative<Payload>(payload));
  return std::get<Payload>(payload).at(0).str();
}

// What a command says about itself when it has ended.
int code_of(const std::vector<std::string>& command) {
  Signals signals{SIGCHLD};
  auto child = Child::start(command, {"POINTSMAN_TEST=yes"}, signals.before());
  if (const auto* problem = std::get_if<Problem>(&child)) return status(problem->exit);
  const Bell bell;
  for (;;) {
    if (const auto code = std::get<Child>(child).ended()) return *code;
    REQUIRE(wait_for(signals, bell, Clock::now() + std::chrono::seconds(20)));
    while (signals.next()) {
    }
  }
}

}  // namespace

TEST_CASE("program: requests are texts and files, in order, repeated as a whole") {
  const File file("from a file\n");
  const auto made = Requests::from({"a text", "@" + file.path}, 2);
  REQUIRE(std::holds_alternative<Requests>(made));
  const auto& requests = std::get<Requests>(made);
  CHECK(requests.count() == 4);
  CHECK(text_of(requests, 0) == "a text");
  CHECK(text_of(requests, 1) == "from a file\n");
  CHECK(text_of(requests, 2) == "a text");
  CHECK(requests.name(3) == "@" + file.path);
}

TEST_CASE("program: no request is one that is empty") {
  const auto made = Requests::from({}, 1);
  REQUIRE(std::holds_alternative<Requests>(made));
  CHECK(std::get<Requests>(made).count() == 1);
  CHECK(text_of(std::get<Requests>(made), 0).empty());
}

TEST_CASE("program: files that are not there or too large are told") {
  CHECK(std::holds_alternative<Problem>(Requests::from({"@/no/such/file"}, 1)));
  const File file("");
  std::filesystem::resize_file(file.path, limits::payload_bytes + 1);
  const auto made = Requests::from({"@" + file.path}, 1);
  REQUIRE(std::holds_alternative<Requests>(made));
  const auto payload = std::get<Requests>(made).read(0);
  REQUIRE(std::holds_alternative<Problem>(payload));
  CHECK(std::get<Problem>(payload).message.find("larger than 16 MiB") != std::string::npos);
  std::filesystem::resize_file(file.path, limits::payload_bytes);
  CHECK(text_of(std::get<Requests>(made), 0).size() == limits::payload_bytes);
}

TEST_CASE("program: a command's end becomes an exit code") {
  CHECK(code_of({"true"}) == 0);
  CHECK(code_of({"sh", "-c", "exit 7"}) == 7);
  CHECK(code_of({"sh", "-c", "test \"$POINTSMAN_TEST\" = yes"}) == 0);
  CHECK(code_of({"sh", "-c", "kill -TERM $$"}) == 143);
  CHECK(code_of({"pointsman-has-no-such-command"}) == 127);
  CHECK(code_of({"/etc/passwd"}) == 126);
}

TEST_CASE("program: offers are names with weight and slots") {
  const auto offer = [](const char* text) { return parse_offer(text); };
  CHECK(std::get<Offer>(offer("zip")) == Offer{.service = "zip"});
  CHECK(std::get<Offer>(offer("zip:3")) == Offer{.service = "zip", .weight = 3});
  CHECK(std::get<Offer>(offer("zip:3:2")) == Offer{.service = "zip", .weight = 3, .slots = 2});
  for (const char* text : {"", ":1", "zip:", "zip:0", "zip:101", "zip:x", "zip:1:", "zip:1:0", "zip:1:2:3"}) {
    CAPTURE(text);
    CHECK(std::holds_alternative<Problem>(offer(text)));
  }
}

TEST_CASE("program: what is to be explained is one word or two") {
  ExplainCommand command;
  CHECK_FALSE(explain_subject({"6f1c"}, command).has_value());
  CHECK(command.id == "6f1c");
  CHECK_FALSE(explain_subject({"session", "7"}, command).has_value());
  CHECK(command.session == 7);
  CHECK_FALSE(explain_subject({"worker", "w"}, command).has_value());
  CHECK(command.worker == "w");
  CHECK_FALSE(explain_subject({"service", "s"}, command).has_value());
  CHECK(command.service == "s");
  CHECK(explain_subject({"session", "seven"}, command).has_value());
  CHECK(explain_subject({"job", "7"}, command).has_value());
}
