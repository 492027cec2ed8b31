// What bounds the search for brokers; each has its row in PROTOCOL.md.

#pragma once

#include <cstddef>

namespace pointsman::limits {

inline constexpr std::size_t brokers = 64;             // that one party knows of at a time
inline constexpr std::size_t tiers = 4;                // of brokers, that a client is sent through
inline constexpr std::size_t brokers_below = 1024;     // rows of a list of brokers below, that are looked at
inline constexpr std::size_t broker_file = 64 * 1024;  // bytes of a file that names some
inline constexpr std::size_t etcd_members = 8;         // of a cluster of etcd, that are asked in turn
inline constexpr std::size_t etcd_answer = 256 * 1024;  // bytes of one answer of etcd
inline constexpr std::size_t addresses = 4;            // of one broker that answers by several
inline constexpr std::size_t datagram = 1024;          // bytes of a question or an answer by multicast
inline constexpr std::size_t question_condition = 512;  // bytes of the condition in a question by multicast
inline constexpr std::size_t nonce = 16;               // bytes by which an answer names its question
inline constexpr std::size_t questions = 8;            // the last ones of a party, whose answers count
inline constexpr std::size_t answers = 50;             // by one broker, a second
inline constexpr std::size_t answers_at_once = 100;    // after a pause
inline constexpr std::size_t interfaces = 64;          // by which one party asks, and is asked

}  // namespace pointsman::limits
