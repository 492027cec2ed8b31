// The product's name, version and defaults that all parties share. CMake writes the same name.

#pragma once

#include <cstdint>
#include <string_view>

namespace pointsman {

inline constexpr std::string_view program_name = "pointsman";
// Held equal to the version in CMakeLists.txt by a test.
inline constexpr std::string_view program_version = "0.1.0";
inline constexpr std::string_view environment_prefix = "POINTSMAN_";
inline constexpr std::string_view default_clients_endpoint = "tcp://127.0.0.1:5570";
inline constexpr std::string_view default_workers_endpoint = "tcp://127.0.0.1:5571";

// Version of the wire protocol. See "Versions" in PROTOCOL.md.
inline constexpr std::uint64_t protocol_version = 1;

}  // namespace pointsman
