// The broker as a process: how it begins, what it says when it cannot, how it ends.

#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

#include "protocol/notation.hpp"
#include "test/e2e/stranger.hpp"
#include "test/folder.hpp"

namespace pointsman {
namespace {

using namespace std::chrono_literals;

TEST_CASE("broker: SIGTERM tells those who wait, and the exit code is 0") {
  int signal = SIGTERM;
  SUBCASE("SIGTERM") {}
  SUBCASE("SIGINT") { signal = SIGINT; }
  BrokerProcess broker;
  Stranger first(broker.clients);
  Stranger second(broker.clients);
  const Request request{
      .id = "r1", .service = "nobody-yet", .wait_ms = Milliseconds(60'000), .absent = true, .updates = true};
  for (Stranger* client : {&first, &second}) {
    Request one = request;
    one.client = client == &first ? "first" : "second";
    const auto answer = client->ask({encode(one, Codec::json)});
    REQUIRE(answer);
    CHECK(std::holds_alternative<Queued>(*answer));
  }
  broker.process->signal(signal);
  for (Stranger* client : {&first, &second}) {
    const auto frames = client->receive();
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].find("shutting-down") != std::string::npos);
  }
  const auto code = broker.process->wait(20s);
  REQUIRE(code);
  CHECK(*code == 0);
}

TEST_CASE("broker: an endpoint that is in use is named, with the remedy, and the exit code is not 0") {
  BrokerProcess broker;
  const Result second =
      run({pointsman_program(), "broker", "--clients", broker.clients, "--workers", "tcp://127.0.0.1:*"});
  CHECK(second.code > 0);
  CHECK(second.err.find(broker.clients) != std::string::npos);
  CHECK(second.err.find("in use") != std::string::npos);
  CHECK(second.out.empty());
  CHECK(std::holds_alternative<Welcome>(Stranger(broker.clients).ask({encode(Hello{})}).value()));
}

TEST_CASE("broker: an ipc socket left by a killed broker is taken over, a file is not") {
  TemporaryFolder folder;
  const std::vector<std::string> arguments{"--clients", "ipc://" + folder.path() + "/c", "--workers",
                                           "ipc://" + folder.path() + "/w"};
  {
    BrokerProcess killed(arguments);
    killed.process->signal(SIGKILL);
    CHECK(killed.process->wait(20s) == 128 + SIGKILL);
  }
  BrokerProcess next(arguments);
  CHECK(next.clients == arguments[1]);
  CHECK(std::holds_alternative<Welcome>(Stranger(next.clients).ask({encode(Hello{})}).value()));

  std::ofstream(folder.path() + "/file") << "precious";
  const Result third = run({pointsman_program(), "broker", "--clients", "ipc://" + folder.path() + "/file",
                            "--workers", "tcp://127.0.0.1:*"});
  CHECK(third.code > 0);
  std::string kept;
  std::ifstream(folder.path() + "/file") >> kept;
  CHECK(kept == "precious");
}

TEST_CASE("broker: an address that other machines reach needs --insecure") {
  const Result refused =
      run({pointsman_program(), "broker", "--clients", "tcp://0.0.0.0:*", "--workers", "tcp://127.0.0.1:*"});
  CHECK(refused.code > 0);
  CHECK(refused.err.find("--insecure") != std::string::npos);
}

TEST_CASE("broker: with --trace every message is a line that the notation reads back") {
  BrokerProcess broker({"--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*", "--trace"});
  CHECK(Stranger(broker.clients).ask({encode(Hello{})}));
  CHECK(Stranger(broker.workers).refusal({"garbage"}) == Code::bad_message);
  broker.process->signal(SIGTERM);
  REQUIRE(broker.process->wait(20s));
  std::istringstream trace(broker.process->err());
  int read = 0;
  for (std::string line; std::getline(trace, line);) {
    if (line.starts_with("#")) continue;
    const std::size_t arrow = line.find_first_of("<>");
    REQUIRE(arrow != std::string::npos);
    CAPTURE(line);
    CHECK(std::holds_alternative<Message>(from_line(line.substr(arrow + 2))));
    ++read;
  }
  CHECK(read == 3);  // hello, welcome; and refused, which answers the garbage
}

}  // namespace
}  // namespace pointsman
