// Farewells: releases and cancellations, repeated until they are answered or not worth it any more.
//
// A session that was used is released at its worker; when that is silent, at the broker. What stays
// unanswered after `tries` ends by its term.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "clients/core/alarms.hpp"
#include "clients/core/brokers.hpp"
#include "clients/core/events.hpp"
#include "clients/core/links.hpp"
#include "clients/core/settings.hpp"

namespace pointsman::clients {

class Farewells {
 public:
  Farewells(const ClientSettings& settings, Brokers& brokers, Links& links)
      : settings_(settings), brokers_(brokers), links_(links) {}

  // Ends a session that `broker` granted; `link`: where it was used, 0: through the broker.
  void release(Instant now, std::uint64_t broker, std::uint64_t session, std::uint64_t link, Actions& out);

  // Takes a request back from a broker.
  void cancel(Instant now, std::uint64_t broker, const std::string& id, Actions& out);

  // Takes a message from a broker; false if it is no answer to a farewell.
  bool receive(Instant now, std::uint64_t broker, const Message& message, Actions& out);

  // The same from a worker.
  void receive_direct(Instant now, std::uint64_t link, const Message& message, Actions& out);

  // The link of a farewell broke and is replaced by `link`: what was said on it goes to the broker instead.
  void moved(Instant now, std::uint64_t number, std::uint64_t link, Actions& out);

  void tend(Instant now, Actions& out);
  Instant deadline() const { return alarms_.first(); }
  std::size_t size() const { return farewells_.size(); }
  void check() const;

 private:
  static constexpr int tries = 5;         // in all
  static constexpr int tries_direct = 2;  // of these, at the worker

  struct Farewell {
    std::uint64_t broker = nobody;
    std::uint64_t session = 0;  // 0: a cancellation
    std::string id;             // empty: a release
    std::uint64_t link = 0;
    int said = 0;
    int asked = 0;  // of these, at the broker
  };

  void begin(Instant now, Farewell farewell, Actions& out);
  void say(Instant now, std::uint64_t number, Farewell& farewell, Actions& out);
  void answered(Instant now, std::uint64_t number, const Message& message, Actions& out);
  void leave_link(Instant now, std::uint64_t number, Farewell& farewell, Actions& out);
  void finish(Instant now, std::uint64_t number, Actions& out);

  const ClientSettings& settings_;
  Brokers& brokers_;
  Links& links_;
  std::map<std::uint64_t, Farewell> farewells_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> by_session_;  // broker and session
  std::map<std::pair<std::uint64_t, std::string>, std::uint64_t> by_id_;  // broker and id
  Alarms<std::uint64_t> alarms_;
  std::uint64_t last_ = 0;
};

}  // namespace pointsman::clients
