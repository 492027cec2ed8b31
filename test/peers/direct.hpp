// Calls and streams between a client and a worker, by the real libraries; over bare libzmq; and through a proxy.

#pragma once

#include "test/peers/contests.hpp"

namespace pointsman::peers {

std::vector<Contest> direct_contests(const Pace& pace);

// The worker of these measurements, with the worker library: `WORKERS [KEY_FILE BROKER_KEY]`. Sends back what comes;
// with a second frame, a number, as many parts as that.
int run_echo_worker(const std::vector<std::string>& words);

}  // namespace pointsman::peers
