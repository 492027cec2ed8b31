// Examples: the messages that pass most often, and a ticket, as they look in use.

#pragma once

#include <string>
#include <vector>

#include "protocol/messages.hpp"
#include "protocol/ticket.hpp"

namespace pointsman::bench {

// A hand-off and its end, then a lease's renewal.
inline std::vector<Message> hot_messages() {
  return {Request{.id = "7a31c", .service = "resize", .client = "client-00017", .updates = true},
          Granted{.id = "7a31c",
                  .session = 1'234'567,
                  .service = "resize",
                  .worker = "worker-000042",
                  .endpoint = "tcp://10.0.0.1:10042",
                  .ticket = {std::string(130, 't')},
                  .ttl_ms = Milliseconds(5000),
                  .term_ms = Milliseconds(30'000),
                  .policy = Policy::least_connections},
          Assign{.lease = 1'000'042,
                 .first = 812,
                 .sessions = {{.session = 1'234'567,
                               .service = "resize",
                               .client = "client-00017",
                               .id = "7a31c",
                               .ttl_ms = Milliseconds(5000),
                               .term_ms = Milliseconds(30'000)}},
                 .applied = 1622,
                 .now_ms = Milliseconds(3'600'123)},
          Report{.lease = 1'000'042,
                 .first = 1623,
                 .events = {{.session = 1'234'567}, {.session = 1'234'000, .closed = true}},
                 .seen = 812,
                 .completed = 811,
                 .busy_ms = Milliseconds(40'100)},
          Heartbeat{.lease = 1'000'042,
                    .beat = 77,
                    .seen = 812,
                    .used = 3,
                    .digest = 0x1234567890abULL,
                    .reported = 1624,
                    .progress = 900,
                    .completed = 811,
                    .busy_ms = Milliseconds(40'100)},
          Heard{.lease = 1'000'042, .beat = 77, .applied = 1624, .now_ms = Milliseconds(3'600'123), .next_ms = Milliseconds(3'307)}};
}

inline Ticket example_ticket() {
  return {.epoch = 1'000'000,
          .session = 1'234'567,
          .lease = 1'000'042,
          .holder = 17,
          .service = 18,
          .issued_ms = Milliseconds(3'600'123),
          .ttl_ms = Milliseconds(5000),
          .term_ms = Milliseconds(30'000)};
}

}  // namespace pointsman::bench
