// Exit codes: the one table from the protocol's codes to the program's.

#include "clients/program/exit.hpp"

namespace pointsman::program {

Exit exit_of(Code code) {
  switch (code) {
    case Code::none:
      return Exit::done;
    case Code::failed:
      return Exit::failed;
    case Code::loop:
    case Code::unreachable:
      return Exit::unreachable;
    case Code::unknown_service:
    case Code::no_match:
    case Code::unknown_request:
    case Code::unknown_session:
    case Code::unknown_worker:
      return Exit::not_found;
    case Code::no_worker:
    case Code::timed_out:
    case Code::queue_full:
    case Code::hopeless:
    case Code::busy:
    case Code::draining:
    case Code::overloaded:
      return Exit::no_worker;
    case Code::bad_message:
    case Code::bad_condition:
    case Code::wrong_version:
    case Code::unknown_op:
    case Code::wrong_role:
    case Code::cancelled:
    case Code::ended:
    case Code::unknown_lease:
    case Code::name_taken:
    case Code::bad_endpoint:
    case Code::bad_ticket:
    case Code::forged_ticket:
    case Code::foreign_ticket:
    case Code::old_ticket:
    case Code::stolen_ticket:
    case Code::expired_ticket:
    case Code::used_ticket:
    case Code::not_yours:
    case Code::limit_reached:
    case Code::shutting_down:
    case Code::unknown_key:
    case Code::not_allowed:
    case Code::over_quota:
    case Code::too_fast:
    case Code::count_:
      return Exit::refused;
  }
  return Exit::refused;
}

}  // namespace pointsman::program
