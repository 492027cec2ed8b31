// Rights: the one table of which message a broker takes, by which listener, from which role, about what, and when.
//
// PROTOCOL.md prints it. It holds where keys are configured; without keys (plaintext) only the listeners count, and
// everybody may do everything about everything. What no row names a broker never takes.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "protocol/allowed.hpp"
#include "protocol/messages.hpp"

namespace pointsman::broker {

// What a message of a role may be about.
enum class Scope : std::uint8_t {
  none,  // nothing: it is refused
  own,   // what belongs to the key: what it registered, or asked for, and services that it may ask for or offer
  all,   // everything
};

// When it is taken.
enum class When : std::uint8_t {
  always,
  serving,  // not while the broker stops, or is short of memory
  leased,   // under a lease that is held
};

struct Right {
  std::string_view op;
  bool clients = false;  // by the listener for clients
  bool workers = false;  // by the listener for workers
  Scope client = Scope::none;
  Scope worker = Scope::none;
  Scope peer = Scope::none;
  Scope admin = Scope::none;
  When when = When::always;
  bool metered = false;  // counts against the key's rate: what frees something, or keeps a lease, does not

  constexpr Scope of(Role role) const {
    return role == Role::client ? client : role == Role::worker ? worker : role == Role::peer ? peer : admin;
  }

  // The widest of any of the roles.
  constexpr Scope of(Roles roles) const {
    Scope widest = Scope::none;
    for (const Role role : {Role::client, Role::worker, Role::peer, Role::admin}) {
      if (roles.has(role)) widest = std::max(widest, of(role));
    }
    return widest;
  }
};

namespace columns {
inline constexpr auto none = Scope::none;
inline constexpr auto own = Scope::own;
inline constexpr auto all = Scope::all;
}  // namespace columns

inline constexpr std::array rights = [] {
  using namespace columns;
  using enum When;
  constexpr bool yes = true;
  constexpr bool no = false;
  return std::array{
      //    message          clients workers  client worker peer  admin   when     metered
      Right{Request::op,     yes,    no,      own,   none,  none, none,   serving, yes},
      Right{Cancel::op,      yes,    no,      own,   none,  none, none,   always,  no},
      Right{Release::op,     yes,    no,      own,   none,  none, all,    always,  no},
      Right{Renew::op,       yes,    no,      own,   none,  none, none,   always,  yes},
      Right{List::op,        yes,    no,      own,   none,  all,  all,    always,  yes},
      Right{Explain::op,     yes,    no,      own,   none,  none, all,    always,  yes},
      Right{Drain::op,       yes,    no,      none,  none,  none, all,    always,  yes},
      Right{Configure::op,   yes,    no,      none,  none,  none, all,    always,  yes},
      Right{Watch::op,       yes,    no,      own,   none,  none, all,    always,  yes},
      Right{Status::op,      yes,    no,      own,   none,  all,  all,    always,  yes},
      Right{Hello::op,       yes,    yes,     all,   all,   all,  all,    always,  yes},
      Right{Register::op,    no,     yes,     none,  own,   own,  none,   serving, yes},
      Right{Heartbeat::op,   no,     yes,     none,  own,   own,  none,   leased,  no},
      Right{Report::op,      no,     yes,     none,  own,   own,  none,   leased,  no},
      Right{Holding::op,     no,     yes,     none,  own,   own,  none,   leased,  no},
      Right{Leave::op,       no,     yes,     none,  own,   own,  none,   always,  no},
  };
}();

constexpr Right right_of(std::string_view op) {
  for (const Right& right : rights) {
    if (right.op == op) return right;
  }
  return {};
}

}  // namespace pointsman::broker
