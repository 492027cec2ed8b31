// A client core in a test: told things, and what it says as lines of text.
//
//   broker < request id=a …            sent to the broker
//   link 1 < call session=7 … | hello  sent on a direct link
//   acquired 1 session=7 …             told to its user; also not_acquired, waiting, part, failed, ended,
//   answer, news connect 1 tcp://w:1, disconnect 1, reconnect

#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "clients/core/client.hpp"
#include "protocol/notation.hpp"

namespace pointsman::clients {

class Rig {
 public:
  explicit Rig(ClientSettings settings = {.name = "ann"}) : core(std::move(settings)) {}

  using Lines = std::vector<std::string>;

  // One event; what it made the core say.
  Lines tell(Event event) {
    Actions out;
    core.step(now, std::move(event), out);
    core.check();
    REQUIRE(core.deadline() > now);
    Lines lines;
    for (const Action& action : out) lines.push_back(line(action));
    return lines;
  }

  Lines broker(const std::string& text, std::uint64_t number = 0) {
    return receive({.door = Door::broker, .peer = number}, text);
  }
  Lines link(std::uint64_t number, const std::string& text) {
    return receive({.door = Door::direct, .peer = number}, text);
  }

  // Time passes, with the core woken when it wants to be.
  Lines pass(Milliseconds time) {
    const Instant end = now + time;
    Lines lines;
    while (core.deadline() <= end) {
      now = core.deadline();
      for (auto& said : tell(Elapsed{})) lines.push_back(std::move(said));
    }
    now = end;
    return lines;
  }

  // As pass(), until the core says something.
  Lines wait(Milliseconds most = Milliseconds(60'000)) {
    const Instant end = now + most;
    while (core.deadline() <= end) {
      now = core.deadline();
      auto lines = tell(Elapsed{});
      if (!lines.empty()) return lines;
    }
    return {};
  }

  Milliseconds elapsed() const { return std::chrono::duration_cast<Milliseconds>(now.time_since_epoch()); }

  // A session on handle 1 that is granted as session 7 at tcp://w:1.
  Lines hold(Acquire acquire = {.handle = 1, .id = "a", .service = "zip"}) {
    tell(std::move(acquire));
    return broker(grant);
  }

  const std::string grant =
      "granted id=a session=7 service=zip worker=w endpoint=tcp://w:1 ticket=b64\"AAAA\" ttl_ms=5000 "
      "term_ms=30000";

  ClientCore core;
  Instant now{};

 private:
  Lines receive(Address from, const std::string& text) {
    Payload payload;
    auto read = from_line(text, payload);
    if (const auto* fault = std::get_if<Fault>(&read)) FAIL(fault->reason);
    return tell(Received{std::move(from), std::move(std::get<Message>(read)), std::move(payload)});
  }

  // Number 0 is the one that there is in most tests.
  static std::string broker_of(std::uint64_t number) {
    return number == 0 ? "broker" : "broker " + id(number);
  }
  static std::string id(std::uint64_t number) { return std::to_string(number); }

  static std::string line(const Action& action) {
    struct Reader {
      std::string operator()(const Send& a) const {
        const std::string to = a.to.door == Door::broker ? broker_of(a.to.peer) : "link " + id(a.to.peer);
        return to + " < " + to_line(a.message, a.payload);
      }
      std::string operator()(const Connect& a) const { return "connect " + id(a.link) + " " + a.endpoint; }
      std::string operator()(const Disconnect& a) const { return "disconnect " + id(a.link); }
      std::string operator()(const Reconnect& a) const {
        return a.broker == 0 ? "reconnect" : "reconnect " + id(a.broker);
      }
      std::string operator()(const ReachBroker& a) const { return "reach " + id(a.broker) + " " + a.endpoint; }
      std::string operator()(const LeaveBroker& a) const { return "leave " + id(a.broker); }
      std::string operator()(const Acquired& a) const {
        return "acquired " + id(a.handle) + " session=" + id(a.granted.session) +
               " reassigned=" + std::to_string(a.reassigned);
      }
      std::string operator()(const NotAcquired& a) const {
        return "not_acquired " + id(a.handle) + " " + std::string(word(a.refused.code));
      }
      std::string operator()(const Waiting& a) const {
        return "waiting " + id(a.handle) + " position=" + id(a.queued.position);
      }
      std::string operator()(const Part& a) const {
        std::string text = "part " + id(a.handle) + "." + id(a.number) + (a.more ? " more" : " last");
        for (const Frame& frame : a.payload) text += " " + frame.str();
        return text;
      }
      std::string operator()(const CallFailed& a) const {
        return "failed " + id(a.handle) + "." + id(a.number) + " " + std::string(word(a.code));
      }
      std::string operator()(const SessionEnded& a) const {
        return "ended " + id(a.handle) + " " + std::string(word(a.ending));
      }
      std::string operator()(const Answer& a) const {
        return "answer " + id(a.token) + " " + to_line(a.message);
      }
      std::string operator()(const News& a) const { return "news " + id(a.happened.number); }
    };
    return std::visit(Reader{}, action);
  }
};

}  // namespace pointsman::clients
