// The direct link: messages between a client and its worker.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/bytes.hpp"
#include "protocol/fields.hpp"
#include "protocol/limits.hpp"
#include "protocol/words.hpp"

namespace pointsman {

// ---------------------------------------------------------------------------------------------------
// Client -> worker

// Shows the ticket. Answered by Opened or Refused. Repeating it is harmless.
struct Open {
  static constexpr std::string_view op = "open";
  Bytes ticket;
  std::string client;

  static constexpr auto fields() {
    return listed(need("ticket", &Open::ticket, 1, limits::ticket),
                  may("client", &Open::client, 0, limits::name));
  }
  friend bool operator==(const Open&, const Open&) = default;
};

// Work to do; its payload is the frames behind. A call that carries the ticket opens the session, too.
// Answered by Reply (the last one has `more` false), Failed or Refused.
struct Call {
  static constexpr std::string_view op = "call";
  std::uint64_t session = 0;
  std::uint64_t number = 0;  // chosen by the client, unique within the session
  Bytes ticket;
  std::string client;
  Milliseconds limit_ms{0};  // the client waits this long; 0: it does not say
  bool gather = false;       // one reply may bring several parts

  static constexpr auto fields() {
    return listed(need("session", &Call::session, 1, limits::number),
                  need("number", &Call::number, 1, limits::number),
                  may("ticket", &Call::ticket, 0, limits::ticket),
                  may("client", &Call::client, 0, limits::name),
                  may("limit_ms", &Call::limit_ms, 0, limits::day_ms),
                  flag("gather", &Call::gather));
  }
  friend bool operator==(const Call&, const Call&) = default;
};

// The client no longer wants the answer to a call. Answered by Failed with code `cancelled`, unless the
// answer was quicker.
struct Abandon {
  static constexpr std::string_view op = "abandon";
  std::uint64_t session = 0;
  std::uint64_t number = 0;

  static constexpr auto fields() {
    return listed(need("session", &Abandon::session, 1, limits::number),
                  need("number", &Abandon::number, 1, limits::number));
  }
  friend bool operator==(const Abandon&, const Abandon&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Worker -> client

struct Opened {
  static constexpr std::string_view op = "opened";
  std::uint64_t session = 0;
  Milliseconds term_ms{0};

  static constexpr auto fields() {
    return listed(need("session", &Opened::session, 1, limits::number),
                  may("term_ms", &Opened::term_ms, 0, limits::day_ms));
  }
  friend bool operator==(const Opened&, const Opened&) = default;
};

// An answer, or a part of one; its payload is the frames behind. Several parts, if the call said `gather`: then the
// payload is dealt among them evenly.
struct Reply {
  static constexpr std::string_view op = "reply";
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  std::uint64_t part = 0;   // 0, 1, 2 … within one call; the first one here
  bool more = false;        // further parts follow
  std::uint64_t parts = 1;  // that are here

  static constexpr auto fields() {
    return listed(need("session", &Reply::session, 1, limits::number),
                  need("number", &Reply::number, 1, limits::number),
                  may("part", &Reply::part, 0, limits::number), flag("more", &Reply::more),
                  may("parts", &Reply::parts, 1, limits::payload_frames));
  }
  friend bool operator==(const Reply&, const Reply&) = default;
};

// The work failed. The session goes on.
struct Failed {
  static constexpr std::string_view op = "failed";
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  Code code = Code::failed;
  std::string reason;
  std::uint64_t exit = 0;  // exit code of a program; 128 + n if signal n ended it
  std::string detail;      // the end of its stderr

  static constexpr auto fields() {
    return listed(need("session", &Failed::session, 1, limits::number),
                  need("number", &Failed::number, 1, limits::number), may("code", &Failed::code, 0, 0),
                  may("reason", &Failed::reason, 0, limits::text), may("exit", &Failed::exit, 0, 255),
                  may("detail", &Failed::detail, 0, limits::detail));
  }
  friend bool operator==(const Failed&, const Failed&) = default;
};

}  // namespace pointsman
