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
  Attributes attributes;   // for the conditions of workers
  std::uint64_t seed = 1;  // of the jitter

  // The broker. An unanswered question is repeated after `repeat`, then after twice as long each time, up to
  // `repeat_max`; always plus or minus a fifth.
  Duration repeat{std::chrono::milliseconds(500)};
  Duration repeat_max{std::chrono::seconds(5)};
  Duration silence{std::chrono::milliseconds(1500)};  // a broker silent for longer gets a new connection
  Duration patience{std::chrono::seconds(5)};         // a broker never heard is unreachable after this
  Duration margin{std::chrono::seconds(2)};  // answers may come this much later than a request's wait
  // A request that waits in a broker's line for longer goes to the next broker, once from each. 0: it stays.
  Duration overflow{0};

  // Workers. While calls are outstanding the worker is asked for a sign of life every `pulse`; when `pulses`
  // of these in a row have no answer it counts as dead.
  Duration pulse{std::chrono::seconds(1)};
  int pulses = 3;
  Duration link_idle{std::chrono::minutes(1)};  // a link that nobody uses is closed after this

  // Bounds.
  std::size_t sessions_max = 10'000;            // handles at a time, waiting ones included
  std::size_t calls_max = 4096;                 // calls of one session that are not finished
  std::size_t window = 32;                      // of those, sent and not answered
  std::size_t payload_max = 256 * 1024 * 1024;  // bytes of all calls that are not finished
  std::size_t asks_max = 1000;                  // questions at a time
  std::size_t farewells_max = 20'000;           // releases and cancellations without answer
  std::size_t links_max = 256;                  // links to workers; more only while more are in use
  std::size_t linked_max = limits::linked;      // of these, that a request names; 0: none
  std::size_t linked_services_max = 256;        // services that they are known of
  std::size_t below_max = 64;                   // brokers below that are kept; more only while more are in use
  int renewals_max = 16;                        // new ids of one request without a worker's work in between
};

}  // namespace pointsman::clients
