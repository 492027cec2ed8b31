// A worker core on the bench: told lines of the notation, says lines, checked after every step.

#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "protocol/notation.hpp"
#include "protocol/ticket.hpp"
#include "workers/core/worker.hpp"

namespace pointsman::workers {

inline const Bytes bench_key{std::string(32, 'k')};

inline WorkerSettings bench_settings() {
  return {.name = "w", .instance = "i", .offers = {{.service = "zip"}}, .slots = 2, .endpoint = "tcp://127.0.0.1:9"};
}

class Bench {
 public:
  using Lines = std::vector<std::string>;

  explicit Bench(WorkerSettings settings = bench_settings()) : core(std::move(settings)) {}

  // What the core says to an event. Messages to the broker start with `broker `, to clients with `c1 ` (by
  // connection); other actions are words of their own.
  Lines tell(Event event) {
    Actions actions;
    core.step(Instant(now), std::move(event), actions);
    core.check();
    Lines lines;
    for (const Action& action : actions) {
      lines.push_back(line_of(action));
      attempts += lines.back().starts_with("broker register ");
    }
    return lines;
  }

  Lines broker(const std::string& line) { return tell(Received{{.door = Door::broker}, read(line), {}}); }
  Lines client(std::uint64_t peer, const std::string& line) { return client(peer, read(line)); }
  Lines client(std::uint64_t peer, Message message, Payload payload = {}) {
    return tell(Received{{.door = Door::direct, .peer = peer}, std::move(message), std::move(payload)});
  }

  // Lets time pass and steps whenever the core wants to.
  Lines wait(Duration duration) {
    Lines all;
    const Duration end = now + duration;
    while (core.deadline() <= Instant(end)) {
      now = std::max(now, core.deadline().time_since_epoch());
      for (std::string& line : tell(Elapsed{})) all.push_back(std::move(line));
    }
    now = end;
    return all;
  }

  // Registered under lease 7: a term of 10 s, a heartbeat every 3 s.
  void enroll() {
    tell(Elapsed{});
    tell(registered(7));
  }
  // The answer to what was asked last.
  Event registered(std::uint64_t lease, std::uint64_t epoch = 5) const {
    return Received{{.door = Door::broker},
                    Registered{.worker = "w", .lease = lease, .term_ms = Milliseconds(10'000),
                               .heartbeat_ms = Milliseconds(3000), .epoch = epoch, .key = bench_key,
                               .attempt = attempts},
                    {}};
  }

  Ticket ticket(std::uint64_t session, const std::string& name = "ann") const {
    return {.epoch = 5, .session = session, .lease = 7, .holder = holder_of(name), .service = service_of("zip"),
            .issued_ms = std::chrono::duration_cast<Milliseconds>(now - enrolled), .ttl_ms = Milliseconds(5000),
            .term_ms = Milliseconds(30'000)};
  }
  Message open(std::uint64_t session, const std::string& name = "ann") const {
    return Open{.ticket = seal(ticket(session, name), bench_key), .client = name};
  }

  static Message read(const std::string& line) {
    auto message = from_line(line);
    if (const Fault* fault = std::get_if<Fault>(&message)) FAIL(line << ": " << fault->reason);
    return std::get<Message>(message);
  }

  static std::string line_of(const Action& action) {
    return std::visit(
        [](const auto& a) -> std::string {
          using A = std::remove_cvref_t<decltype(a)>;
          if constexpr (std::is_same_v<A, Send>) {
            const std::string to = a.to.door == Door::broker ? "broker" : "c" + std::to_string(a.to.peer);
            return to + " " + to_line(a.message, a.payload);
          } else if constexpr (std::is_same_v<A, Serve>) {
            std::string text = "serve " + std::to_string(a.session) + "/" + std::to_string(a.number);
            for (const Frame& frame : a.payload) text += " " + frame.str();
            return text;
          } else if constexpr (std::is_same_v<A, Abandoned>) {
            return "abandoned " + std::to_string(a.session) + "/" + std::to_string(a.number);
          } else if constexpr (std::is_same_v<A, SessionBegan>) {
            return "began " + std::to_string(a.session);
          } else if constexpr (std::is_same_v<A, SessionOver>) {
            return "over " + std::to_string(a.session) + " " + std::string(word(a.ending));
          } else if constexpr (std::is_same_v<A, Enrolled>) {
            return "enrolled " + std::to_string(a.lease);
          } else if constexpr (std::is_same_v<A, Denied>) {
            return "denied " + std::string(word(a.code));
          } else if constexpr (std::is_same_v<A, Reconnect>) {
            return "reconnect";
          } else if constexpr (std::is_same_v<A, Departed>) {
            return "departed";
          } else {
            return "done " + std::string(word(a.code));
          }
        },
        action);
  }

  WorkerCore core;
  Duration now{std::chrono::seconds(1)};
  std::uint64_t attempts = 0;  // to register
  Duration enrolled{std::chrono::seconds(1)};  // when the broker's clock showed 0
};

// Whether one of the lines starts with `start`.
inline bool says(const Bench::Lines& lines, const std::string& start) {
  for (const std::string& line : lines) {
    if (line.starts_with(start)) return true;
  }
  return false;
}

}  // namespace pointsman::workers
