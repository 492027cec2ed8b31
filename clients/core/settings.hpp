// What a client core may be told: every time and bound of it, with its default.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "protocol/machine.hpp"

namespace pointsman::clients {

struct ClientSettings {
  // Given by the shell.
  std::string name;        // shown to brokers and workers; 1 to limits::name bytes
  std::uint64_t seed = 1;  // of the jitter

  // The broker.
  Duration repeat{std::chrono::milliseconds(500)};    // an unanswered question is repeated after this, then
  Duration repeat_max{std::chrono::seconds(5)};       // after twice as long each time, up to this; plus or minus a fifth
  Duration silence{std::chrono::milliseconds(1500)};  // a broker that is silent for longer gets a new connection
  Duration patience{std::chrono::seconds(5)};  // a broker that was never heard is unreachable after this
  Duration margin{std::chrono::seconds(2)};    // an answer may come this much later than the wait of its request

  // Workers.
  Duration pulse{std::chrono::seconds(1)};  // while calls are outstanding the worker is asked for a sign of life this often
  int pulses = 3;                           // unanswered ones after which it counts as dead

  // Bounds.
  std::size_t sessions_max = 10'000;  // handles at a time, waiting ones included
  std::size_t calls_max = 4096;       // calls of one session that are not finished
  std::size_t window = 32;            // of those, sent and not answered
  std::size_t asks_max = 1000;        // questions at a time
  std::size_t farewells_max = 20'000; // releases and cancellations that are not answered yet
  std::size_t links_max = 256;        // connections to workers; more only while more are in use
  int renewals_max = 16;              // new ids of one request, because a session was over before it was heard of, or refused by its worker
};

}  // namespace pointsman::clients
