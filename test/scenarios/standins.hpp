// Stand-ins: short words for keys and tickets, so that scenarios stay readable and tickets are real.
//
//   key=<key 2>                                      the ticket key of lease 2
//   ticket=<ann 9>                                   said: sealed for client ann and session 9, and right in all
//   ticket=<ann by alice 9>                          the same, and for alice's key
//   key=<alice>                                      a client's key, told or said
//   ticket=<session=9 lease=2 client=ann service=zip issued=0ms ttl=5s term=30s>    told: sealed anew;
//                                                    also epoch=, key= (another lease's), by= (the client's key) and
//                                                    flip= (a broken byte)

#pragma once

#include <set>
#include <string>
#include <string_view>

#include "protocol/machine.hpp"
#include "protocol/ticket.hpp"

namespace pointsman::scenarios {

// A key that is as good as any, and shows whose it is: the name, and dots behind it.
PublicKey key_named(std::string_view name);

// The broker's secret in every scenario.
const Bytes& master();

// A line of the notation with stand-ins. Throws ScenarioError if it is no message.
Message message_of(std::string_view line, Payload& payload);

// `clients` are the names that a grant's ticket may be for.
std::string masked_line(const Message& message, const Payload& payload = {}, const std::set<std::string>& clients = {});

}  // namespace pointsman::scenarios
