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

// Lets this process open as many descriptors as the system allows it; and back, for a child before exec: programs that
// use select(), or close all that may be open, do not expect a million. The second is async-signal-safe.
void raise_descriptor_limit();
void restore_descriptor_limit();

// Memory of this process that is resident, in bytes; 0 if the system does not say.
std::uint64_t resident_bytes();

}  // namespace pointsman
