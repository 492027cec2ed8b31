// Shows the library at work against a broker and a worker played by the test, over real sockets.
#include "clients/client.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <set>
#include <thread>

#include "protocol/transport.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

// A broker that grants every request at once, and the worker that it grants.
class Stage {
 public:
  Stage() {
    broker_ = transport_.listen(Door::clients, "tcp://127.0.0.1:*", {});
    worker_ = transport_.listen(Door::direct, "tcp://127.0.0.1:*", direct_limits());
    thread_ = std::thread([this] {
      while (!stop_) {
        transport_.turn(never, [this](Incoming&& incoming) {
          if (auto* received = std::get_if<Received>(&incoming)) play(*received);
        });
      }
    });
  }
  ~Stage() {
    stop_ = true;
    transport_.wake();
    thread_.join();
  }

  const std::string& broker() const { return broker_; }
  std::atomic<bool> deaf{false};  // the worker does not answer
  std::atomic<std::uint64_t> granted{0};
  std::atomic<std::uint64_t> released{0};
  std::atomic<std::uint64_t> connections{0};  // that the worker has seen

 private:
  void answer(const Received& to, Message message, Payload payload = {}) {
    transport_.send({to.from, std::move(message), std::move(payload)});
  }

  void play(const Received& in) {
    if (in.from.door == Door::clients) return play_broker(in);
    if (!deaf) play_worker(in);
  }

  void play_broker(const Received& in) {
    if (const auto* request = std::get_if<Request>(&in.message)) {
      if (request->service == "nothing") {
        return answer(in, Refused{.about = "request",
                                  .code = Code::unknown_service,
                                  .reason = "nobody offers it",
                                  .remedy = "start a worker",
                                  .id = request->id});
      }
      if (request->service == "slow") answer(in, Queued{.id = request->id, .position = 1});
      if (request->failed != 0) deaf = false;
      Granted grant{.id = request->id, .session = ++granted, .service = request->service, .worker = "w"};
      grant.endpoint = worker_;
      grant.ticket = {"t"};
      grant.ttl_ms = Milliseconds(5000);
      grant.term_ms = Milliseconds(30000);
      answer(in, std::move(grant));
    } else if (const auto* release = std::get_if<Release>(&in.message)) {
      ++released;
      answer(in, Released{.session = release->session});
    } else if (std::holds_alternative<Hello>(in.message)) {
      answer(in, Welcome{.program = "stage"});
    } else if (std::holds_alternative<List>(in.message)) {
      answer(in, Refused{.about = "list", .code = Code::limit_reached, .reason = "no"});
    } else if (std::holds_alternative<Watch>(in.message) && !watched_) {
      watched_ = true;
      answer(in, Watching{.last = 4, .term_ms = Milliseconds(300)});
      for (const std::uint64_t number : {5U, 6U, 9U}) answer(in, Happened{.number = number});
    } else if (std::holds_alternative<Watch>(in.message)) {
      answer(in, Watching{.last = 10, .term_ms = Milliseconds(300)});
      answer(in, Happened{.number = 11, .detail = "enough"});
    }
  }

  void play_worker(const Received& in) {
    if (peers_.insert(in.from.peer).second) ++connections;
    if (const auto* call = std::get_if<Call>(&in.message)) {
      const std::string word = in.payload.empty() ? "" : in.payload.front().str();
      if (word == "silence") return;
      if (word == "fail") {
        return answer(in, Failed{.session = call->session,
                                 .number = call->number,
                                 .reason = "boom",
                                 .exit = 3,
                                 .detail = "stderr"});
      }
      const std::uint64_t parts = word == "parts" ? 3 : 1;
      for (std::uint64_t part = 0; part < parts; ++part) {
        answer(
            in,
            Reply{.session = call->session, .number = call->number, .part = part, .more = part + 1 < parts},
            in.payload);
      }
    } else if (std::holds_alternative<Open>(in.message)) {
      answer(in, Opened{.session = granted, .term_ms = Milliseconds(30000)});
    } else if (const auto* renew = std::get_if<Renew>(&in.message)) {
      answer(in, Renewed{.session = renew->session, .term_ms = Milliseconds(30000)});
    } else if (const auto* release = std::get_if<Release>(&in.message)) {
      ++released;
      answer(in, Released{.session = release->session});
    }
  }

  Transport transport_;
  std::string broker_;
  std::string worker_;
  std::set<std::uint64_t> peers_;
  bool watched_ = false;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

Code code_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    return error.code;
  }
  return Code::none;
}

// Where nobody listens.
const std::string nowhere = "tcp://127.0.0.1:9";

}  // namespace

TEST_CASE("acquire, call and release in three lines") {
  Stage stage;
  Client client({.broker = stage.broker()});
  auto session = client.acquire("echo");
  CHECK(session.call({"hello", "world"}) == Payload{"hello", "world"});
  CHECK(session.grant().worker == "w");
  CHECK(session.reassigned() == 0);
  session.release();
  session.release();
  CHECK(code_of([&] { session.call({"x"}); }) == Code::unknown_session);
  CHECK(client.call("echo", {"short"}) == Payload{"short"});
}

