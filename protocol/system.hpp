// What shells, never cores, ask of the operating system: time, chance and room for connections.
//
// Thread safe. Chance comes from the kernel and is fit for keys.

#pragma once

#include <cstdint>
#include <string>

#include "protocol/machine.hpp"

namespace pointsman {

// Steady time, the same for all threads of this process. Counts from shortly before its first use, so it is
// never zero; stands still while the machine is suspended.
Instant now();

// Unix time in microseconds: a broker's epoch.
std::uint64_t unix_microseconds();

// 128 random bits as 32 hexadecimal digits; 32 random bytes; 64 random bits.
std::string random_name();
Bytes random_key();
std::uint64_t random_number();

// Lets this process, and what it starts, open as many descriptors as the system allows it.
void raise_descriptor_limit();

}  // namespace pointsman
