// Wishes: the conditions and preferences of a simulation, each with what it means in so many words.
//
// The broker reads them as they are written; the reference asks `holds` and `better` instead, and knows no grammar.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/attributes.hpp"
#include "test/sim/chance.hpp"

namespace pointsman::sim {

// What workers and clients say of themselves, at random.
Attributes draw_worker_attributes(Chance& chance);
Attributes draw_client_attributes(Chance& chance);

// One of the conditions on workers, on clients, or one of the preferences; empty as often as not.
std::string draw_condition(Chance& chance);
std::string draw_acceptance(Chance& chance);
std::string draw_preference(Chance& chance);

// Whether it is true of them. Empty is true of all.
bool holds(std::string_view condition, const Attributes& attributes);

// Whether a preference likes `a` better than `b`.
bool better(std::string_view preference, const Attributes& a, const Attributes& b);

}  // namespace pointsman::sim