TEST_CASE("parts are joined by call and given one by one by stream") {
  Stage stage;
  Client client({.broker = stage.broker()});
  auto session = client.acquire("echo");
  CHECK(session.call({"parts"}) == Payload{"parts", "parts", "parts"});
  int parts = 0;
  session.stream({"parts", "x"}, [&](const Payload& part) {
    CHECK(part == Payload{"parts", "x"});
    ++parts;
  });
  CHECK(parts == 3);
}

TEST_CASE("an exception of the user ends a stream and nothing else") {
  Stage stage;
  Client client({.broker = stage.broker()});
  auto session = client.acquire("echo");
  CHECK_THROWS_AS(session.stream({"parts"}, [](const Payload&) { throw std::runtime_error("enough"); }),
                  std::runtime_error);
  CHECK(session.call({"x"}) == Payload{"x"});
}

TEST_CASE("an answer larger than its bound is an error and the session goes on") {
  Stage stage;
  Client client({.broker = stage.broker(), .answer_max = 10});
  auto session = client.acquire("echo");
  CHECK(code_of([&] { session.call({"eleven bytes"}); }) == Code::limit_reached);
  CHECK(code_of([&] { session.call({"parts"}); }) == Code::limit_reached);
  CHECK(session.call({"x"}) == Payload{"x"});
}

TEST_CASE("failed work says how it failed") {
  Stage stage;
  Client client({.broker = stage.broker()});
  auto session = client.acquire("echo");
  try {
    session.call({"fail"});
    FAIL("it did not fail");
  } catch (const Error& error) {
    CHECK(error.code == Code::failed);
    CHECK(std::string(error.what()) == "boom");
    CHECK(error.exit == 3);
    CHECK(error.detail == "stderr");
  }
  CHECK(session.call({"x"}) == Payload{"x"});
}

TEST_CASE("a refused request says why and what to do") {
  Stage stage;
  Client client({.broker = stage.broker()});
  try {
    client.acquire("nothing");
    FAIL("it was not refused");
  } catch (const Error& error) {
    CHECK(error.code == Code::unknown_service);
    CHECK(error.remedy == "start a worker");
  }
}

TEST_CASE("callbacks get the session, the position in the queue and the answer") {
  Stage stage;
  Client client({.broker = stage.broker()});
  std::promise<std::uint64_t> position;
  std::promise<Session> acquired;
  client.acquire_async("slow",
                       [&](std::optional<Session> session, std::optional<Error> error) {
                         CHECK_FALSE(error);
                         acquired.set_value(std::move(*session));
                       },
                       {.queued = [&](const Queued& queued) { position.set_value(queued.position); }});
  CHECK(position.get_future().get() == 1);
  Session session = acquired.get_future().get();

  std::promise<Payload> answer;
  session.call_async({"x"}, [&](std::optional<Payload> payload, std::optional<Error> error) {
    CHECK_FALSE(error);
    CHECK(code_of([&] { session.call({"y"}); }) == Code::failed);  // would wait for itself
    answer.set_value(*payload);
  });
  CHECK(answer.get_future().get() == Payload{"x"});
}

TEST_CASE("a callback gets the error and a session that nobody keeps is released") {
  Stage stage;
  Client client({.broker = stage.broker()});
  std::promise<Code> refused;
  client.acquire_async("nothing", [&](std::optional<Session> session, std::optional<Error> error) {
    CHECK_FALSE(session);
    refused.set_value(error->code);
  });
  CHECK(refused.get_future().get() == Code::unknown_service);

  std::promise<void> acquired;
  client.acquire_async("echo", [&](std::optional<Session>, std::optional<Error>) { acquired.set_value(); });
  acquired.get_future().get();
  while (stage.released == 0) std::this_thread::yield();
}

TEST_CASE("many threads use one client and one session at once") {
  Stage stage;
  Client client({.broker = stage.broker()});
  auto shared = client.acquire("echo");
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 25; ++i) {
        const Payload text{std::to_string(thread) + "." + std::to_string(i)};
        right += client.call("echo", text) == text ? 1 : 0;
        right += shared.call(text) == text ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 400);
  CHECK(stage.connections == 1);  // links are shared and kept
}

TEST_CASE("a thousand calls over one session, one by one and all at once") {
  Stage stage;
  Client client({.broker = stage.broker()});
  auto session = client.acquire("echo");
  for (int i = 0; i < 1000; ++i) REQUIRE(session.call({std::to_string(i)}) == Payload{std::to_string(i)});

  std::atomic<int> right{0};
  std::promise<void> all;
  for (int i = 0; i < 1000; ++i) {
    session.call_async({std::to_string(i)}, [&, i](std::optional<Payload> answer, std::optional<Error>) {
      CHECK(answer == Payload{std::to_string(i)});
      if (++right == 1000) all.set_value();
    });
  }
  all.get_future().get();
  CHECK(stage.granted == 1);
}

