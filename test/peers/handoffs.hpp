// Hand-offs by raw connections: clients that ask and, if told, call the worker directly; workers that report. The same
// for a broker and for a floor.

#pragma once

#include <string>

#include "test/peers/load.hpp"

namespace pointsman::peers {

// An operation is a hand-off, or with `load.calls` a call: the first of each session is timed from the request on.
Figure drive_handoffs(const Load& load, const Server& server, const std::string& clients,
                      const std::string& workers);

// Memory, in bytes: of each worker once all are registered; of each request that waits.
double idle_workers(const Server& server, const std::string& workers, unsigned count);
double waiting_requests(const Server& server, const std::string& clients, unsigned count);

// An operation is a message to a ROUTER and back.
Figure drive_echo(const Load& load, const Server& server, const std::string& endpoint);

}  // namespace pointsman::peers
