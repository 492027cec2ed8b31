// A client of the client library: threads that ask, call and release, over and over.

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "clients/client.hpp"
#include "test/faults/history.hpp"
#include "test/faults/parties.hpp"

namespace pointsman::faults {

namespace {

using namespace std::chrono_literals;

std::string pair(const char* key, std::uint64_t value) { return std::string(key) + '=' + std::to_string(value); }

class Asker {
 public:
  explicit Asker(const PartyOptions& options)
      : words_(options.words),
        pen_(options.history, options.name),
        client_({.broker = options.broker, .name = options.name, .pulse = 300ms, .pulses = 3}) {}

  int run(int stops) {
    const std::uint64_t threads = words_.number("threads", 4);
    std::vector<std::thread> crowd;
    for (std::uint64_t i = 0; i < threads; ++i) {
      crowd.emplace_back([this] {
        while (!over_) ask();
      });
    }
    std::puts("ready");
    std::fflush(stdout);
    pollfd wait{stops, POLLIN, 0};
    while (::poll(&wait, 1, -1) < 1) {
    }
    over_ = true;
    for (auto& thread : crowd) thread.join();
    pen_.write("finished");
    return 0;
  }

 private:
  // One request and what it leads to.
  void ask() {
    const std::uint64_t number = ++asks_;
    const std::uint64_t wait = words_.number("wait_ms", 5000);
    AcquireOptions options{.wait = std::chrono::milliseconds(wait),
                           .priority = static_cast<int>(words_.number("priority", 0)),
                           .absent = true,
                           .reassign = 0};
    const std::string name = pair("ask", number);
    pen_.write("asked", name + " service=echo " + pair("wait_ms", wait) + " " + pair("priority", words_.number("priority", 0)));
    try {
      Session session = client_.acquire("echo", options);
      const Grant grant = session.grant();
      pen_.write("granted", name + " id=" + grant.id + " " + pair("session", grant.session) + " worker=" + grant.worker);
      use(session, grant.session);
      session.release();
      pen_.write("released", pair("session", grant.session));
    } catch (const Error& error) {
      pen_.write("refused", name + " code=" + std::string(word(error.code)));
      rest(50ms + error.retry);
    }
    rest(std::chrono::milliseconds(words_.number("pause_ms", 0)));
  }

  void use(Session& session, std::uint64_t id) {
    const bool hold = words_.number("hold", 0) > 0;
    const std::uint64_t calls = words_.number("calls", 2);
    for (std::uint64_t number = 1; hold ? !over_.load() : number <= calls; ++number) {
      const std::string name = pair("session", id) + " " + pair("number", number);
      const std::string text = std::to_string(id) + "/" + std::to_string(number);
      pen_.write("called", name);
      try {
        const Payload answer = session.call({text}, {.limit = std::chrono::milliseconds(words_.number("limit_ms", 20'000))});
        const bool right = answer.size() == 1 && answer[0].view() == text;
        pen_.write("answered", name + (right ? "" : " wrong=1"));
      } catch (const Error& error) {
        pen_.write("failed", name + " code=" + std::string(word(error.code)) + " what=" + without_blanks(error.what()));
        return;
      }
      if (hold) rest(std::chrono::milliseconds(words_.number("pause_ms", 0)));
    }
  }

  // A pause that the end of the run cuts short.
  void rest(std::chrono::milliseconds time) const {
    const auto until = std::chrono::steady_clock::now() + time;
    while (!over_ && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(time, 10ms));  // the load's own rhythm
    }
  }

  const Words& words_;
  Pen pen_;
  Client client_;
  std::atomic<std::uint64_t> asks_{static_cast<std::uint64_t>(::getpid()) * 1'000'000};  // unlike those of a former life
  std::atomic<bool> over_{false};
};

}  // namespace

int run_client(const PartyOptions& options) {
  const int stops = stop_signals();  // before any thread
  return Asker(options).run(stops);
}

}  // namespace pointsman::faults
