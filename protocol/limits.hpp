// What bounds a message: every limit of the wire has its name here and its row in PROTOCOL.md.

#pragma once

#include <cstddef>
#include <cstdint>

namespace pointsman::limits {

// Sizes, in bytes.
inline constexpr std::size_t body_bytes = 256 * 1024;           // one message body
inline constexpr std::size_t payload_bytes = 16 * 1024 * 1024;  // all payload frames of one call or reply
inline constexpr std::size_t envelope_bytes = 255;              // return envelope of one message
inline constexpr std::size_t name = 64;       // names of services, workers, clients; request ids
inline constexpr std::size_t endpoint = 256;  // a ZeroMQ endpoint or a URL
inline constexpr std::size_t text = 1024;     // reasons and remedies
inline constexpr std::size_t detail = 8192;   // the end of a failed program's stderr
inline constexpr std::size_t ticket = 512;    // a sealed ticket
inline constexpr std::size_t key = 64;        // keys, binary or Z85
inline constexpr std::size_t key_bytes = 32;  // a public key, binary
inline constexpr std::size_t attribute_text = 256;     // a text in an attribute
inline constexpr std::size_t attributes_bytes = 4096;  // names and texts of all attributes of one party
inline constexpr std::size_t condition = 1024;         // a condition or a preference

// Counts.
inline constexpr std::size_t payload_frames = 64;
inline constexpr std::size_t envelope_frames = 8;
inline constexpr std::size_t depth = 8;        // maps and lists inside each other
inline constexpr std::size_t nodes = 65536;    // values in one body
inline constexpr std::size_t services = 16;    // services of one worker
inline constexpr std::size_t slots = 1024;     // slots of one worker
inline constexpr std::size_t weight = 100;     // weights run from 1 to this
inline constexpr std::size_t exclude = 8;      // workers that one request may exclude
inline constexpr std::size_t linked = 4;       // workers that one request may say its client is connected to
inline constexpr std::size_t events = 256;     // session events in one report
inline constexpr std::size_t rows = 1000;      // rows in one listing
inline constexpr std::size_t processes = 512;      // of one supervisor, while some are replaced, too
inline constexpr std::size_t names_of_process = 16; // worker names of one supervised process
inline constexpr std::size_t priority = 9;     // priorities run from 0 to this
inline constexpr std::size_t attributes = 32;       // attributes of one party
inline constexpr std::size_t attribute_set = 32;    // texts in one attribute's set
inline constexpr std::size_t condition_terms = 64;  // clauses of one condition, and values of its sets
inline constexpr std::size_t condition_depth = 16;  // parentheses and nots inside each other
inline constexpr std::size_t wishes = 8;            // of one preference

// Numbers and times. Numbers stay below 2^53 so that every language reads them exactly.
inline constexpr std::uint64_t number = (1ULL << 53) - 1;
inline constexpr std::uint64_t minute_ms = 60'000;
inline constexpr std::uint64_t day_ms = 24 * 60 * minute_ms;
inline constexpr std::uint64_t year_ms = 366 * day_ms;

}  // namespace pointsman::limits
