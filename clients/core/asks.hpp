// Asks: questions to a broker that have one answer, and which answer belongs to which.
//
// The answers to most questions do not name their question, so questions of one kind go out one after the
// other, each when the one before has been answered. An answer that came late leaves repeats behind whose
// answers are still on their way: the next question of that kind waits for them, for a moment.

#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "clients/core/alarms.hpp"
#include "clients/core/brokers.hpp"
#include "clients/core/events.hpp"
#include "clients/core/settings.hpp"

namespace pointsman::clients {

class Asks {
 public:
  Asks(const ClientSettings& settings, Brokers& brokers) : settings_(settings), brokers_(brokers) {}

  void ask(Instant now, Ask event, Actions& out);

  // There are other brokers: what nobody was there for is asked now.
  void found(Instant now, Actions& out);

  // Takes a message from the broker; false if it answers no question.
  bool receive(Instant now, const Message& message, Actions& out);

  // Repeats and gives up what is due.
  void tend(Instant now, Actions& out);
  Instant deadline() const { return alarms_.first(); }

  // Refuses all that is open.
  void fail(Code code, const std::string& reason, const std::string& remedy, Actions& out);

  std::size_t size() const { return asked_; }
  void check() const;

 private:
  // What answers have in common with their questions.
  struct Kind {
    std::string op;  // of the question
    std::string id;
    std::uint64_t session = 0;
    friend auto operator<=>(const Kind&, const Kind&) = default;
  };
  struct Open {
    Ask ask;
    Instant give_up{};
  };
  struct Lane {
    std::deque<Open> asks;  // the first has been sent `sent` times, the others not yet
    int sent = 0;
    bool in_vain = false;  // nobody was there when it was sent
    int late = 0;  // answers to former repeats that may still come, until `late_until`
    Instant late_until{};
  };

  static Kind kind_of_question(const Message& question);
  static std::optional<Kind> kind_of_answer(const Message& answer);
  void start(Instant now, const Kind& kind, Lane& lane, Actions& out);
  void finish(Instant now, const Kind& kind, Lane& lane, Message answer, Actions& out);

  const ClientSettings& settings_;
  Brokers& brokers_;
  std::map<Kind, Lane> lanes_;
  Alarms<Kind> alarms_;
  std::size_t asked_ = 0;
};

}  // namespace pointsman::clients
