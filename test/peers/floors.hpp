// The floors: processes that do nothing over bare libzmq but receive and send the messages that a broker, a worker or
// a proxy would. What they cost is what libzmq costs.
//
// Each prints a line `ready NAME=ENDPOINT…` and runs until it is killed.

#pragma once

#include <string>
#include <vector>

namespace pointsman::peers {

// What a floor is told: its name is the kind, the rest are words of it.
//   echo                 ROUTER that sends back what comes
//   handoff [SECRET]     the four messages of a hand-off; with a secret key in Z85 its listeners speak CURVE
//   worker SIZE [AT]     answers calls, as a worker does on its direct link; AT: connects to a proxy. SIZE is big for
//                        64 KB and more: shorter queues
//   proxy SIZE           zmq_proxy between clients and a worker
//   majordomo PORT       the broker of the Majordomo pattern
int run_floor(const std::vector<std::string>& words);

}  // namespace pointsman::peers