TEST_CASE("large payloads go there and back") {
  Stage stage;
  Client client({.broker = stage.broker()});
  auto session = client.acquire("echo");
  std::string large(8 * 1024 * 1024, 'x');
  large[12345] = 'y';
  CHECK(session.call({large}) == Payload{large});
  CHECK(code_of([&] { session.call({std::string(17 * 1024 * 1024, 'x')}); }) == Code::limit_reached);
}

TEST_CASE("a worker that falls silent in mid-call is replaced") {
  Stage stage;
  Client client({.broker = stage.broker(), .pulse = 50ms});
  auto session = client.acquire("echo");
  CHECK(session.call({"x"}) == Payload{"x"});
  stage.deaf = true;  // until the broker is told
  CHECK(session.call({"y"}) == Payload{"y"});
  CHECK(session.reassigned() == 1);
  CHECK(session.grant().session == 2);
}

TEST_CASE("a call has an end while its worker lives but does not answer") {
  Stage stage;
  Client client({.broker = stage.broker()});
  auto session = client.acquire("echo");
  CHECK(code_of([&] { session.call({"silence"}, {.limit = 50ms}); }) == Code::timed_out);
  CHECK(session.call({"x"}) == Payload{"x"});
}

TEST_CASE("questions get answers and refusals are errors") {
  Stage stage;
  Client client({.broker = stage.broker()});
  CHECK(std::get<Welcome>(client.ask(Hello{})).program == "stage");
  CHECK(code_of([&] { client.ask(List{}); }) == Code::limit_reached);
  CHECK(code_of([&] { client.ask(Left{}); }) == Code::wrong_role);
}

TEST_CASE("a watch tells the events and the gaps between them") {
  Stage stage;
  Client client({.broker = stage.broker()});
  std::vector<std::uint64_t> numbers;
  std::vector<std::uint64_t> gaps;
  client.watch(
      {},
      [&](const Happened& happened) {
        numbers.push_back(happened.number);
        return happened.detail != "enough";
      },
      {}, [&](std::uint64_t missed) { gaps.push_back(missed); });
  CHECK(numbers == std::vector<std::uint64_t>{5, 6, 9, 11});
  CHECK(gaps == std::vector<std::uint64_t>{2, 1});
}

TEST_CASE("a watch ends when its user has enough of silence") {
  Stage stage;
  Client client({.broker = stage.broker()});
  int idle = 0;
  client.watch(
      {.service = "zip"}, [](const Happened& happened) { return happened.detail != "enough"; },
      [&] { return ++idle < 2; });
  CHECK(idle <= 2);
}

TEST_CASE("a broker that is not there is unreachable within patience") {
  Client client({.broker = nowhere, .patience = 200ms});
  CHECK(code_of([&] { client.ask(Hello{}); }) == Code::unreachable);
  CHECK(code_of([&] { client.acquire("echo", {.wait = 60s}); }) == Code::unreachable);
  CHECK(code_of([&] { client.watch({}, [](const Happened&) { return true; }); }) == Code::unreachable);
}

TEST_CASE("a client ends at once whatever is under way, and its sessions say so") {
  std::optional<Session> session;
  std::promise<Code> outcome;
  std::promise<Code> waiting;
  {
    Stage stage;
    std::optional<Client> client;
    client.emplace(ClientOptions{.broker = stage.broker()});
    session = client->acquire("echo");
    CHECK(session->call({"x"}) == Payload{"x"});
    session->call_async({"silence"}, [&](std::optional<Payload>, std::optional<Error> error) {
      outcome.set_value(error->code);
    });
    client.reset();
    CHECK(stage.released == 1);
  }
  CHECK(outcome.get_future().get() == Code::cancelled);
  CHECK(code_of([&] { session->call({"x"}); }) != Code::none);
  session->release();

  Client dead({.broker = nowhere});
  dead.acquire_async(
      "echo", [&](std::optional<Session>, std::optional<Error> error) { waiting.set_value(error->code); });
  { const Client gone = Client({.broker = nowhere}); }
}

TEST_CASE("names are made up within their bound, and endpoints that cannot be are refused") {
  const Client client({.broker = nowhere});
  CHECK(client.name().size() <= limits::name);
  CHECK(client.name() != Client({.broker = nowhere}).name());
  CHECK(Client({.broker = nowhere, .name = "ann"}).name() == "ann");
  CHECK(code_of([] { Client({.broker = "carrier://pigeon"}); }) == Code::bad_endpoint);
  CHECK(code_of([] { Client({.broker = nowhere, .name = std::string(65, 'x')}); }) == Code::limit_reached);
}

TEST_CASE("a session that was never acquired says so") {
  Session session;
  session.release();
  CHECK(code_of([&] { session.call({"x"}); }) == Code::unknown_session);
}
