// The broker's own account: what it tells its watchers, and what it lists.

#include <poll.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <thread>

#include "clients/client.hpp"
#include "test/faults/history.hpp"
#include "test/faults/parties.hpp"

namespace pointsman::faults {

namespace {

using namespace std::chrono_literals;

std::string pair(const char* key, std::string_view value) {
  return value.empty() ? std::string() : std::string(" ") + key + '=' + without_blanks(value);
}

std::string line_of(const Happened& event) {
  return "number=" + std::to_string(event.number) + pair("kind", word(event.kind)) + pair("service", event.service) +
         pair("worker", event.worker) + pair("client", event.client) + pair("id", event.id) +
         (event.session != 0 ? " session=" + std::to_string(event.session) : "") + pair("detail", event.detail);
}

// All rows of one subject.
template <class Rows>
auto all_of(Client& client, Subject subject, Rows Listing::*rows) {
  Rows all;
  List question{.of = subject};
  for (;;) {
    Listing page = std::get<Listing>(client.ask(question));
    for (auto& row : page.*rows) all.push_back(std::move(row));
    if (page.next.empty()) return all;
    question.after = page.next;
  }
}

}  // namespace

int run_watch(const PartyOptions& options) {
  const int stops = stop_signals();
  Pen pen(options.history, options.name);
  std::atomic<bool> over{false}, seen{false};
  Client client({.broker = options.broker, .name = options.name});
  std::thread watcher([&] {
    while (!over) {
      try {
        client.watch(
            {},
            [&](const Happened& event) {
              seen = true;
              pen.write("watch", line_of(event));
              return !over;
            },
            [&] { return !over; }, [&](std::uint64_t missed) { pen.write("gap", "missed=" + std::to_string(missed)); });
      } catch (const Error& error) {
        pen.write("gap", "why=" + without_blanks(error.what()));
      }
    }
  });
  // Whether it watches is seen by an event: a change of a setting that changes nothing else.
  pollfd wait{stops, POLLIN, 0};
  bool told = false;
  while (::poll(&wait, 1, told ? -1 : 20) < 1) {
    if (told) continue;
    if (seen) {
      told = true;
      std::puts("ready");
      std::fflush(stdout);
      continue;
    }
    try {
      client.ask(Configure{.service = "watched", .queue_max = 9999});
    } catch (const Error&) {  // there is no broker yet
    }
  }
  over = true;
  watcher.join();
  return 0;
}

int run_list(const PartyOptions& options) {
  Pen pen(options.history, options.name);
  Client client({.broker = options.broker, .name = options.name});
  const auto workers = all_of(client, Subject::workers, &Listing::workers);
  const auto sessions = all_of(client, Subject::sessions, &Listing::sessions);
  const auto services = all_of(client, Subject::services, &Listing::services);
  std::map<std::string, std::pair<std::string, std::string>> held;  // open, reserved
  std::uint64_t used = 0, waiting = 0;
  for (const auto& row : sessions) {
    auto& lists = held[row.worker];
    std::string& list = row.state == State::open ? lists.first : lists.second;
    list += (list.empty() ? "" : ",") + std::to_string(row.session);
  }
  for (const auto& row : services) waiting += row.waiting;
  for (const auto& row : workers) {
    used += row.used;
    const auto& lists = held[row.worker];
    pen.write("listed", "worker=" + row.worker + pair("state", word(row.state)) + " used=" + std::to_string(row.used) +
                            " open=" + lists.first + " reserved=" + lists.second);
  }
  std::printf("workers=%zu used=%llu waiting=%llu\n", workers.size(), static_cast<unsigned long long>(used),
              static_cast<unsigned long long>(waiting));
  return 0;
}

}  // namespace pointsman::faults
